//! PostgreSQL's values and macros in terms of the core.

pub mod array;
pub mod bounds;
pub mod column;
pub mod ffi;
pub mod key;
pub mod query;
pub mod text;

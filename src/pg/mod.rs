//! PostgreSQL's values and macros in terms of the core.

pub mod array;
pub mod bounds;
pub mod column;
pub mod columns;
pub mod ffi;
pub mod included;
pub mod key;
pub mod place;
pub mod query;
pub mod text;
pub mod tuple;

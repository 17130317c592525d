//! PostgreSQL's values and macros in terms of the core.

pub mod column;
pub mod ffi;
pub mod key;

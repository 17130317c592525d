//! PostgreSQL's values, scan keys and macros in terms of the core.

pub mod array;
pub mod codec;
pub mod cross_type;
pub mod ffi;
pub mod scan_keys;

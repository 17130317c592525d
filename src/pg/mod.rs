//! PostgreSQL's values and macros in terms of the core.

pub mod bounds;
pub mod key;

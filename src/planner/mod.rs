//! What the planner learns about an index of this access method.
//!
//! [`cost`] estimates the cost of a scan. [`row_comparison`] makes index conditions of row
//! comparisons. This folder is also the place for
//! - statistics that an index can give the planner about its columns (`statistics.rs`),
//! - paths with executor nodes of this extension, which belong into a folder `exec/` beside this
//!   one.
//!
//! [`crate::pg::planner`] and [`crate::pg::node`] have the handles for the planner's structures.

pub mod cost;
pub mod row_comparison;

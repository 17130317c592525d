//! What the planner learns about an index of this access method.
//!
//! [`cost`] estimates the cost of a scan. This folder is also the place for
//! - statistics that an index can give the planner about its columns (`statistics.rs`),
//! - paths that the server does not propose by itself (`paths.rs`), whose executor nodes belong
//!   into a folder `exec/` beside this one,
//! - the hooks by which both reach the planner (`hooks.rs`).
//!
//! [`crate::pg::planner`] and [`crate::pg::node`] have the handles for the planner's structures.

pub mod cost;

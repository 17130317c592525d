//! The access method: one file for each group of callbacks.

pub mod build;
pub mod handler;
pub mod insert;
pub mod opclass;
pub mod parallel;
pub mod scan;
pub mod spill;
pub mod unique;
pub mod vacuum;
pub mod validate;

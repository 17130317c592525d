//! What a session keeps from one call to the next, and what sessions share.
//!
//! - [`cache`]: the model of an index, its root, and where inserts go.
//! - [`train`]: when an insert trains a new model.
//! - [`counters`]: what searches met.
//! - [`shared`]: the memory in which all sessions count together.

pub mod cache;
pub mod counters;
pub mod shared;
pub mod train;

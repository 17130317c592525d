//! What a session keeps: models, counters; and what sessions share.

pub mod cache;
pub mod counters;
pub mod shared;
pub mod train;

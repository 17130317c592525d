//! Entries to runs.
//!
//! - [`packer`]: [`Packer`](packer::Packer), sorted entries to full leaves (bulk build)
//! - `encoder`: entries to runs, in the fewest bits
//! - `partition`, `hull`: where one run ends and the next begins

pub(in crate::leaf) mod encoder;
mod hull;
pub mod packer;
pub(in crate::leaf) mod partition;

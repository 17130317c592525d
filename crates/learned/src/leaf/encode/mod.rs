//! Entries to runs.
//!
//! - [`packer`]: [`Packer`](packer::Packer), sorted entries to full leaves (bulk build)
//! - `encoder`: entries to runs, in the fewest bits that are found
//! - `partition`: where one run ends and the next one begins
//! - `columns`, `stats`, `hull`: what a partition knows of the entries
//! - `division`: common divisors, and divisions by them

mod columns;
mod division;
pub(in crate::leaf) mod encoder;
mod hull;
pub mod packer;
mod partition;
mod stats;

//! Changing a leaf.
//!
//! - `add`: which of the following an insert takes
//! - `patch`: changes of a few bytes: an append in place, an entry of the insert log
//! - [`contents`]: [`Contents`](contents::Contents), a leaf in memory, and to a page again
//! - `merge_log`: the insert log's entries into the runs; `ahead`: while others use the leaf
//! - `delete`, `remove`: entries of dead rows
//! - `split`, [`fill`]: one leaf to two, and two to one

mod add;
pub(in crate::leaf) mod ahead;
pub mod contents;
mod delete;
pub mod fill;
mod merge_log;
mod patch;
mod remove;
mod split;

pub use add::Added;

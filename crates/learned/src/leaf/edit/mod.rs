//! Changes of a leaf.
//!
//! - `add`: an insert, by the cheapest of the ways below
//! - `patch`: changes of a few bytes: an append in place, an entry of the insert log
//! - [`contents`]: [`Contents`](contents::Contents), a leaf in memory, and back to a page
//! - `merge_log`, `merge_region`: the entries of the insert log into the runs; `insert_points`:
//!   where they go
//! - `early_merge`: the same while other sessions use the leaf
//! - `delete`: entries of dead rows
//! - `split`: one leaf to two
//! - [`neighbours`]: two leaves to one, or entries from one to the other

mod add;
pub mod contents;
mod delete;
mod early_merge;
mod insert_points;
mod merge_log;
mod merge_region;
pub mod neighbours;
mod patch;
mod split;

pub use add::Added;

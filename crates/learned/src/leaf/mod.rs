//! Leaves: pages of entries, coded as runs of fixed-width records against lines.
//!
//! - [`format`]: the bytes of a page
//! - [`read`]: a leaf as it lies in the page: search, ranges, checks
//! - [`encode`]: entries to runs, and to full leaves
//! - [`edit`]: inserts, deletions, splits, merges
//!
//! ARCHITECTURE.md has the format.

mod edit;
mod encode;
mod format;
mod read;

#[cfg(test)]
mod tests;

pub use edit::Added;
pub use edit::contents::Contents;
pub use edit::fill::{DENSE, Fill};
pub use encode::packer::Packer;
pub use format::MAX_SLOTS;
pub use read::suspects::{Dead, Offsets, Suspect};
pub use read::verify::Verified;
pub use read::view::{Leaf, data_span};

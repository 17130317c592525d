//! Leaves: pages of entries, encoded as runs of records of fixed width against lines.
//!
//! - `format`: the bytes of a page
//! - `read`: search, ranges and checks of a leaf as it lies in the page
//! - `encode`: entries to runs, and to full leaves
//! - `edit`: inserts, deletions, splits, merges
//!
//! docs/format.md draws the page. The thresholds are in [`crate::policy::leaf`].

mod edit;
mod encode;
mod format;
mod read;

#[cfg(test)]
mod tests;

pub use edit::Added;
pub use edit::contents::Contents;
pub use edit::neighbours::Fill;
pub use encode::packer::Packer;
pub use format::data_span;
pub use read::suspects::{Dead, Offsets, Suspect};
pub use read::verify::Verified;
pub use read::view::Leaf;

//! The bytes of a leaf: offsets and limits, bit-packed records, the header and the slots of a run.
//!
//! - [`layout`]: where the parts of a page are, and how large they may become
//! - [`bits`]: records and bitmaps of a number of bits
//! - [`run`]: a run on a page: its header and single slots
//! - [`packed`]: a run in memory, with its own bytes

pub(in crate::leaf) mod bits;
mod layout;
pub(in crate::leaf) mod packed;
pub(in crate::leaf) mod run;

pub use layout::MAX_SLOTS;
pub(in crate::leaf) use layout::{Layout, UNIT};
pub(in crate::leaf) use packed::Packed;

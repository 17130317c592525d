//! The bytes of a leaf: where its parts are, bit-packed records, the header and the slots of a run.
//!
//! - [`layout`]: offsets and sizes of the parts of a page
//! - [`bits`]: fields and bitmaps that are a number of bits wide
//! - [`run`]: a run on a page: its header and single slots
//! - [`owned_run`]: a run in memory, with its own bytes

pub(in crate::leaf) mod bits;
mod layout;
pub(in crate::leaf) mod owned_run;
pub(in crate::leaf) mod run;

pub use layout::data_span;
pub(in crate::leaf) use layout::{Layout, bitmap_bytes};
pub(in crate::leaf) use owned_run::OwnedRun;

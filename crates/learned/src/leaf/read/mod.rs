//! Reads of a leaf from the bytes of its page. Nothing is unpacked beforehand.
//!
//! - [`view`]: [`Leaf`](view::Leaf), a leaf over the bytes of a page; the search for one entry
//! - `range`: the entries of a range, in either direction
//! - `seek`: the search in a run
//! - `decode`: the entries of many slots of a run
//! - [`suspects`]: the entries whose rows may be dead
//! - [`verify`]: all checks of a page

mod decode;
mod range;
mod seek;
pub mod suspects;
pub mod verify;
pub mod view;

//! Reading a leaf as it lies in the page: nothing is unpacked.
//!
//! - [`view`]: [`Leaf`](view::Leaf), a leaf over a page's bytes: search for an entry
//! - `range`: the entries of a range, in either direction
//! - `seek`, `decode`: search in a run; stretches of its slots
//! - [`suspects`]: entries whose rows may be dead
//! - [`verify`]: all checks of a page

mod decode;
mod range;
mod seek;
pub mod suspects;
pub mod verify;
pub mod view;

//! The model: from a key to the leaf that holds it, in one multiplication per stage.
//!
//! A recursive model index with measured error bounds. The last stage is a piecewise linear
//! function from a key's coordinate to the ordinal of its leaf; each stage above maps a coordinate
//! to the segment of the stage below, until at most [`layout::ROOT`] segments are left. All of it is
//! one flat run of bytes ([`layout`]), read in place by [`Model`] and written by [`Training`].
//!
//! A model of many leaves is divided, so that those who have no memory for it read one page of it: its leaves are cut into parts
//! ([`Training::parts`]), each of which is a model that fits a page, and its root ([`Training::root`]) is a model that finds the part.
//!
//! The model is advice. Its bytes may be stale or damaged: then [`Model::open`] refuses them or
//! [`Model::predict`] names a wrong leaf, which the fences on the page show.
//!
//! What "the leaf of a key" means: the leaf whose fences hold `Entry::floor(key)`, where a scan for
//! the key starts. Further entries of a key that fills many leaves stand to the right of it.

pub mod coordinate;
pub mod fit;
pub mod layout;
pub mod loaded;
pub mod report;
mod stages;
#[cfg(test)]
mod tests;
pub mod train;
mod verify;
pub mod view;

pub use loaded::Loaded;
pub use report::TrainingReport;
pub use train::{Samples, Training};
pub use verify::Mismatch;
pub use view::{Model, Prediction, Segment};

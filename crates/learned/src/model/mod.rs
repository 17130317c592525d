//! The model: from a key to the leaf that holds it, in one multiplication per stage.
//!
//! A recursive model index (T. Kraska et al., "The Case for Learned Index Structures", SIGMOD 2018)
//! with measured error bounds. The last stage is a piecewise linear function from a key's
//! coordinate ([`coordinate`]) to the ordinal of its leaf. Each stage above maps a coordinate to
//! the segment of the stage below, until at most [`crate::policy::model::MAX_ROOT_SEGMENTS`]
//! segments are left. The model is one sequence of bytes ([`layout`]), which [`Model`] reads in
//! place and [`Training`] writes.
//!
//! A model of many leaves is divided, so that a session without memory for all of it reads one page
//! of it. Its leaves are divided into parts ([`Training::parts`]), each of which is a model that
//! fits a page. Its root ([`Training::root`]) is a model that finds the part.
//!
//! The model is advice. Its bytes may be out of date or damaged: then [`Model::open`] refuses them,
//! or [`Model::predict`] names a wrong leaf, which the fences on the page show.
//!
//! *The leaf of a key* is the leaf whose fences hold `Entry::floor(key)`, where a scan for the key
//! starts. If a key fills many leaves, its other entries are to the right of this leaf.
//!
//! [`crate::policy::model`] has the thresholds.

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

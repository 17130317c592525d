//! What the model says about itself for people: how it was trained and how well it fits.

use bincode::config::{Configuration, Limit};
use serde::{Deserialize, Serialize};

use crate::policy::model::MAX_REPORT_BYTES;

/// The report of a training. For a divided model: of its root, whose points are the parts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainingReport {
    /// The time that the caller gave, in microseconds since the Unix epoch.
    pub trained_micros: i64,
    /// The duration of the training, in nanoseconds.
    pub nanoseconds: u64,
    /// Training points: leaves.
    pub points: u64,
    /// Points that were fitted: leaves that begin at a coordinate at which no other leaf begins.
    pub fitted: u64,
    /// Segments of each stage, root first.
    pub stages: Vec<u64>,
    /// Segments of the last stage whose keys are searched from the tree's root.
    pub searched: u64,
    /// Each leaf has a segment of its own, because the keys are too irregular for lines.
    pub exact: bool,
    /// Tolerance of the last stage's fit, in leaves; 0 for an exact one.
    pub epsilon: f64,
    /// Fitted points by the distance between line and point: `histogram[0]` counts those below
    /// 1/64 leaf, `histogram[i]` those from 2^(i-7) to 2^(i-6) leaves; the last has all the rest.
    pub histogram: [u64; 16],
}

impl TrainingReport {
    /// The class of [`TrainingReport::histogram`] for an error, in leaves.
    pub(super) fn class(error: f64) -> usize {
        (0..15)
            .find(|&i| error < f64::powi(2.0, i - 6))
            .unwrap_or(15) as usize
    }

    fn config() -> Configuration<
        bincode::config::LittleEndian,
        bincode::config::Varint,
        Limit<MAX_REPORT_BYTES>,
    > {
        bincode::config::standard().with_limit::<MAX_REPORT_BYTES>()
    }

    /// The report's bytes, by serde and bincode. Empty if that fails: then only the report is
    /// missing.
    pub(super) fn encode(&self) -> Vec<u8> {
        bincode::serde::encode_to_vec(self, Self::config()).unwrap_or_default()
    }

    /// Reads a report. None: the bytes are not one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (report, _) = bincode::serde::decode_from_slice(bytes, Self::config()).ok()?;
        Some(report)
    }
}

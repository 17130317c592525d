//! What the model says about itself, for people: how it was trained and how well it fits.

use bincode::config::{Configuration, Limit};
use serde::{Deserialize, Serialize};

/// Longest report accepted, so that damaged bytes cannot ask for much memory.
const LONGEST: usize = 4096;

/// How a training went; of a divided model that of its root, whose points are the parts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainingReport {
    /// When, in microseconds since the Unix epoch, as the caller said.
    pub trained_micros: i64,
    /// How long the training took, in nanoseconds.
    pub nanoseconds: u64,
    /// Training points: leaves.
    pub points: u64,
    /// Points that were fitted: leaves that begin at a coordinate of their own.
    pub fitted: u64,
    /// Segments of each stage, root first.
    pub stages: Vec<u64>,
    /// Segments of the last stage whose keys are searched in the tree.
    pub searched: u64,
    /// Whether each leaf has a segment of its own, the data being too irregular for lines.
    pub exact: bool,
    /// Tolerance of the last stage's fit, in leaves; 0 for an exact one.
    pub epsilon: f64,
    /// Fitted points by the distance between line and point: `histogram[0]` counts those below
    /// 1/64 leaf, `histogram[i]` those from 2^(i-7) to 2^(i-6) leaves; the last has all the rest.
    pub histogram: [u64; 16],
}

impl TrainingReport {
    /// The class of [`TrainingReport::histogram`] for an error of so many leaves.
    pub(super) fn class(error: f64) -> usize {
        (0..15)
            .find(|&i| error < f64::powi(2.0, i - 6))
            .unwrap_or(15) as usize
    }

    fn config()
    -> Configuration<bincode::config::LittleEndian, bincode::config::Varint, Limit<LONGEST>> {
        bincode::config::standard().with_limit::<LONGEST>()
    }

    /// Encoded with serde and bincode; empty if that fails, which costs the report only.
    pub(super) fn encode(&self) -> Vec<u8> {
        bincode::serde::encode_to_vec(self, Self::config()).unwrap_or_default()
    }

    /// None: the bytes are no report.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (report, _) = bincode::serde::decode_from_slice(bytes, Self::config()).ok()?;
        Some(report)
    }
}

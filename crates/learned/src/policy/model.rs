//! Thresholds of the model.
//!
//! Tests are named by their path below `crates/learned/src`, benchmarks by their command.

use crate::model::fit::UNIT;

// ---- Lines ----

/// Leaves by which a prediction may be off to either side; a segment with wider bounds makes no
/// predictions, and its keys are searched from the root.
///
/// - Higher: the bounds are searched further than a descent would cost.
/// - Lower: more keys are searched from the root.
/// - Test: `model/tests/bounds.rs`, `uniform_keys_are_predicted_exactly` and the table printed by
///   `table`.
pub const MAX_BOUND_LEAVES: u32 = 4;

/// Tolerance of the stages above the last one, in positions. Each position more widens the search
/// in the first coordinates by two; each position less makes the stage longer.
///
/// - Test: `model/tests/fitting.rs`, `stages_narrow_down_to_a_small_root`.
/// - Benchmark: `cargo bench -p learned --bench model`.
pub const UPPER_TOLERANCE: i64 = 2;

/// Added to the intercepts of lines, in positions, so that a line through the points does not fall
/// just short of them. It is far above the rounding error and far below the distance of two keys.
///
/// - Test: `model/tests/bounds.rs`, `even_keys_need_two_segments_and_are_exact`.
pub const INTERCEPT_NUDGE: f64 = 1.0 / (1 << 20) as f64;

/// First tolerance tried for the last stage, in [`UNIT`]s: 1/32 leaf. About half of that is the
/// share of keys that are sent to a neighbour.
///
/// - Higher: more keys read a second leaf.
/// - Lower: more segments, and more indexes whose model stores each leaf's first coordinate.
/// - Test: `tree/tests/pages_read.rs`, `jitter_needs_no_exact_model`.
pub const MIN_TOLERANCE: i64 = UNIT / 32;

/// Last tolerance tried for the last stage, in [`UNIT`]s: with 64 leaves each line covers at least
/// 128 points.
///
/// - Test: `model/tests/bounds.rs`, `hold_for_one_word`.
pub const MAX_TOLERANCE: i64 = 64 * UNIT;

/// Leaves for each segment of the last stage, at least, if lines are to be used: four leaves' first
/// coordinates take the 32 bytes of one segment.
///
/// - Higher: more models store each leaf's first coordinate.
/// - Lower: lines take more room than those.
/// - Test: `model/tests/serialized.rs`, `the_model_is_under_one_percent`.
pub const MIN_LEAVES_PER_SEGMENT: usize = 4;

/// Segments that the last stage may have beyond [`MIN_LEAVES_PER_SEGMENT`], so that small indexes
/// get lines.
///
/// - Test: `model/tests/bounds.rs`, `hold_for_tiny_indexes`.
pub const EXTRA_SEGMENTS: usize = 8;

/// Segments that a stage may have to be searched without a stage above it.
///
/// - Higher: more comparisons in each search.
/// - Lower: more stages.
/// - Test: `model/tests/fitting.rs`, `stages_narrow_down_to_a_small_root`.
/// - Benchmark: `cargo bench -p learned --bench model`.
pub const MAX_ROOT_SEGMENTS: usize = 32;

/// First coordinates that a search of an upper stage compares at once: about as many as the bounds
/// of [`UPPER_TOLERANCE`] leave. A power of two.
///
/// - Benchmark: `cargo bench -p learned --bench model`.
pub const SEARCH_WINDOW: usize = 8;

// ---- Samples ----

/// Leaves that sample keys are taken from, at least, where the index has as many; at most twice
/// that.
///
/// - Higher: a build and a training read more.
/// - Lower: clustered keys are more often taken for keys near a line.
/// - Test: `tree/tests/pages_read.rs`, `one_page_after_a_build`.
pub const MIN_SAMPLED_LEAVES: usize = 32;

/// Keys sampled from one leaf, at most.
///
/// - Higher: a training decodes more.
/// - Lower: as for [`MIN_SAMPLED_LEAVES`].
/// - Test: `tree/tests/pages_read.rs`, `one_page_after_a_build`.
pub const MAX_KEYS_PER_LEAF: usize = 16;

/// Lines are given up where more than one sampled key in this many would be sent to another leaf.
///
/// - Higher: more models store each leaf's first coordinate.
/// - Lower: more searches read two leaves.
/// - Test: `tree/tests/pages_read.rs`, `one_page_after_a_build`, `jitter_needs_no_exact_model`.
pub const MIN_KEYS_PER_STRAY: usize = 64;

// ---- Division ----

/// Bytes of a model above which it is divided into parts of a page, so that a session without
/// memory for the model reads one page of it. In builds for tests on servers every model is
/// divided.
///
/// - Higher: sessions without that memory descend from the root in larger indexes.
/// - Lower: more predictions go through two models.
/// - Test: `tree/tests/pages_read.rs`, `one_page_more_without_memory`.
pub const MAX_UNDIVIDED_BYTES: usize = if cfg!(feature = "testing") {
    0
} else if cfg!(test) {
    512
} else {
    64 << 10
};

/// Leaves of one part of a divided model. With 12 bytes each (first coordinate and block) and the
/// stages above them, 448 leaves fill most of a page.
///
/// - Higher: a part no longer fits a page.
/// - Lower: more parts.
/// - Test: `tree/tests/pages_read.rs`, `bounds_hold_at_the_edges_of_parts`.
pub const PART_LEAVES: usize = if cfg!(feature = "testing") {
    4
} else if cfg!(test) {
    16
} else {
    448
};

// ---- Report ----

/// Bytes of the longest training report that is read, so that damaged bytes cannot ask for much
/// memory.
///
/// - Test: `model/tests/damage.rs`, `flipped_bits`.
pub const MAX_REPORT_BYTES: usize = 4096;

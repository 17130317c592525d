//! The model's bytes. All integers are little-endian, nothing is aligned.
//!
//! ```text
//!        0       1       2       3       4       5       6       7
//!      +-------------------------------+---------------+-------+-------+
//!    0 | magic "OLM1"                  | version       | words | stages|
//!      +-------------------------------+---------------+-------+-------+
//!    8 | generation                                                    |
//!      +-------------------------------+-------------------------------+
//!   16 | length of the model           | leaves                        |
//!      +-------------------------------+-------------------------------+
//!   24 | block of leaf 0 (1)           | offset of the directory (2)   |
//!      +-------------------------------+-------------------------------+
//!   32 | offset of the report          | length of the report          |
//!      +-------------------------------+-------+-------+---------------+
//!   40 | offset of the axes (3)        | exact | below | part (4)      |
//!      +-------------------------------+-------+-------+---------------+
//!   48 | offset of stage 0, the root   | segments of stage 0           |
//!      |   ... 10 stages ...           |                               |
//!      +-------------------------------+-------------------------------+
//!  128 | each stage: the first coordinates of its segments, 8 bytes    |
//!      | each, then their lines, 24 bytes each (5)                     |
//!      +---------------------------------------------------------------+
//!      | axes: 40 bytes for each word                                  |
//!      +---------------------------------------------------------------+
//!      | directory: the block of each leaf, u32                        |
//!      +---------------------------------------------------------------+
//!      | report                                                        |
//!      +---------------------------------------------------------------+
//! ```
//! 1. In the root of a divided model: all blocks of leaves are below this one.
//! 2. 0: there is no directory, and leaf `j` is block of leaf 0 + `j`. In the root of a divided
//!    model the directory has the blocks of the parts.
//! 3. 0: the keys have one word, which is the coordinate.
//! 4. Leaves of a part. 0: the model is undivided. Else the positions of the last stage are parts.
//! 5. *exact* = 1: the last stage has the first coordinates of all leaves and no lines. The true
//!    leaf is at most *below* leaves to the left of the one found.
//!
//! The first coordinates of a stage are stored together because a search compares several of them
//! and then reads a single line.

/// "OLM1" in memory order.
pub const MAGIC: u32 = u32::from_le_bytes(*b"OLM1");
/// Version of this format. A model of another version is ignored, and the next training replaces
/// it.
pub const VERSION: u16 = 2;
/// Bytes of the header.
pub const HEAD: usize = 128;
/// Stages of a model, at most. Each has at most 1/9 of the segments of the stage below, so ten
/// cover every index.
pub const MAX_STAGES: usize = 10;
/// Bytes of a segment: first coordinate and line.
pub const SEGMENT: usize = KEY + LINE;
/// Bytes of a segment's first coordinate.
pub const KEY: usize = 8;
/// Bytes of a segment's line.
pub const LINE: usize = 24;
/// Line flag: the bounds are wider than [`crate::policy::model::MAX_BOUND_LEAVES`], so keys of this
/// segment are searched from the tree's root.
pub const SEARCH_TREE: u16 = 1;

/// Offsets in the header.
pub mod head {
    /// Magic.
    pub const MAGIC: usize = 0;
    /// Format version.
    pub const VERSION: usize = 4;
    /// Words per key.
    pub const WORDS: usize = 6;
    /// Number of stages.
    pub const STAGES: usize = 7;
    /// Generation.
    pub const GENERATION: usize = 8;
    /// Length of the whole.
    pub const LENGTH: usize = 16;
    /// Number of leaves.
    pub const LEAVES: usize = 20;
    /// Block of leaf 0.
    pub const FIRST_BLOCK: usize = 24;
    /// Offset of the directory.
    pub const DIRECTORY: usize = 28;
    /// Offset of the report.
    pub const REPORT: usize = 32;
    /// Length of the report.
    pub const REPORT_LENGTH: usize = 36;
    /// Offset of the axes.
    pub const AXES: usize = 40;
    /// Whether the last stage is exact; its bound below.
    pub const EXACT: usize = 44;
    /// Leaves per part.
    pub const PART: usize = 46;
    /// The table of stages.
    pub const TABLE: usize = 48;
}

/// `N` bytes of a fixed-size array from `at` on; zeros if they reach beyond its end. With a
/// constant `at` the compiler removes the check.
#[inline(always)]
pub fn field<const N: usize, const M: usize>(bytes: &[u8; M], at: usize) -> [u8; N] {
    match bytes.get(at..).and_then(|s| s.first_chunk()) {
        Some(b) => *b,
        None => [0; N],
    }
}

/// A u32 of a fixed-size array.
#[inline(always)]
pub fn u32_of<const M: usize>(bytes: &[u8; M], at: usize) -> u32 {
    u32::from_le_bytes(field(bytes, at))
}

/// A u64 of a fixed-size array.
#[inline(always)]
pub fn u64_of<const M: usize>(bytes: &[u8; M], at: usize) -> u64 {
    u64::from_le_bytes(field(bytes, at))
}

/// The straight line of one segment, and its measured error.
///
/// Bytes: slope f64, intercept f32, first u32, covered u32, below u8, above u8, flags u16.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Line {
    /// Positions per unit of the coordinate.
    pub slope: f64,
    /// Position at the segment's first coordinate, relative to `first`.
    pub intercept: f32,
    /// First position the segment covers: a leaf's ordinal, or a segment of the stage below.
    pub first: u32,
    /// Number of positions covered.
    pub covered: u32,
    /// The true position is at most this much below the guess.
    pub below: u8,
    /// The true position is at most this much above the guess.
    pub above: u8,
    /// [`SEARCH_TREE`].
    pub flags: u16,
}

impl Line {
    /// The guess for a coordinate `dx` above the segment's first one, always within the positions
    /// covered. If the slope is not negative, the guess never falls while `dx` rises, since each
    /// step of the calculation rounds monotonically; the measured bounds rely on that. Infinities
    /// and NaN give the first or the last position.
    #[inline(always)]
    pub fn guess(&self, dx: u64) -> u32 {
        self.guess_within(dx).0
    }

    /// The guess, and the place of the line between the guess and the next position: 0 to 1, or
    /// beyond if the line leaves the positions covered.
    #[inline(always)]
    pub fn guess_within(&self, dx: u64) -> (u32, f32) {
        let at = self.slope * dx as f64 + f64::from(self.intercept);
        // The cast saturates: below 0 and NaN give 0.
        let offset = (at as u32).min(self.covered.saturating_sub(1));
        let within = (at - f64::from(offset)) as f32;
        (self.first.saturating_add(offset), within)
    }

    /// The unrounded guess, relative to `first`.
    pub fn at(&self, dx: u64) -> f64 {
        self.slope * dx as f64 + f64::from(self.intercept)
    }

    /// Reads a line.
    #[inline(always)]
    pub fn read(b: &[u8; LINE]) -> Self {
        let bounds = u32_of(b, 20);
        Self {
            slope: f64::from_bits(u64_of(b, 0)),
            intercept: f32::from_bits(u32_of(b, 8)),
            first: u32_of(b, 12),
            covered: u32_of(b, 16),
            below: bounds as u8,
            above: (bounds >> 8) as u8,
            flags: (bounds >> 16) as u16,
        }
    }

    /// Appends the line's bytes.
    pub fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.slope.to_le_bytes());
        to.extend_from_slice(&self.intercept.to_le_bytes());
        to.extend_from_slice(&self.first.to_le_bytes());
        to.extend_from_slice(&self.covered.to_le_bytes());
        to.extend_from_slice(&[self.below, self.above]);
        to.extend_from_slice(&self.flags.to_le_bytes());
    }
}

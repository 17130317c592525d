//! The model's bytes. All integers are little-endian, nothing is aligned.
//!
//! ```text
//!    0  magic u32, version u16, words per key u8, number of stages u8
//!    8  generation u64
//!   16  length of all of it u32, leaves u32
//!   24  block of leaf 0 u32, offset of the directory u32 (0: leaf j is block of leaf 0 + j)
//!       (the root of a divided model: all leaves are below the first block; the directory has the parts')
//!   32  report: offset u32, length u32
//!   40  offset of the axes u32 (0: one word, which is the coordinate)
//!   44  the last stage is exact u8 (0 or 1), its bound below u8
//!       leaves per part u16 (0: in one piece; else the last stage's positions are parts)
//!   48  stages, root first: 10 x (offset u32, segments u32)
//!  128  stages: first coordinates (8 bytes each) of all segments, then their lines (24 bytes each)
//!       (an exact last stage: first coordinates of all leaves, no lines)
//!       axes: 40 bytes a word
//!       directory: a u32 block a leaf
//!       report
//! ```
//! A stage's first coordinates stand by themselves because a search compares several of them and
//! then reads a single line.

/// "OLM1" in memory order.
pub const MAGIC: u32 = u32::from_le_bytes(*b"OLM1");
/// Version of this format.
pub const VERSION: u16 = 2;
/// Bytes of the header.
pub const HEAD: usize = 128;
/// Most stages there can be. Each is at most 1/9 of the one below, so ten cover any index.
pub const STAGES: usize = 10;
/// A stage of at most so many segments is searched without a stage above it.
pub const ROOT: usize = 32;
/// Bytes of a segment: first coordinate and line.
pub const SEGMENT: usize = KEY + LINE;
/// Bytes of a segment's first coordinate.
pub const KEY: usize = 8;
/// Bytes of a segment's line.
pub const LINE: usize = 24;
/// Line flag: the bounds are too wide to be of use.
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

/// `N` bytes of a fixed-size array from `at` on; zeros beyond its end. With a constant `at` the
/// check disappears.
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

/// The straight line of one segment, and what is known of its error.
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
    /// The guess for a coordinate `dx` above the segment's first, always within the positions
    /// covered. It never falls while `dx` rises if the slope is not negative, since each step
    /// rounds monotonically; the measured bounds rely on that. Infinities and NaN end at one of the ends.
    #[inline(always)]
    pub fn guess(&self, dx: u64) -> u32 {
        self.guess_within(dx).0
    }

    /// The guess, and where between it and the next position the line really is (0 to 1, or beyond
    /// where the line leaves the positions covered).
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

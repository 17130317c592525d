//! Reading the model in place.
//!
//! The bytes may be damaged: every offset is checked, every result is clamped, and if a wrong bound
//! misleads a search, it is repeated over the whole stage.

use super::coordinate::{self, AXIS, Axis};
use super::layout::{
    HEAD, KEY, LINE, Line, MAGIC, MAX_STAGES, SEARCH_TREE, SEGMENT, VERSION, field, head, u32_of,
    u64_of,
};
use super::report::TrainingReport;
use crate::page::Block;
use crate::policy::model::SEARCH_WINDOW;

/// A view of a model's bytes, which need no alignment.
#[derive(Debug, Clone, Copy)]
pub struct Model<'a> {
    head: &'a [u8; HEAD],
    bytes: &'a [u8],
}

/// Where the model expects a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The leaf, counted in key order from 0; below [`Model::positions`].
    pub ordinal: u32,
    /// When the model was trained, the key's leaf was at most this many leaves to the left; at most
    /// `ordinal`.
    pub below: u32,
    /// When the model was trained, the key's leaf was at most this many leaves to the right; within
    /// the leaves.
    pub above: u32,
    /// The approximate place in the leaf: 0 at its first entry, 1 behind its last. For prefetching
    /// only.
    pub within: f32,
}

/// One segment, for inspection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// First coordinate; the segment ends at that of the next.
    pub first_x: u64,
    /// Positions per unit of the coordinate.
    pub slope: f64,
    /// Position at `first_x`, relative to `first`.
    pub intercept: f64,
    /// First position: a leaf's ordinal in the last stage, else a segment of the next.
    pub first: u32,
    /// Number of positions.
    pub covered: u32,
    /// Measured: the true position is at most this far below the guess (255: or further).
    pub below: u32,
    /// Measured: the true position is at most this far above the guess (255: or further).
    pub above: u32,
    /// The bounds are too wide: its keys are searched from the tree's root.
    pub search_tree: bool,
}

/// A stage's first coordinates and lines.
#[derive(Clone, Copy)]
struct Stage<'a> {
    keys: &'a [[u8; KEY]],
    lines: &'a [[u8; LINE]],
}

impl<'a> Model<'a> {
    /// A view of the model at the start of `bytes`; bytes behind it are ignored. Checks the header,
    /// and that all sections lie within the model, but not their contents. None: not a model of
    /// this version.
    #[inline(always)]
    pub fn open(bytes: &'a [u8]) -> Option<Self> {
        let head: &[u8; HEAD] = bytes.first_chunk()?;
        let marks = u64::from(MAGIC) | u64::from(VERSION) << 32;
        if u64_of(head, head::MAGIC) & 0xFFFF_FFFF_FFFF != marks {
            return None;
        }
        let bytes = bytes.get(..u32_of(head, head::LENGTH) as usize)?;
        let model = Self { head, bytes };
        let fits = |at: usize, len: usize| at.saturating_add(len) <= bytes.len();
        let sound = model.words() >= 1
            && model.stages() <= MAX_STAGES
            && (0..model.stages()).all(|i| {
                let (at, count) = model.stage_at(i);
                fits(at, count.saturating_mul(model.segment_bytes(i)))
            })
            && (model.words() == 1 || fits(model.at(head::AXES), model.words() * AXIS))
            && (model.at(head::DIRECTORY) == 0
                || fits(model.at(head::DIRECTORY), model.positions() as usize * 4))
            && fits(model.at(head::REPORT), model.at(head::REPORT_LENGTH));
        sound.then_some(model)
    }

    /// The generation given to the training.
    pub fn generation(&self) -> u64 {
        u64_of(self.head, head::GENERATION)
    }

    /// Number of leaves that the model was trained on.
    pub fn leaves(&self) -> u32 {
        u32_of(self.head, head::LEAVES)
    }

    /// Leaves of each part of a divided model; the last part may have fewer. 0: the model is
    /// undivided.
    #[inline(always)]
    pub fn part_leaves(&self) -> u32 {
        u16::from_le_bytes(field(self.head, head::PART)).into()
    }

    /// Number of positions that are predicted: leaves, or the parts of a divided model.
    #[inline(always)]
    pub fn positions(&self) -> u32 {
        match self.part_leaves() {
            0 => self.leaves(),
            part => self.leaves().div_ceil(part),
        }
    }

    /// A bound for the blocks of a divided model's leaves: all are below it.
    pub fn block_bound(&self) -> Block {
        u32_of(self.head, head::FIRST_BLOCK)
    }

    /// Words per key.
    pub fn words(&self) -> usize {
        field::<1, HEAD>(self.head, head::WORDS)[0].into()
    }

    /// Number of stages; 0 for an empty model.
    pub fn stages(&self) -> usize {
        field::<1, HEAD>(self.head, head::STAGES)[0].into()
    }

    /// Number of segments of the last stage.
    pub fn segments(&self) -> usize {
        let last = self.stages().checked_sub(1);
        last.map_or(0, |i| self.stage_segments(i))
    }

    /// Number of segments of a stage, counted from the root; 0 if there is no such stage.
    pub fn stage_segments(&self, stage: usize) -> usize {
        if stage < self.stages() {
            self.stage_at(stage).1
        } else {
            0
        }
    }

    /// Length of the model in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    #[inline(always)]
    fn at(&self, field: usize) -> usize {
        u32_of(self.head, field) as usize
    }

    #[inline(always)]
    fn stage_at(&self, i: usize) -> (usize, usize) {
        (
            self.at(head::TABLE + 8 * i),
            self.at(head::TABLE + 8 * i + 4),
        )
    }

    /// Whether stage `i` has first coordinates only: one for each leaf.
    #[inline(always)]
    fn is_exact(&self, i: usize) -> bool {
        i + 1 == self.stages() && field::<1, HEAD>(self.head, head::EXACT)[0] != 0
    }

    #[inline(always)]
    fn segment_bytes(&self, i: usize) -> usize {
        if self.is_exact(i) { KEY } else { SEGMENT }
    }

    #[inline(always)]
    fn stage(&self, i: usize) -> Option<Stage<'a>> {
        let (at, count) = self.stage_at(i);
        let all = self.bytes.get(at..)?;
        let all = all.get(..count.checked_mul(self.segment_bytes(i))?)?;
        let (keys, lines) = all.split_at_checked(count * KEY)?;
        Some(Stage {
            keys: keys.as_chunks().0,
            lines: lines.as_chunks().0,
        })
    }

    /// The leaf where the entries of `key` begin. None: no prediction, because the keys around it
    /// are too irregular, or the key has another number of words, or the bytes are damaged.
    #[inline(always)]
    pub fn predict<const W: usize>(&self, key: &[u64; W]) -> Option<Prediction> {
        if W != self.words() {
            return None;
        }
        let (line, ordinal, within) = self.locate(self.coordinate(key))?;
        if line.flags & SEARCH_TREE != 0 {
            return None;
        }
        let last = self.positions().checked_sub(1)?;
        let ordinal = ordinal.min(last);
        Some(Prediction {
            ordinal,
            below: u32::from(line.below).min(ordinal),
            above: u32::from(line.above).min(last - ordinal),
            within,
        })
    }

    /// The line that covers this leaf alone.
    #[inline(always)]
    fn exact_line(&self, ordinal: usize) -> Line {
        Line {
            first: ordinal as u32,
            covered: 1,
            below: field::<2, HEAD>(self.head, head::EXACT)[1],
            ..Line::default()
        }
    }

    /// The last stage's line for a coordinate, its guess, and where the line is within the leaf.
    #[inline(always)]
    fn locate(&self, x: u64) -> Option<(Line, u32, f32)> {
        let stages = self.stages();
        let (mut from, mut to) = (0, usize::MAX);
        for i in 0..stages {
            let stage = self.stage(i)?;
            let segment = stage.find(x, from, to)?;
            if self.is_exact(i) {
                let within = stage.within(x, segment);
                return Some((self.exact_line(segment), segment as u32, within));
            }
            let line = Line::read(stage.lines.get(segment)?);
            let first = u64::from_le_bytes(*stage.keys.get(segment)?);
            let (guess, within) = line.guess_within(x.saturating_sub(first));
            if i + 1 == stages {
                return Some((line, guess, within));
            }
            from = (guess as usize).saturating_sub(line.below.into());
            to = (guess as usize) + usize::from(line.above) + 1;
        }
        None
    }

    /// The line that predicts a key, and its guess, even where [`Self::predict`] would clamp or
    /// return None.
    pub(super) fn predict_unclamped<const W: usize>(&self, key: &[u64; W]) -> Option<(Line, u32)> {
        self.locate(self.coordinate(key))
            .map(|(line, guess, _)| (line, guess))
    }

    /// The block of a leaf, or of a part of a divided model. None: there is no such leaf or part.
    #[inline(always)]
    pub fn block(&self, ordinal: u32) -> Option<Block> {
        if ordinal >= self.positions() {
            return None;
        }
        let directory = self.at(head::DIRECTORY);
        if directory == 0 {
            return u32_of(self.head, head::FIRST_BLOCK).checked_add(ordinal);
        }
        let block = self.bytes.get(directory..)?.get(ordinal as usize * 4..)?;
        block.first_chunk().map(|b| u32::from_le_bytes(*b))
    }

    /// The leaf with this block, if the model knows it. Reads the whole directory.
    pub fn ordinal(&self, block: Block) -> Option<u32> {
        if self.at(head::DIRECTORY) == 0 {
            let first = u32_of(self.head, head::FIRST_BLOCK);
            return block.checked_sub(first).filter(|&i| i < self.positions());
        }
        (0..self.positions()).find(|&i| self.block(i) == Some(block))
    }

    /// The coordinate of a key: see [`coordinate`](super::coordinate).
    #[inline(always)]
    pub fn coordinate<const W: usize>(&self, key: &[u64; W]) -> u64 {
        if W == 1 {
            return key[0];
        }
        let axes = self.bytes.get(self.at(head::AXES)..).unwrap_or_default();
        coordinate::coordinate(axes.as_chunks().0.iter().map(Axis::read), key)
    }

    /// The key at a coordinate, for inspection. A word outside the range observed in training
    /// becomes the nearest word inside. None: the keys have another number of words.
    pub fn key_at<const W: usize>(&self, x: u64) -> Option<[u64; W]> {
        if W != self.words() {
            return None;
        }
        let axes = self.bytes.get(self.at(head::AXES)..).unwrap_or_default();
        let axes = axes.as_chunks().0.iter().map(Axis::read);
        Some(coordinate::key_at(axes, x))
    }

    /// A segment, for inspection. Stage 0 is the root. None: there is no such segment.
    pub fn segment(&self, stage: usize, i: usize) -> Option<Segment> {
        if stage >= self.stages() {
            return None;
        }
        let exact = self.is_exact(stage);
        let stage = self.stage(stage)?;
        let first_x = u64::from_le_bytes(*stage.keys.get(i)?);
        let line = if exact {
            self.exact_line(i)
        } else {
            Line::read(stage.lines.get(i)?)
        };
        Some(Segment {
            first_x,
            slope: line.slope,
            intercept: line.intercept.into(),
            first: line.first,
            covered: line.covered,
            below: line.below.into(),
            above: line.above.into(),
            search_tree: line.flags & SEARCH_TREE != 0,
        })
    }

    /// The report of the training. None: its bytes are damaged.
    pub fn report(&self) -> Option<TrainingReport> {
        let report = self.bytes.get(self.at(head::REPORT)..)?;
        TrainingReport::decode(report.get(..self.at(head::REPORT_LENGTH))?)
    }
}

impl Stage<'_> {
    /// The segment of `x`: the last one that begins at or below it. It is expected in `from..to`.
    #[inline(always)]
    fn find(&self, x: u64, from: usize, to: usize) -> Option<usize> {
        let len = self.keys.len();
        let to = to.min(len);
        let from = from.min(to.checked_sub(1)?);
        let i = if to - from <= SEARCH_WINDOW && len >= SEARCH_WINDOW {
            // To compare more keys than asked for does no harm.
            let from = from.min(len - SEARCH_WINDOW);
            from + last_of_window(self.keys.get(from..)?.first_chunk()?, x)
        } else {
            from + last_at_or_below(self.keys.get(from..to)?, x)
        };
        let key = |i: usize| self.keys.get(i).map(|k| u64::from_le_bytes(*k));
        let here = i == 0 || key(i)? <= x;
        let next = key(i + 1).is_none_or(|k| x < k);
        Some(if here && next {
            i
        } else {
            self.find_anywhere(x)
        })
    }

    /// How far (0 to 1) `x` is from the segment's first coordinate to the next one's.
    #[inline(always)]
    fn within(&self, x: u64, segment: usize) -> f32 {
        let first = |i: usize| self.keys.get(i).map(|key| u64::from_le_bytes(*key));
        match (first(segment), first(segment + 1)) {
            (Some(from), Some(to)) if from < to => {
                x.saturating_sub(from) as f32 / (to - from) as f32
            }
            _ => 0.5,
        }
    }

    /// Bounds measured in training never lead here; damaged bounds do.
    #[cold]
    #[inline(never)]
    fn find_anywhere(&self, x: u64) -> usize {
        last_at_or_below(self.keys, x)
    }
}

const _: () = assert!(SEARCH_WINDOW == 8, "last_of_window takes three steps");

/// Index of the last key at or below `x`; 0 if there is none. Always the same three steps.
#[inline(always)]
fn last_of_window(keys: &[[u8; KEY]; SEARCH_WINDOW], x: u64) -> usize {
    let step = |at: usize, width: usize| {
        let key = u64::from_le_bytes(keys[(at + width) & (SEARCH_WINDOW - 1)]);
        at + width * usize::from(key <= x)
    };
    step(step(step(0, 4), 2), 1)
}

/// Index of the last key at or below `x`; 0 if there is none. The number of steps depends on the
/// length alone. Each step is a conditional move, since branches here are unpredictable.
#[inline(always)]
fn last_at_or_below(keys: &[[u8; KEY]], x: u64) -> usize {
    let mut at = 0;
    let mut len = keys.len();
    while len > 1 {
        let half = len / 2;
        let key = keys
            .get(at + half)
            .map_or(u64::MAX, |k| u64::from_le_bytes(*k));
        at = std::hint::select_unpredictable(key <= x, at + half, at);
        len -= half;
    }
    at
}

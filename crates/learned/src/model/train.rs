//! Training: from the leaves' low fences to the model's bytes.

use std::time::Instant;

use super::coordinate::{self, Axis};
use super::fit::UNIT;
use super::layout::{HEAD, MAGIC, MAX_STAGES, SEARCH_TREE, SEGMENT, VERSION, head};
use super::report::TrainingReport;
use super::stages::{self, Piece, Step};
use crate::error::Result;
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::page::Block;
use crate::policy::model::{
    EXTRA_SEGMENTS, MAX_BOUND_LEAVES, MAX_KEYS_PER_LEAF, MAX_TOLERANCE, MIN_KEYS_PER_STRAY,
    MIN_LEAVES_PER_SEGMENT, MIN_SAMPLED_LEAVES, MIN_TOLERANCE, PART_LEAVES,
};

/// Keys of some leaves, which are taken evenly although their final number is not known in advance.
///
/// Fences near a line do not mean that the keys between them are near it: where keys are in
/// clusters, half a leaf of them can lie between line and fence.
#[derive(Debug, Clone)]
pub struct Samples<const W: usize> {
    stride: u32,
    leaves: usize,
    keys: Vec<(u32, [u64; W])>,
}

impl<const W: usize> Default for Samples<W> {
    fn default() -> Self {
        Self {
            stride: 1,
            leaves: 0,
            keys: Vec::new(),
        }
    }
}

impl<const W: usize> Samples<W> {
    /// Whether the leaf of this ordinal is one to take samples from with [`Samples::add`].
    pub fn wants(&self, ordinal: u32) -> bool {
        ordinal.is_multiple_of(self.stride)
    }

    /// Adds some of a leaf's keys. Leaves are added in key order.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read.
    pub fn add(&mut self, ordinal: u32, leaf: &Leaf<'_, W>) -> Result<()> {
        let low = leaf.low();
        // Keys beside the fences are sent to a wrong leaf more often than others.
        let some = leaf.middles(MAX_KEYS_PER_LEAF)?.into_iter();
        // If the leaf begins amid the entries of a key, a search for that key ends in the leaf
        // before.
        let some = some.filter(|entry| entry.key > low.key || low.tie == 0);
        self.keys.extend(some.map(|entry| (ordinal, entry.key)));
        self.leaves += 1;
        if self.leaves >= 2 * MIN_SAMPLED_LEAVES {
            self.leaves /= 2;
            self.stride *= 2;
            let stride = self.stride;
            self.keys.retain(|(i, _)| i.is_multiple_of(stride));
        }
        Ok(())
    }
}

/// The last stage.
enum LastStage {
    /// Lines within this tolerance, in 1/[`UNIT`] leaf.
    Lines(i64, Vec<Piece>),
    /// The coordinate where each leaf begins. If several leaves share one, the last of them is
    /// found; the true leaf is at most `below` leaves to its left.
    Leaves { begins: Vec<u64>, below: u8 },
}

/// Collects the leaves of an index in key order, then fits a model to them.
///
/// Memory: an entry and a block for each leaf, and for a time 24 bytes and more for each leaf.
#[derive(Debug, Clone, Default)]
pub struct Training<const W: usize> {
    points: Vec<(Entry<W>, Block)>,
    /// Keys that lines are tested with.
    pub samples: Samples<W>,
    /// For the root of a divided model: the number of leaves of all parts, and a bound for their
    /// blocks.
    over: Option<(u32, Block)>,
}

impl<const W: usize> Training<W> {
    /// No leaves yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next leaf: its low fence and its block. A leaf out of order is left out of the fit,
    /// but has its ordinal.
    pub fn push(&mut self, low: &Entry<W>, block: Block) {
        self.points.push((*low, block));
    }

    /// Number of leaves so far.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Low fence and block of a leaf.
    pub fn leaf(&self, ordinal: u32) -> Option<&(Entry<W>, Block)> {
        self.points.get(ordinal as usize)
    }

    /// Whether there are no leaves yet.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Fits the model and returns its bytes. `now_micros`, in microseconds since the Unix epoch,
    /// only goes into the report. For more than 2^32 - 2 leaves or 4 GB, [`super::Model::open`]
    /// refuses the bytes.
    pub fn finish(&self, generation: u64, now_micros: i64) -> Vec<u8> {
        let begun = Instant::now();
        // The leftmost fence is minus infinity, not an observation.
        let axes = coordinate::axes(self.points.iter().skip(1).map(|(low, _)| &low.key));
        let (steps, begins) = self.steps(&axes);
        let last = self.last_stage(&steps, begins, &axes);
        let mut report = TrainingReport {
            trained_micros: now_micros,
            points: self.points.len() as u64,
            fitted: steps.len() as u64,
            exact: matches!(last, LastStage::Leaves { .. }),
            ..TrainingReport::default()
        };
        let mut exact = None;
        let stages = match last {
            LastStage::Lines(tolerance, lines) => {
                let wide = lines.iter().filter(|(_, l)| l.flags & SEARCH_TREE != 0);
                report.searched = wide.count() as u64;
                report.epsilon = tolerance as f64 / UNIT as f64;
                report.histogram = stages::histogram(&lines, &steps);
                let mut stages = stages::upper_stages(stages::positions(&lines), lines.len());
                if !lines.is_empty() {
                    stages.push(lines);
                }
                stages
            }
            LastStage::Leaves { begins, below } => {
                report.histogram[0] = report.fitted;
                let steps = steps.iter().map(|s| Step::sharp(s.x, s.hi)).collect();
                let count = begins.len();
                exact = Some((begins, below));
                stages::upper_stages(steps, count)
            }
        };
        let leaves = exact.as_ref().map(|(begins, _)| begins.len());
        let counts = stages.iter().map(Vec::len).chain(leaves);
        report.stages = counts.map(|n| n as u64).collect();
        let mut bytes = self.serialize(generation, &axes, &stages, exact);
        report.nanoseconds = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let report = report.encode();
        let at = bytes.len();
        bytes.extend_from_slice(&report);
        set(&mut bytes, head::REPORT, at);
        set(&mut bytes, head::REPORT_LENGTH, report.len());
        let length = bytes.len();
        set(&mut bytes, head::LENGTH, length);
        bytes
    }

    /// The parts of a divided model, each a model of [`PART_LEAVES`] adjacent leaves. The first
    /// leaf of each part begins at minus infinity: the root separates its keys from those before.
    pub fn parts(&self, generation: u64, now_micros: i64) -> Vec<Vec<u8>> {
        let parts = self.points.chunks(PART_LEAVES).zip(0u32..);
        let parts = parts.map(|(points, number)| {
            let mut part = Self {
                points: points.to_vec(),
                ..Self::default()
            };
            let keys = self.samples.keys.iter();
            let keys = keys.filter(|(ordinal, _)| ordinal / PART_LEAVES as u32 == number);
            let keys = keys.map(|&(ordinal, key)| (ordinal % PART_LEAVES as u32, key));
            part.samples.keys.extend(keys);
            part.finish(generation, now_micros)
        });
        parts.collect()
    }

    /// The root of a divided model whose parts are at these blocks: a model whose "leaves" are the
    /// parts.
    pub fn root(&self, blocks: &[Block], generation: u64, now_micros: i64) -> Vec<u8> {
        let firsts = self.points.iter().step_by(PART_LEAVES);
        let end = self.points.iter().map(|point| point.1).max();
        let root = Self {
            points: firsts.zip(blocks).map(|(&(low, _), &b)| (low, b)).collect(),
            over: Some((
                self.points.len() as u32,
                end.map_or(0, |b| b.saturating_add(1)),
            )),
            ..Self::default()
        };
        root.finish(generation, now_micros)
    }

    /// The leaf of a key as a function of its coordinate, and the coordinate where each leaf
    /// begins.
    fn steps(&self, axes: &[Axis]) -> (Vec<Step>, Vec<u64>) {
        let mut begins = Vec::with_capacity(self.points.len());
        let mut steps: Vec<Step> = Vec::with_capacity(self.points.len());
        for (j, (low, _)) in (0u32..).zip(&self.points) {
            let Some(&prev) = steps.last() else {
                steps.push(Step::sharp(0, 0));
                begins.push(0);
                continue;
            };
            let x = coordinate::coordinate(axes.iter().copied(), &low.key);
            let unique = coordinate::is_unique(axes, &low.key);
            let x = if unique && low.tie > 0 {
                // The leaf begins amid the key's entries: a search for the key ends one leaf
                // earlier, and only greater keys lead here.
                match x.checked_add(1) {
                    Some(x) => x,
                    // No key leads here or to the leaves after it.
                    None => break,
                }
            } else {
                x
            };
            begins.push(x.max(prev.x));
            if x < prev.x {
                continue;
            }
            if x == prev.x {
                if let Some(prev) = steps.last_mut() {
                    if unique && prev.lo == prev.hi {
                        *prev = Step::sharp(x, j);
                    } else {
                        prev.hi = j;
                    }
                }
                continue;
            }
            if prev.hi > prev.fit && x > prev.x + 1 {
                steps.push(Step::sharp(prev.x + 1, prev.hi));
            }
            steps.push(Step {
                lo: if unique { j } else { prev.hi },
                ..Step::sharp(x, j)
            });
        }
        if let Some(&prev) = steps.last()
            && prev.hi > prev.fit
            && let Some(x) = prev.x.checked_add(1)
        {
            steps.push(Step::sharp(x, prev.hi));
        }
        (steps, begins)
    }

    /// Chooses the last stage:
    ///
    /// - Lines within [`MIN_TOLERANCE`], if they take less room than the leaves' first coordinates,
    ///   and if they do not send too many of the sampled keys to another leaf.
    /// - Else the first coordinates of all leaves, which are exact and take 0.1 % of the leaves'
    ///   room. Also for the root of a divided model: 1/32 of a part would be many leaves.
    /// - If many leaves share a coordinate, neither is good: then lines of a coarser tolerance.
    fn last_stage(&self, steps: &[Step], begins: Vec<u64>, axes: &[Axis]) -> LastStage {
        let limit = EXTRA_SEGMENTS + self.points.len() / MIN_LEAVES_PER_SEGMENT;
        if self.over.is_none()
            && let Some(lines) = stages::last_stage(steps, MIN_TOLERANCE, limit)
            && self.strays(&lines, axes) * MIN_KEYS_PER_STRAY <= self.samples.keys.len()
        {
            return LastStage::Lines(MIN_TOLERANCE, lines);
        }
        let below = steps.iter().map(|s| s.hi - s.lo).max().unwrap_or(0);
        if let Some(below) = u8::try_from(below)
            .ok()
            .filter(|&b| u32::from(b) <= MAX_BOUND_LEAVES)
        {
            return LastStage::Leaves { begins, below };
        }
        let mut tolerance = MIN_TOLERANCE;
        while tolerance < MAX_TOLERANCE {
            if let Some(lines) = stages::last_stage(steps, tolerance, limit) {
                return LastStage::Lines(tolerance, lines);
            }
            tolerance *= 2;
        }
        let lines = stages::last_stage(steps, MAX_TOLERANCE, usize::MAX);
        LastStage::Lines(MAX_TOLERANCE, lines.unwrap_or_default())
    }

    /// The number of sampled keys that these lines send to another leaf.
    fn strays(&self, lines: &[Piece], axes: &[Axis]) -> usize {
        let strays = self.samples.keys.iter().filter(|(ordinal, key)| {
            let x = coordinate::coordinate(axes.iter().copied(), key);
            let after = lines.partition_point(|(first, _)| *first <= x);
            let piece = after.checked_sub(1).and_then(|i| lines.get(i));
            piece.is_some_and(|(first, line)| line.guess(x - first) != *ordinal)
        });
        strays.count()
    }

    fn serialize(
        &self,
        generation: u64,
        axes: &[Axis],
        stages: &[Vec<Piece>],
        exact: Option<(Vec<u64>, u8)>,
    ) -> Vec<u8> {
        let segments: usize = stages.iter().map(Vec::len).sum();
        let mut bytes = vec![0; HEAD];
        bytes.reserve(segments * SEGMENT + self.points.len() * 4 + 512);
        for (i, stage) in stages.iter().take(MAX_STAGES).enumerate() {
            let at = bytes.len();
            set(&mut bytes, head::TABLE + 8 * i, at);
            set(&mut bytes, head::TABLE + 8 * i + 4, stage.len());
            for (x, _) in stage {
                bytes.extend_from_slice(&x.to_le_bytes());
            }
            for (_, line) in stage {
                line.write(&mut bytes);
            }
        }
        let mut count = stages.len().min(MAX_STAGES);
        if let Some((begins, below)) = exact {
            let at = bytes.len();
            set(&mut bytes, head::TABLE + 8 * count, at);
            set(&mut bytes, head::TABLE + 8 * count + 4, begins.len());
            bytes.extend(begins.iter().flat_map(|x| x.to_le_bytes()));
            put(&mut bytes, head::EXACT, &[1, below]);
            count += 1;
        }
        if !axes.is_empty() {
            let at = bytes.len();
            set(&mut bytes, head::AXES, at);
            bytes.extend(axes.iter().flat_map(Axis::bytes));
        }
        let first = self.points.first().map_or(0, |&(_, b)| b);
        let contiguous = (0u32..)
            .zip(&self.points)
            .all(|(j, &(_, b))| first.checked_add(j) == Some(b));
        if !contiguous || self.over.is_some() {
            let at = bytes.len();
            set(&mut bytes, head::DIRECTORY, at);
            bytes.extend(self.points.iter().flat_map(|&(_, b)| b.to_le_bytes()));
        }
        put(&mut bytes, head::MAGIC, &MAGIC.to_le_bytes());
        put(&mut bytes, head::VERSION, &VERSION.to_le_bytes());
        put(&mut bytes, head::WORDS, &[W as u8, count as u8]);
        put(&mut bytes, head::GENERATION, &generation.to_le_bytes());
        let (leaves, first) = self.over.unwrap_or((self.points.len() as u32, first));
        put(&mut bytes, head::LEAVES, &leaves.to_le_bytes());
        put(&mut bytes, head::FIRST_BLOCK, &first.to_le_bytes());
        if self.over.is_some() {
            put(&mut bytes, head::PART, &(PART_LEAVES as u16).to_le_bytes());
        }
        bytes
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(to) = bytes.get_mut(at..at + value.len()) {
        to.copy_from_slice(value);
    }
}

/// Writes a size or an offset. If it does not fit, the model is longer than its bytes and is
/// refused.
fn set(bytes: &mut [u8], at: usize, value: usize) {
    put(
        bytes,
        at,
        &u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes(),
    );
}

//! Training: from the leaves' low fences to the model's bytes.

use std::time::Instant;

use super::coordinate::{self, Axis};
use super::fit::UNIT;
use super::layout::{HEAD, MAGIC, SEARCH_TREE, SEGMENT, STAGES, VERSION, head};
use super::report::TrainingReport;
use super::stages::{self, Piece, Step, WIDEST};
use crate::error::Result;
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::page::Block;

/// First tolerance tried, in [`UNIT`]s: 1/32 leaf. About half of that is the share of keys sent to a
/// neighbour.
const TIGHTEST: i64 = UNIT / 32;
/// Last tolerance tried: with 64 leaves each line covers at least 128 points.
const LOOSEST: i64 = 64 * UNIT;

/// Leaves that samples are taken from, at least, where there are as many.
const SAMPLED: usize = 32;
/// Keys sampled of a leaf, at most.
const KEYS: usize = 16;
/// Lines are given up where more than one in so many sampled keys would be sent to another leaf.
const ASTRAY: usize = 64;

/// Keys of some leaves, taken evenly from however many there will be.
///
/// Fences that lie near a line do not make the keys between them do so: where keys come in clusters, half a leaf of
/// them can lie between line and fence.
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
    /// Whether [`Samples::add`] is of use for the leaf of this ordinal.
    pub fn wants(&self, ordinal: u32) -> bool {
        ordinal.is_multiple_of(self.stride)
    }

    /// Adds some of a leaf's keys. Leaves come in order.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read.
    pub fn add(&mut self, ordinal: u32, leaf: &Leaf<'_, W>) -> Result<()> {
        let low = leaf.low();
        // Beside the fences keys stray more often than elsewhere.
        let some = leaf.middles(KEYS)?.into_iter();
        // Where the leaf begins amid the entries of a key, a search for that key ends before it.
        let some = some.filter(|entry| entry.key > low.key || low.tie == 0);
        self.keys.extend(some.map(|entry| (ordinal, entry.key)));
        self.leaves += 1;
        if self.leaves >= 2 * SAMPLED {
            self.leaves /= 2;
            self.stride *= 2;
            let stride = self.stride;
            self.keys.retain(|(i, _)| i.is_multiple_of(stride));
        }
        Ok(())
    }
}

/// Leaves of a part: with 12 bytes each and the stages above them they fill most of a page.
const PART: usize = if cfg!(feature = "testing") {
    4
} else if cfg!(test) {
    16
} else {
    448
};

/// The last stage.
enum Last {
    /// Lines within a tolerance.
    Lines(i64, Vec<Piece>),
    /// The coordinate where each leaf begins. Where several leaves share one the last of them is
    /// found; the true leaf is at most `below` to its left.
    Leaves { begins: Vec<u64>, below: u8 },
}

/// Collects the leaves of an index in key order, then fits a model to them.
///
/// Memory: one entry and block a leaf, 24 bytes a leaf and more in between.
#[derive(Debug, Clone, Default)]
pub struct Training<const W: usize> {
    points: Vec<(Entry<W>, Block)>,
    /// Keys by which lines are judged.
    pub samples: Samples<W>,
    /// For the root of a divided model: leaves of all parts, and a bound for their blocks.
    over: Option<(u32, Block)>,
}

impl<const W: usize> Training<W> {
    /// No leaves yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next leaf: its low fence and its block. A leaf out of order is left out of the
    /// fit; it keeps its ordinal.
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

    /// Fits the model and returns its bytes. `now_micros` (microseconds since the Unix epoch) only goes into the report.
    /// More than 2^32 - 2 leaves or 4 GB give bytes that [`super::Model::open`] refuses.
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
            exact: matches!(last, Last::Leaves { .. }),
            ..TrainingReport::default()
        };
        let mut exact = None;
        let stages = match last {
            Last::Lines(tolerance, lines) => {
                let wide = lines.iter().filter(|(_, l)| l.flags & SEARCH_TREE != 0);
                report.searched = wide.count() as u64;
                report.epsilon = tolerance as f64 / UNIT as f64;
                report.histogram = stages::histogram(&lines, &steps);
                let mut stages = stages::above(stages::positions(&lines), lines.len());
                if !lines.is_empty() {
                    stages.push(lines);
                }
                stages
            }
            Last::Leaves { begins, below } => {
                report.histogram[0] = report.fitted;
                let steps = steps.iter().map(|s| Step::sharp(s.x, s.hi)).collect();
                let count = begins.len();
                exact = Some((begins, below));
                stages::above(steps, count)
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

    /// The parts of a divided model, each a model of some leaves that follow one another. The first leaf of each begins at
    /// minus infinity: its keys are told from those before by the root.
    pub fn parts(&self, generation: u64, now_micros: i64) -> Vec<Vec<u8>> {
        let parts = self.points.chunks(PART).zip(0u32..);
        let parts = parts.map(|(points, number)| {
            let mut part = Self {
                points: points.to_vec(),
                ..Self::default()
            };
            let keys = self.samples.keys.iter();
            let keys = keys.filter(|(ordinal, _)| ordinal / PART as u32 == number);
            let keys = keys.map(|&(ordinal, key)| (ordinal % PART as u32, key));
            part.samples.keys.extend(keys);
            part.finish(generation, now_micros)
        });
        parts.collect()
    }

    /// The root above a divided model's parts, which are at these blocks: a model whose leaves they are.
    pub fn root(&self, blocks: &[Block], generation: u64, now_micros: i64) -> Vec<u8> {
        let firsts = self.points.iter().step_by(PART);
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

    /// The leaf of a key as a function of its coordinate, and the coordinate where each leaf begins.
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
                // earlier, and only greater keys come here.
                match x.checked_add(1) {
                    Some(x) => x,
                    // No key comes here, nor to the leaves after it.
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

    /// Lines within the least tolerance as long as they are smaller than the leaves' own first
    /// coordinates: four leaves a segment of 32 bytes. Else those coordinates, which are exact and
    /// 0.1 % of the leaves. So are they where lines would lead too many of the sampled keys astray. Only where
    /// many leaves share a coordinate neither will do, and lines are made coarser. The root of a divided model is
    /// exact, too: a 32nd of a part are many leaves.
    fn last_stage(&self, steps: &[Step], begins: Vec<u64>, axes: &[Axis]) -> Last {
        let limit = 8 + self.points.len() / 4;
        if self.over.is_none()
            && let Some(lines) = stages::leaves(steps, TIGHTEST, limit)
            && self.astray(&lines, axes) * ASTRAY <= self.samples.keys.len()
        {
            return Last::Lines(TIGHTEST, lines);
        }
        let below = steps.iter().map(|s| s.hi - s.lo).max().unwrap_or(0);
        if let Some(below) = u8::try_from(below).ok().filter(|&b| u32::from(b) <= WIDEST) {
            return Last::Leaves { begins, below };
        }
        let mut tolerance = TIGHTEST;
        while tolerance < LOOSEST {
            if let Some(lines) = stages::leaves(steps, tolerance, limit) {
                return Last::Lines(tolerance, lines);
            }
            tolerance *= 2;
        }
        let lines = stages::leaves(steps, LOOSEST, usize::MAX);
        Last::Lines(LOOSEST, lines.unwrap_or_default())
    }

    /// Sampled keys that these lines send to another leaf.
    fn astray(&self, lines: &[Piece], axes: &[Axis]) -> usize {
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
        for (i, stage) in stages.iter().take(STAGES).enumerate() {
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
        let mut count = stages.len().min(STAGES);
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
            put(&mut bytes, head::PART, &(PART as u16).to_le_bytes());
        }
        bytes
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(to) = bytes.get_mut(at..at + value.len()) {
        to.copy_from_slice(value);
    }
}

/// Writes a size or an offset. One that does not fit makes a model that is longer than its bytes,
/// which is refused.
fn set(bytes: &mut [u8], at: usize, value: usize) {
    put(
        bytes,
        at,
        &u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes(),
    );
}

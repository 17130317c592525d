//! Where to cut sorted entries into runs.
//!
//! Units of equal length (32 entries, or more where that is known to do); neighbours are merged, pass by pass, while the
//! sum of bits falls, headers included. A pass pairs neighbours, so that even data takes log2(units) passes of halving
//! length. A merge is judged by the hulls of both sides, without looking at the entries again.

use crate::key::Entry;
use crate::leaf::encode::hull::{HullChain, band};
use crate::leaf::format::{Layout, UNIT};

/// Most entries of a unit.
pub(in crate::leaf) const WIDEST: usize = 512;

/// The unit for so many entries that are likely to be so many runs: one of them, down to a power
/// of two, so that units add up to about the same runs.
pub(in crate::leaf) fn unit_for(entries: usize, runs: usize) -> usize {
    let run = entries / runs.max(1);
    (1 << run.max(1).ilog2()).clamp(UNIT, WIDEST)
}

/// How offsets are counted, alike for all runs of a page so that runs can be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::leaf) struct TieCode {
    /// D.
    pub per_block: u64,
    /// Lowest offset.
    pub first: u64,
}

/// Most line pointers of a heap page (PostgreSQL's MaxHeapTuplesPerPage).
const FULL_BLOCK: u64 = 291;

impl TieCode {
    #[inline(always)]
    pub(in crate::leaf) fn ordinal(&self, tie: u64) -> u64 {
        (tie >> 16 & 0xFFFF_FFFF) * self.per_block + (tie & 0xFFFF).wrapping_sub(self.first)
    }
}

/// Entries column by column.
#[derive(Debug)]
pub(in crate::leaf) struct ColumnBuffers<const W: usize> {
    /// The key's words.
    pub words: [Vec<u64>; W],
    /// The TIDs' ordinals.
    pub ordinals: Vec<u64>,
    /// What the ordinals count.
    pub offsets: TieCode,
    /// The first tie's bits 48 to 63, in place, if all agree.
    high: Option<u64>,
    /// The first words ascend, as they do unless a page is damaged.
    ascends: bool,
}

impl<const W: usize> ColumnBuffers<W> {
    pub(in crate::leaf) fn new() -> Self {
        Self {
            words: std::array::from_fn(|_| Vec::new()),
            ordinals: Vec::new(),
            offsets: TieCode {
                per_block: 1,
                first: 1,
            },
            high: None,
            ascends: true,
        }
    }

    /// Takes these entries instead.
    pub(in crate::leaf) fn load(&mut self, entries: &[Entry<W>]) {
        let one = entries.first().map_or(0, |e| e.tie);
        let (mut most, mut least, mut varying) = (1, 1, 0);
        for e in entries {
            let offset = e.tie as u16;
            most = offset.max(most);
            least = offset.min(least);
            varying |= e.tie ^ one;
        }
        let (mut most, least) = (u64::from(most), u64::from(least));
        if varying >> 16 & 0xFFFF_FFFF == 0 {
            // One block: its later offsets should not need another D.
            most = FULL_BLOCK.max(most);
        }
        let offsets = TieCode {
            per_block: most - least + 1,
            first: least,
        };
        self.offsets = offsets;
        self.high = (varying >> 48 == 0).then_some(one & 0xFFFF << 48);
        self.ordinals.clear();
        self.ordinals
            .extend(entries.iter().map(|e| offsets.ordinal(e.tie)));
        for (i, word) in self.words.iter_mut().enumerate() {
            word.clear();
            word.extend(entries.iter().map(|e| e.key.get(i).copied().unwrap_or(0)));
        }
        self.ascends = self.words.first().is_some_and(|word| word.is_sorted());
    }

    /// Length of the unit that starts with entry `from`, `most` at most.
    fn unit(&self, entries: &[Entry<W>], from: usize, most: usize) -> usize {
        let end = entries.len().min(from + most);
        let same = match self.high {
            Some(_) => end,
            None => {
                let high = |i: usize| entries.get(i).map(|e| e.tie >> 48);
                let first = high(from);
                (from + 1..end).find(|&i| high(i) != first).unwrap_or(end)
            }
        };
        let same = match self.words.first() {
            // A composite key starts a new line with each group of some length with the same first word.
            Some(word) if W > 1 => {
                let word = |i: usize| word.get(i);
                let starts = |i: usize| word(i - 1) != word(i) && word(i + UNIT / 2) == word(i);
                (from + 1..same).find(|&i| starts(i)).unwrap_or(same)
            }
            _ => same,
        };
        self.jump(from, same).unwrap_or(same) - from
    }

    /// The first entry behind `from` and before `end` from which on TIDs follow one another, but not the one before: so they
    /// do where sessions that write at once fill heap pages of their own.
    fn jump(&self, from: usize, end: usize) -> Option<usize> {
        const AHEAD: usize = UNIT / 2;
        let some = self.ordinals.get(from..)?;
        let is_next = |pair: &[u64]| matches!(pair, [a, b] if b.wrapping_sub(*a) == 1);
        let follow = some.get(1 + AHEAD..)?;
        let places = some.windows(2).zip(follow).take(end - from - 1);
        places
            .enumerate()
            .find(|(_, (pair, ahead))| {
                !is_next(pair) && matches!(pair, [_, at] if ahead.wrapping_sub(*at) == AHEAD as u64)
            })
            .map(|(i, _)| from + 1 + i)
    }
}

/// Greatest common divisor; 0 is neutral.
pub(in crate::leaf) fn gcd(mut a: u64, mut b: u64) -> u64 {
    if a == 0 || b == 0 {
        return a | b;
    }
    let twos = (a | b).trailing_zeros();
    a >>= a.trailing_zeros();
    loop {
        b >>= b.trailing_zeros();
        (a, b) = (a.min(b), a.abs_diff(b));
        if b == 0 {
            return a << twos;
        }
    }
}

/// Bits of `v`.
#[inline(always)]
pub(in crate::leaf) fn bits_of(v: u64) -> u32 {
    64 - v.leading_zeros()
}

/// Division by a number whose multiples alone are divided, as a shift and a multiplication.
#[derive(Debug, Clone, Copy)]
pub(in crate::leaf) struct Exact {
    shift: u32,
    /// Of the odd part, modulo 2^64.
    inverse: u64,
    /// The largest quotient.
    most: u64,
}

impl Exact {
    /// Division by `d`, which is not 0.
    pub(in crate::leaf) fn by(d: u64) -> Self {
        let shift = d.trailing_zeros() & 63;
        let odd = d >> shift;
        // Newton's iteration doubles the valid bits, of which an odd number has 3 at first.
        let mut inverse = odd;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        }
        Self {
            shift,
            inverse,
            most: u64::MAX.checked_div(d).unwrap_or(0),
        }
    }

    /// Whether `v` is a multiple (Granlund and Montgomery 1994).
    #[inline(always)]
    fn divides(&self, v: u64) -> bool {
        v.wrapping_mul(self.inverse).rotate_right(self.shift) <= self.most
    }

    /// The quotient of a multiple.
    #[inline(always)]
    pub(in crate::leaf) fn unsigned(&self, v: u64) -> u64 {
        (v >> self.shift).wrapping_mul(self.inverse)
    }

    /// The quotient of a multiple in two's complement.
    #[inline(always)]
    pub(in crate::leaf) fn signed(&self, v: u64) -> u64 {
        ((v as i64 >> self.shift) as u64).wrapping_mul(self.inverse)
    }
}

/// The greatest common divisor of the values' distances from `first`.
fn common(values: &[u64], first: u64) -> u64 {
    let mut common = 0;
    let mut exact = Exact::by(1 << 63);
    for &v in values {
        let d = v.abs_diff(first);
        if !exact.divides(d) || common == 0 {
            common = gcd(d, common);
            if common == 1 {
                break;
            }
            if common != 0 {
                exact = Exact::by(common);
            }
        }
    }
    common
}

/// What is known of one column of a segment.
#[derive(Debug, Clone, Default)]
pub(in crate::leaf) struct Stat {
    upper: HullChain,
    lower: HullChain,
    pub min: u64,
    pub max: u64,
    /// Of the differences; 0 while there is none.
    pub gcd: u64,
    first: u64,
    width: u32,
    /// Width and slope of the narrowest band, where a line may be of use.
    band: Option<(f64, f64)>,
}

/// What is known of a column beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing.
    Nothing,
    /// It ascends.
    Ascends,
    /// Its scale is 1.
    Unscaled,
}

impl Stat {
    /// Makes this the statistics of up to [`WIDEST`] values; `from` is the first one's slot.
    fn unit(&mut self, values: &[u64], from: u32, known: Known) {
        self.upper.0.clear();
        self.lower.0.clear();
        let (Some(&first), Some(&last)) = (values.first(), values.last()) else {
            return;
        };
        self.upper.0.reserve(8);
        self.lower.0.reserve(8);
        (self.min, self.max) = (first, last);
        if known != Known::Ascends {
            self.max = first;
            for &v in values {
                self.min = v.min(self.min);
                self.max = v.max(self.max);
            }
        }
        self.first = first;
        self.gcd = if known == Known::Unscaled {
            1
        } else {
            common(values, first)
        };
        // Of each group only the highest and the lowest point about the unit's chord go on: the
        // others rarely are corners, and then hardly matter. A distance from the chord, with some fraction bits
        // where there is room, and the slot in the low bits make one number.
        const SLOT: u64 = WIDEST as u64 - 1;
        let n = values.len();
        let run = (n as i64 - 1).max(1);
        let rise = last.wrapping_sub(first) as i64;
        let (shift, fraction) = if self.max - self.min < 1 << 40 {
            (21, 12)
        } else {
            (0, 0)
        };
        let slope = ((rise << fraction) / run) << (shift - fraction) & !SLOT as i64;
        let step = 1i64.wrapping_sub(slope);
        let mut chord = 0i64;
        self.upper.push::<true>((from, first));
        self.lower.push::<false>((from, first));
        let point = |code: i64| {
            let slot = (code as u64 & SLOT) as u32;
            let inner = slot > 0 && (slot as usize) + 1 < n;
            let value = values.get(slot as usize).copied().unwrap_or(first);
            inner.then_some((from + slot, value))
        };
        for group in values.chunks((n / 4).next_power_of_two().max(4)) {
            let (mut high, mut low) = (i64::MIN, i64::MAX);
            for &v in group {
                let d = (v.wrapping_sub(first) << shift & !SLOT) as i64;
                let code = d.wrapping_add(chord);
                high = code.max(high);
                low = code.min(low);
                chord = chord.wrapping_add(step);
            }
            if let Some(p) = point(high) {
                self.upper.push::<true>(p);
            }
            if let Some(p) = point(low) {
                self.lower.push::<false>(p);
            }
        }
        if n > 1 {
            self.upper.push::<true>((from + n as u32 - 1, last));
            self.lower.push::<false>((from + n as u32 - 1, last));
        }
        self.width = self.needs();
    }

    /// Makes this the statistics of `a` followed by `b`.
    fn join(&mut self, a: &Self, b: &Self) {
        self.upper.join::<true>(&a.upper, &b.upper);
        self.lower.join::<false>(&a.lower, &b.lower);
        self.min = a.min.min(b.min);
        self.max = a.max.max(b.max);
        self.first = a.first;
        let d = a.first.abs_diff(b.first);
        self.gcd = if a.gcd == 1 || b.gcd == 1 {
            1
        } else {
            gcd(d, gcd(a.gcd, b.gcd))
        };
        self.width = self.needs();
    }

    /// Bits of a residual, with or without line.
    fn needs(&mut self) -> u32 {
        let scale = self.gcd.max(1);
        let spread = (self.max - self.min) / scale;
        let plain = bits_of(spread);
        self.band = None;
        if plain == 0 || self.max - self.min > 1 << 62 {
            return plain;
        }
        let (width, slope) = band(&self.upper, &self.lower);
        self.band = Some((width, slope));
        plain.min(bits_of((width / scale as f64).ceil() as u64))
    }

    /// The slope of the narrowest band, in units of value a slot. None where a line is of no use: for columns that
    /// do not ascend and whose narrowest band is hardly narrower than their spread. So are random TIDs.
    pub(in crate::leaf) fn slope(&self) -> Option<f64> {
        let (width, slope) = self.band?;
        let noise = self.first > self.min && width * 8.0 >= (self.max - self.min) as f64 * 7.0;
        (!noise).then_some(slope)
    }
}

/// Consecutive entries that are to be one run, unless a larger one is better.
#[derive(Debug, Clone)]
pub(in crate::leaf) struct RunPlan<const W: usize> {
    pub from: usize,
    pub to: usize,
    pub words: [Stat; W],
    pub tid: Stat,
    /// The ties' bits 48 to 63, in place.
    pub high: u64,
    /// Bits, header included.
    pub cost: u64,
    /// Merging with the next was tried in vain.
    settled: bool,
}

impl<const W: usize> RunPlan<W> {
    fn empty() -> Self {
        Self {
            from: 0,
            to: 0,
            words: std::array::from_fn(|_| Stat::default()),
            tid: Stat::default(),
            high: 0,
            cost: 0,
            settled: false,
        }
    }

    fn price(&mut self) {
        let record: u32 = self.words.iter().map(|w| w.width).sum::<u32>() + self.tid.width;
        self.cost = 8 * Layout::<W>::RUN as u64 + (self.to - self.from) as u64 * u64::from(record);
    }
}

/// A partition, and the memory of those before it.
#[derive(Debug)]
pub(in crate::leaf) struct Partition<const W: usize> {
    all: Vec<RunPlan<W>>,
    len: usize,
    trial: RunPlan<W>,
}

impl<const W: usize> Partition<W> {
    pub(in crate::leaf) fn new() -> Self {
        Self {
            all: Vec::new(),
            len: 0,
            trial: RunPlan::empty(),
        }
    }

    /// The segments, ascending.
    pub(in crate::leaf) fn segments(&self) -> &[RunPlan<W>] {
        self.all.get(..self.len).unwrap_or_default()
    }

    /// Cuts ascending entries into segments that start out as units of `unit` entries, or up to the next of `ends` (ascending). `columns` are theirs.
    pub(in crate::leaf) fn cut(
        &mut self,
        entries: &[Entry<W>],
        columns: &ColumnBuffers<W>,
        unit: usize,
        ends: &[usize],
    ) {
        let unit = unit.clamp(1, WIDEST);
        let units = entries.len() / unit + 1;
        self.all.reserve(units.saturating_sub(self.all.len()));
        let mut at = 0;
        let mut ends = ends.iter().copied().peekable();
        self.len = 0;
        while let Some(first) = entries.get(at) {
            while ends.next_if(|end| *end <= at).is_some() {}
            let most = ends.peek().map_or(unit, |end| unit.min(end - at));
            let len = columns.unit(entries, at, most);
            if self.len == self.all.len() {
                self.all.push(RunPlan::empty());
            }
            let Some(segment) = self.all.get_mut(self.len) else {
                break;
            };
            self.len += 1;
            let range = at..at + len;
            for (i, (stat, values)) in segment.words.iter_mut().zip(&columns.words).enumerate() {
                let known = if i == 0 && columns.ascends {
                    Known::Ascends
                } else {
                    Known::Nothing
                };
                let values = values.get(range.clone()).unwrap_or_default();
                stat.unit(values, at as u32, known);
            }
            let values = columns.ordinals.get(range).unwrap_or_default();
            segment.tid.unit(values, at as u32, Known::Unscaled);
            segment.from = at;
            segment.to = at + len;
            segment.high = first.tie & 0xFFFF << 48;
            segment.settled = false;
            segment.price();
            at += len;
        }
        let segments = self.all.get_mut(..self.len).unwrap_or_default();
        self.len = merge(segments, &mut self.trial);
    }
}

/// Merges neighbours; gives the number of segments left, which come first.
fn merge<const W: usize>(segments: &mut [RunPlan<W>], trial: &mut RunPlan<W>) -> usize {
    let mut before = segments.len();
    while before > 1 {
        // Segments up to `kept` are this pass's result; `kept` is the last of them.
        let mut kept = 0;
        let mut fresh = true;
        for next in 1..before {
            let (done, rest) = segments.split_at_mut(next);
            let (Some(a), Some(b)) = (done.get_mut(kept), rest.first_mut()) else {
                break;
            };
            if fresh && !a.settled && try_join(a, b, trial) {
                std::mem::swap(a, trial);
                if let Some(p) = kept.checked_sub(1).and_then(|p| done.get_mut(p)) {
                    p.settled = false;
                }
                // Each segment is merged once a pass, so that sizes stay even.
                fresh = false;
                continue;
            }
            kept += 1;
            fresh = true;
            segments.swap(kept, next);
        }
        if before == kept + 1 {
            break;
        }
        before = kept + 1;
    }
    before
}

/// Makes `trial` the union of both, if it costs less.
fn try_join<const W: usize>(a: &mut RunPlan<W>, b: &RunPlan<W>, trial: &mut RunPlan<W>) -> bool {
    a.settled = true;
    if a.high != b.high {
        return false;
    }
    trial.from = a.from;
    trial.to = b.to;
    trial.high = a.high;
    trial.settled = false;
    let budget = a.cost + b.cost;
    trial.tid.join(&a.tid, &b.tid);
    for ((t, a), b) in trial.words.iter_mut().zip(&a.words).zip(&b.words) {
        t.join(a, b);
    }
    trial.price();
    trial.cost < budget
}

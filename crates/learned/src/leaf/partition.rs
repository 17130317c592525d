//! Where to cut sorted entries into runs.
//!
//! Units of up to 32 entries; neighbours are merged, pass by pass, while the sum of bits falls, headers included. A
//! pass pairs neighbours, so that even data takes log2(units) passes of halving length.
//! A merge is judged by the hulls of both sides, without looking at the entries again.

use super::hull::{Chain, band};
use super::{Layout, UNIT};
use crate::key::Entry;

/// How offsets are counted, alike for all runs of a page so that runs can be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offsets {
    /// D.
    pub per_block: u64,
    /// Lowest offset.
    pub first: u64,
}

/// Most line pointers of a heap page (PostgreSQL's MaxHeapTuplesPerPage).
const FULL_BLOCK: u64 = 291;

impl Offsets {
    /// For these entries.
    pub(super) fn of<const W: usize>(entries: &[Entry<W>]) -> Self {
        let mut most = 1;
        let mut least = 1;
        let mut blocks = (u64::MAX, 0);
        for e in entries {
            let offset = e.tie & 0xFFFF;
            most = offset.max(most);
            least = offset.min(least);
            let block = e.tid() >> 16;
            blocks = (block.min(blocks.0), block.max(blocks.1));
        }
        if blocks.0 >= blocks.1 {
            // One block: its later offsets should not need another D.
            most = FULL_BLOCK.max(most);
        }
        Self {
            per_block: most - least + 1,
            first: least,
        }
    }

    #[inline(always)]
    pub(super) fn ordinal(&self, tie: u64) -> u64 {
        (tie >> 16 & 0xFFFF_FFFF) * self.per_block + (tie & 0xFFFF).wrapping_sub(self.first)
    }
}

/// Greatest common divisor; 0 is neutral.
pub(super) fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Bits of `v`.
#[inline(always)]
pub(super) fn bits_of(v: u64) -> u32 {
    64 - v.leading_zeros()
}

/// What is known of one column of a segment.
#[derive(Debug, Clone, Default)]
struct Stat {
    upper: Chain,
    lower: Chain,
    min: u64,
    max: u64,
    /// Of the differences; 0 while there is none.
    gcd: u64,
    first: u64,
    width: u32,
}

impl Stat {
    /// The statistics of up to [`UNIT`] values; `from` is the first one's slot.
    fn unit(values: &[u64], from: u32, scaled: bool) -> Self {
        let (Some(&first), Some(&last)) = (values.first(), values.last()) else {
            return Self::default();
        };
        let mut s = Self {
            min: first,
            max: first,
            gcd: u64::from(!scaled),
            first,
            ..Self::default()
        };
        for &v in values {
            s.min = v.min(s.min);
            s.max = v.max(s.max);
        }
        if scaled {
            for &v in values {
                let d = v.abs_diff(first);
                if s.gcd == 0 || !d.is_multiple_of(s.gcd) {
                    s.gcd = gcd(d, s.gcd);
                }
                if s.gcd == 1 {
                    break;
                }
            }
        }
        // Of each group of 4 only the highest and the lowest point about the unit's chord go on: the
        // others rarely are corners, and then hardly matter.
        let n = values.len() as u32;
        let slope = if n > 1 {
            last.wrapping_sub(first) as i64 as f64 / f64::from(n - 1)
        } else {
            0.0
        };
        let mut at = 0u32;
        s.upper.0.reserve(12);
        s.lower.0.reserve(12);
        s.upper.push::<true>((from, first));
        s.lower.push::<false>((from, first));
        for group in values.chunks(4) {
            let mut high = (f64::NEG_INFINITY, (0, 0));
            let mut low = (f64::INFINITY, (0, 0));
            for &v in group {
                let d = v.wrapping_sub(first) as i64 as f64 - slope * f64::from(at);
                if d > high.0 {
                    high = (d, (at, v));
                }
                if d < low.0 {
                    low = (d, (at, v));
                }
                at += 1;
            }
            let inner = |(slot, _): (u32, u64)| slot > 0 && slot + 1 < n;
            if inner(high.1) {
                s.upper.push::<true>((from + high.1.0, high.1.1));
            }
            if inner(low.1) {
                s.lower.push::<false>((from + low.1.0, low.1.1));
            }
        }
        if n > 1 {
            s.upper.push::<true>((from + n - 1, last));
            s.lower.push::<false>((from + n - 1, last));
        }
        s.width = s.needs();
        s
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
    fn needs(&self) -> u32 {
        let scale = self.gcd.max(1);
        let spread = (self.max - self.min) / scale;
        let plain = bits_of(spread);
        if plain == 0 || self.max - self.min > 1 << 62 {
            return plain;
        }
        let (width, _) = band(&self.upper, &self.lower);
        plain.min(bits_of((width / scale as f64).ceil() as u64))
    }
}

/// Consecutive entries that are to be one run, unless a larger one is better.
#[derive(Debug, Clone)]
pub(super) struct Segment<const W: usize> {
    pub from: usize,
    pub to: usize,
    words: [Stat; W],
    tid: Stat,
    high: u64,
    /// Bits, header included.
    cost: u64,
    /// Merging with the next was tried in vain.
    settled: bool,
}

impl<const W: usize> Segment<W> {
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

    /// The slopes of the columns' narrowest bands, in units of value per slot.
    pub(super) fn slopes(&self) -> ([f64; W], f64) {
        let slope = |s: &Stat| {
            if s.max - s.min > 1 << 62 {
                f64::NAN
            } else {
                band(&s.upper, &s.lower).1
            }
        };
        (
            std::array::from_fn(|i| self.words.get(i).map_or(0.0, slope)),
            slope(&self.tid),
        )
    }

    fn price(&mut self) {
        let record: u32 = self.words.iter().map(|w| w.width).sum::<u32>() + self.tid.width;
        self.cost = 8 * Layout::<W>::RUN as u64 + (self.to - self.from) as u64 * u64::from(record);
    }
}

/// Cuts ascending entries into segments.
pub(super) fn partition<const W: usize>(entries: &[Entry<W>], offsets: Offsets) -> Vec<Segment<W>> {
    let mut segments = Vec::with_capacity(entries.len() / UNIT + 1);
    let mut at = 0;
    while let Some(rest) = entries.get(at..).filter(|r| !r.is_empty()) {
        let unit = rest.get(..UNIT).unwrap_or(rest);
        let high = unit.first().map_or(0, |e| e.tie >> 48);
        let len = (1..unit.len())
            .find(|&i| unit.get(i).is_some_and(|e| e.tie >> 48 != high) || starts_group(rest, i))
            .unwrap_or(unit.len());
        let unit = unit.get(..len).unwrap_or_default();
        let mut values = [0; UNIT];
        let mut column = |scaled: bool, of: &dyn Fn(&mut [u64; UNIT])| {
            of(&mut values);
            Stat::unit(values.get(..len).unwrap_or_default(), at as u32, scaled)
        };
        let words = std::array::from_fn(|i| {
            column(true, &|to| {
                for (to, e) in to.iter_mut().zip(unit) {
                    *to = e.key.get(i).copied().unwrap_or(0);
                }
            })
        });
        let tid = column(false, &|to| {
            for (to, e) in to.iter_mut().zip(unit) {
                *to = offsets.ordinal(e.tie);
            }
        });
        let mut segment = Segment {
            from: at,
            to: at + len,
            words,
            tid,
            high,
            cost: 0,
            settled: false,
        };
        segment.price();
        segments.push(segment);
        at += len;
    }
    merge(&mut segments);
    segments
}

/// Whether slot `i` starts a group of some length with the same first word: a composite key starts a new line there.
#[inline(always)]
fn starts_group<const W: usize>(entries: &[Entry<W>], i: usize) -> bool {
    if W == 1 {
        return false;
    }
    let word = |i: usize| entries.get(i).and_then(|e| e.key.first());
    let here = word(i);
    word(i - 1) != here && word(i + UNIT / 2) == here
}

fn merge<const W: usize>(segments: &mut Vec<Segment<W>>) {
    let mut trial = Segment::empty();
    loop {
        let before = segments.len();
        // Segments up to `kept` are this pass's result; `kept` is the last of them.
        let mut kept = 0;
        let mut fresh = true;
        for next in 1..before {
            let (done, rest) = segments.split_at_mut(next);
            let (Some(a), Some(b)) = (done.get_mut(kept), rest.first_mut()) else {
                break;
            };
            if fresh && !a.settled && try_join(a, b, &mut trial) {
                std::mem::swap(a, &mut trial);
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
        segments.truncate(kept + 1);
        if segments.len() == before || segments.len() < 2 {
            return;
        }
    }
}

/// Makes `trial` the union of both, if it costs less.
fn try_join<const W: usize>(a: &mut Segment<W>, b: &Segment<W>, trial: &mut Segment<W>) -> bool {
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

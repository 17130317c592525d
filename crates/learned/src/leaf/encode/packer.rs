//! Bulk packing for CREATE INDEX: ascending entries in, full leaves out.

use crate::key::Entry;
use crate::leaf::edit::contents::Contents;
use crate::leaf::encode::encoder::Encoder;
use crate::leaf::encode::partition::unit_for;
use crate::leaf::format::{Layout, MAX_SLOTS, Packed, UNIT};

/// Turns ascending entries into leaves that are `fill` percent full.
///
/// Entries are gathered until they are likely to fill a page (by the last page's density), then partitioned, and
/// a page takes as many as fit. So most entries are partitioned once. Pages of long runs are followed by pages partitioned
/// coarsely, as long as these are as dense.
#[derive(Debug)]
pub struct Packer<const W: usize> {
    entries: Vec<Entry<W>>,
    encoder: Encoder<W>,
    low: Entry<W>,
    /// How many entries to gather before trying.
    target: usize,
    /// Bytes and slots a page may take.
    bytes: usize,
    slots: usize,
    coarse: Coarse,
    /// How much more to gather than the last page took, in 1/256 of that.
    margin: usize,
}

/// What the last page that was partitioned finely tells of those that follow.
#[derive(Debug)]
struct Coarse {
    /// Entries of a unit.
    unit: usize,
    /// Bytes and entries of that page.
    bytes: usize,
    entries: usize,
    /// Coarse pages since then.
    pages: usize,
    /// Fine pages to come before another coarse one is tried, and how many after the next failure.
    wait: usize,
    longer: usize,
}

impl Coarse {
    const NOT: Self = Self {
        unit: UNIT,
        bytes: 0,
        entries: 0,
        pages: 0,
        wait: 0,
        longer: 1,
    };

    /// A fine page of so many runs is done.
    fn learn(&mut self, runs: usize, bytes: usize, entries: usize) {
        self.wait = self.wait.saturating_sub(1);
        if self.wait == 0 {
            self.unit = unit_for(entries, runs);
            (self.bytes, self.entries, self.pages) = (bytes, entries, 0);
        }
    }

    /// A coarse page is done.
    fn trust(&mut self) {
        /// After so many coarse pages comes a fine one.
        const TRUST: usize = 15;
        self.pages += 1;
        self.longer = 1;
        if self.pages >= TRUST {
            self.unit = UNIT;
        }
    }

    /// A coarse page turned out worse.
    fn doubt(&mut self) {
        self.unit = UNIT;
        self.wait = self.longer;
        self.longer = (2 * self.longer).min(32);
    }

    /// Whether a page is less dense than that one by 1/32.
    fn is_worse(&self, bytes: usize, entries: usize) -> bool {
        32 * bytes * self.entries > 33 * self.bytes * entries
    }
}

impl<const W: usize> Packer<W> {
    /// Log entries that a page has room for, unless it is to be filled to the last byte.
    const INSERTS: usize = 12;
    /// Bounds of the margin. Too many entries are partitioned in vain once, too few of them all.
    const MARGIN: (usize, usize) = (8, 64);

    /// A packer that fills pages to `fill` percent (10 to 100).
    pub fn new(fill: u8) -> Self {
        let percent = usize::from(fill.clamp(10, 100));
        let bytes = Layout::<W>::ROOM * percent / 100;
        // A page that is not to be full has room for a few inserts.
        let roomy = Layout::<W>::ROOM - Self::INSERTS * Layout::<W>::ENTRY;
        Self {
            entries: Vec::new(),
            encoder: Encoder::new(),
            low: Entry::MIN,
            target: 512,
            bytes: bytes.min(if percent < 100 { roomy } else { bytes }),
            slots: MAX_SLOTS * percent / 100,
            coarse: Coarse::NOT,
            margin: Self::MARGIN.0,
        }
    }

    /// Adds an entry above all before it. Gives a leaf now and then, all but the right link set.
    pub fn push(&mut self, e: Entry<W>) -> Option<Contents<W>> {
        self.entries.push(e);
        if self.entries.len() >= self.target {
            self.pack()
        } else {
            None
        }
    }

    /// The leaves that are left, at least one; the last one's high fence is [`Entry::MAX`].
    pub fn finish(mut self) -> Vec<Contents<W>> {
        let mut leaves = Vec::new();
        while !self.entries.is_empty() {
            // No waiting for more on the word of the estimate: what is left is tried for real.
            self.coarse = Coarse::NOT;
            self.encoder.partition(&self.entries, UNIT);
            match self.pack_runs() {
                Some(leaf) => leaves.push(leaf),
                None => {
                    let mut leaf = Contents::empty(self.low, Entry::MAX);
                    leaf.runs = self.encoder.encode(&self.entries, UNIT);
                    self.entries.clear();
                    leaves.push(leaf);
                    return leaves;
                }
            }
        }
        leaves.push(Contents::empty(self.low, Entry::MAX));
        leaves
    }

    /// A full leaf of the first entries, if they fill one.
    fn pack(&mut self) -> Option<Contents<W>> {
        self.encoder.partition(&self.entries, self.coarse.unit);
        let estimate = self.encoder.estimate();
        if estimate < self.bytes - self.bytes / 64 && self.entries.len() <= self.slots {
            return self.gather(estimate, self.entries.len());
        }
        self.pack_runs()
    }

    /// A full leaf of the first entries as they are partitioned, if they really fill one.
    fn pack_runs(&mut self) -> Option<Contents<W>> {
        let mut runs = Vec::with_capacity(self.encoder.segments());
        let (mut used, mut taken) = (0, 0);
        let mut full = false;
        for i in 0..self.encoder.segments() {
            let spare = self.bytes.saturating_sub(used + Layout::<W>::RUN + 1);
            let slots = self.slots.saturating_sub(taken);
            // Bits of data and bitmap for a slot.
            let most = |record: usize| (8 * spare / (record + 1)).min(slots);
            let run = self.encoder.run(i, most);
            let fits = run.as_ref().map_or(0, |run| run.head.slots);
            if let Some(run) = run {
                used += Layout::<W>::RUN + run.data.len() + fits.div_ceil(8);
                taken += fits;
                runs.push(run);
            }
            full = fits < self.encoder.len(i);
            if full {
                break;
            }
        }
        if self.coarse.unit > UNIT && self.coarse.is_worse(used, taken) {
            self.coarse.doubt();
            return self.pack();
        }
        if full {
            if self.coarse.unit == UNIT {
                self.coarse.learn(runs.len(), used, taken);
            } else {
                self.coarse.trust();
            }
            return self.emit(runs, taken);
        }
        self.gather(used, taken)
    }

    /// Waits for more entries, since these are not enough.
    fn gather(&mut self, used: usize, taken: usize) -> Option<Contents<W>> {
        self.margin = (2 * self.margin).min(Self::MARGIN.1);
        let room = self.bytes.saturating_sub(used).max(self.bytes / 64);
        let more = taken * room / used.max(1);
        self.target = (taken + more + more / 8 + 16)
            .min(2 * taken + 64)
            .min((self.slots + 1).max(taken + 1));
        None
    }

    /// The leaf of `taken` entries, of which there are more.
    fn emit(&mut self, runs: Vec<Packed<W>>, taken: usize) -> Option<Contents<W>> {
        let last = taken.checked_sub(1).and_then(|i| self.entries.get(i))?;
        let high = self.entries.get(taken)?.fence_after(last);
        let mut leaf = Contents::empty(self.low, high);
        leaf.runs = runs;
        self.low = high;
        self.entries.drain(..taken);
        self.target = (taken + taken * self.margin / 256 + 16).min(self.slots + 1);
        self.margin = (self.margin - self.margin / 8).max(Self::MARGIN.0);
        Some(leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::tie_of;

    /// Bits of evenly spaced floating-point numbers, both signs: so large that the estimate of
    /// their size falls short.
    #[test]
    fn the_last_leaf_fits_whatever_the_estimate_says() {
        for count in [700, 1500, 2999, 3014] {
            let mut entries: Vec<_> = (0..count)
                .map(|i: u32| {
                    let bits = (f64::from(i as i32 - count as i32 / 2) * 0.37).to_bits();
                    Entry::new([bits ^ 1 << 63], tie_of(i / 226, (i % 226 + 1) as u16))
                })
                .collect();
            entries.sort();
            let mut packer = Packer::<1>::new(97);
            let mut leaves: Vec<_> = entries.iter().filter_map(|e| packer.push(*e)).collect();
            leaves.extend(packer.finish());
            assert!(
                leaves.iter().all(|leaf| leaf.to_page().is_some()),
                "{count}"
            );
        }
    }
}

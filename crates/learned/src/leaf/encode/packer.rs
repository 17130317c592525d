//! Bulk packing for CREATE INDEX: ascending entries to full leaves.

use crate::key::Entry;
use crate::leaf::edit::contents::Contents;
use crate::leaf::encode::encoder::Encoder;
use crate::leaf::encode::partition::unit_for;
use crate::leaf::format::{Layout, OwnedRun, bitmap_bytes};
use crate::policy::leaf::{
    ESTIMATE_SLACK, FIRST_GATHERED, GATHER_MARGIN, GATHER_MARGIN_DECAY, GATHER_SURPLUS,
    LOG_ROOM_OF_A_BUILD, MAX_COARSE_LEAVES, MAX_COARSE_SIZE, MAX_GATHER_GROWTH, MAX_SLOTS,
    MAX_WAIT_FOR_COARSE, MIN_FILL_PERCENT, MIN_GATHER_STEP, PARTITION_UNIT,
};

/// Turns ascending entries into leaves that are filled to a fill factor.
///
/// The packer gathers entries until they are likely to fill a leaf, by the density of the leaf
/// before. Then it plans their runs, and a leaf takes as many entries as fit. So most entries are
/// partitioned once. A leaf of long runs is followed by leaves that are partitioned coarsely, as
/// long as these are as dense.
#[derive(Debug)]
pub struct Packer<const W: usize> {
    entries: Vec<Entry<W>>,
    encoder: Encoder<W>,
    low: Entry<W>,
    /// Number of entries to gather before the next leaf is tried.
    target: usize,
    /// Largest number of bytes of a leaf, of [`Layout::ROOM`].
    bytes: usize,
    /// Largest number of slots of a leaf.
    slots: usize,
    coarse: Coarse,
    /// Number of entries to gather beyond those of the last leaf, in 1/256 of these.
    margin: usize,
}

/// What the last leaf that was partitioned finely tells of the next ones.
#[derive(Debug)]
struct Coarse {
    /// Length of a unit of the next leaf.
    unit: usize,
    /// Number of bytes of that leaf.
    bytes: usize,
    /// Number of entries of that leaf.
    entries: usize,
    /// Number of coarse leaves since then.
    leaves: usize,
    /// Number of fine leaves before a coarse one is tried again.
    wait: usize,
    /// The wait after the next failure.
    next_wait: usize,
}

impl Coarse {
    /// Nothing is known: the next leaf is partitioned finely.
    const UNKNOWN: Self = Self {
        unit: PARTITION_UNIT,
        bytes: 0,
        entries: 0,
        leaves: 0,
        wait: 0,
        next_wait: 1,
    };

    /// Notes a fine leaf of `runs` runs.
    fn note_fine(&mut self, runs: usize, bytes: usize, entries: usize) {
        self.wait = self.wait.saturating_sub(1);
        if self.wait == 0 {
            self.unit = unit_for(entries, runs);
            (self.bytes, self.entries, self.leaves) = (bytes, entries, 0);
        }
    }

    /// Notes a coarse leaf that is about as dense as the fine one.
    fn note_coarse(&mut self) {
        self.leaves += 1;
        self.next_wait = 1;
        if self.leaves >= MAX_COARSE_LEAVES {
            self.unit = PARTITION_UNIT;
        }
    }

    /// Notes a coarse leaf that is less dense than the fine one.
    fn note_failure(&mut self) {
        self.unit = PARTITION_UNIT;
        self.wait = self.next_wait;
        self.next_wait = (2 * self.next_wait).min(MAX_WAIT_FOR_COARSE);
    }

    /// Whether the next leaf is partitioned coarsely.
    fn is_coarse(&self) -> bool {
        self.unit > PARTITION_UNIT
    }

    /// Whether a leaf of these bytes and entries is less dense than the fine one.
    fn is_less_dense(&self, bytes: usize, entries: usize) -> bool {
        MAX_COARSE_SIZE.is_exceeded(bytes * self.entries, self.bytes * entries)
    }
}

impl<const W: usize> Packer<W> {
    /// A packer that fills leaves to `fill` percent of a page ([`MIN_FILL_PERCENT`] to 100).
    pub fn new(fill: u8) -> Self {
        let percent = usize::from(fill).clamp(MIN_FILL_PERCENT, 100);
        let bytes = Layout::<W>::ROOM * percent / 100;
        // A leaf that need not be full keeps room for a few inserts.
        let roomy = Layout::<W>::ROOM - LOG_ROOM_OF_A_BUILD * Layout::<W>::ENTRY;
        Self {
            entries: Vec::new(),
            encoder: Encoder::new(),
            low: Entry::MIN,
            target: FIRST_GATHERED,
            bytes: bytes.min(if percent < 100 { roomy } else { bytes }),
            slots: MAX_SLOTS * percent / 100,
            coarse: Coarse::UNKNOWN,
            margin: GATHER_MARGIN.0,
        }
    }

    /// Adds an entry, which is above all before it. Returns a leaf where one is full; its right
    /// link is not set.
    pub fn push(&mut self, e: Entry<W>) -> Option<Contents<W>> {
        self.entries.push(e);
        if self.entries.len() >= self.target {
            self.pack()
        } else {
            None
        }
    }

    /// The leaves of the entries that are left, at least one leaf. The high fence of the last one
    /// is [`Entry::MAX`].
    pub fn finish(mut self) -> Vec<Contents<W>> {
        let mut leaves = Vec::new();
        while !self.entries.is_empty() {
            // The estimate may say that the entries do not fill a leaf, but no more will come.
            self.coarse = Coarse::UNKNOWN;
            self.encoder.plan(&self.entries, PARTITION_UNIT);
            match self.pack_runs() {
                Some(leaf) => leaves.push(leaf),
                None => {
                    let mut leaf = Contents::empty(self.low, Entry::MAX);
                    leaf.runs = self.encoder.encode(&self.entries, PARTITION_UNIT);
                    self.entries.clear();
                    leaves.push(leaf);
                    return leaves;
                }
            }
        }
        leaves.push(Contents::empty(self.low, Entry::MAX));
        leaves
    }

    /// A full leaf of the first of the gathered entries, if they fill one.
    fn pack(&mut self) -> Option<Contents<W>> {
        self.encoder.plan(&self.entries, self.coarse.unit);
        let estimate = self.encoder.estimate();
        let enough = self.bytes - ESTIMATE_SLACK.times(self.bytes);
        if estimate < enough && self.entries.len() <= self.slots {
            return self.gather_more(estimate, self.entries.len());
        }
        self.pack_runs()
    }

    /// A full leaf of the first of the planned runs, if they fill one.
    fn pack_runs(&mut self) -> Option<Contents<W>> {
        let mut runs = Vec::with_capacity(self.encoder.planned_runs());
        let (mut used, mut taken) = (0, 0);
        let mut full = false;
        for i in 0..self.encoder.planned_runs() {
            let spare = self
                .bytes
                .saturating_sub(used + Layout::<W>::RUN_HEADER + 1);
            let slots = self.slots.saturating_sub(taken);
            // A slot takes a record's bits, and one of the bitmap.
            let most = |record: usize| (8 * spare / (record + 1)).min(slots);
            let run = self.encoder.encode_planned(i, most);
            let fits = run.as_ref().map_or(0, |run| run.header.slots);
            if let Some(run) = run {
                used += Layout::<W>::RUN_HEADER + run.data.len() + bitmap_bytes(fits);
                taken += fits;
                runs.push(run);
            }
            full = fits < self.encoder.planned_len(i);
            if full {
                break;
            }
        }
        if self.coarse.is_coarse() && self.coarse.is_less_dense(used, taken) {
            self.coarse.note_failure();
            return self.pack();
        }
        if full {
            if self.coarse.is_coarse() {
                self.coarse.note_coarse();
            } else {
                self.coarse.note_fine(runs.len(), used, taken);
            }
            return self.emit(runs, taken);
        }
        self.gather_more(used, taken)
    }

    /// Sets how many entries to gather, since those here do not fill a leaf: all `taken` of them
    /// take `used` bytes.
    fn gather_more(&mut self, used: usize, taken: usize) -> Option<Contents<W>> {
        self.margin = (2 * self.margin).min(GATHER_MARGIN.1);
        let room = self
            .bytes
            .saturating_sub(used)
            .max(ESTIMATE_SLACK.times(self.bytes));
        let more = taken * room / used.max(1);
        let (factor, extra) = MAX_GATHER_GROWTH;
        self.target = (taken + more + GATHER_SURPLUS.times(more) + MIN_GATHER_STEP)
            .min(factor * taken + extra)
            .min((self.slots + 1).max(taken + 1));
        None
    }

    /// The leaf of the first `taken` entries. There are more entries.
    fn emit(&mut self, runs: Vec<OwnedRun<W>>, taken: usize) -> Option<Contents<W>> {
        let last = taken.checked_sub(1).and_then(|i| self.entries.get(i))?;
        let high = self.entries.get(taken)?.fence_after(last);
        let mut leaf = Contents::empty(self.low, high);
        leaf.runs = runs;
        self.low = high;
        self.entries.drain(..taken);
        self.target = (taken + taken * self.margin / 256 + MIN_GATHER_STEP).min(self.slots + 1);
        self.margin = (self.margin - GATHER_MARGIN_DECAY.times(self.margin)).max(GATHER_MARGIN.0);
        Some(leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::tie_of;

    /// The bits of evenly spaced floating-point numbers of both signs spread so far that the
    /// estimate of their size is too low.
    #[test]
    fn the_last_leaf_fits_where_the_estimate_is_too_low() {
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

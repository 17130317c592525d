//! Bulk packing for CREATE INDEX: ascending entries in, full leaves out.

use super::contents::Contents;
use super::encode::{Packed, encode_segment};
use super::partition::{Offsets, partition};
use super::{Layout, MAX_SLOTS};
use crate::key::Entry;

/// Turns ascending entries into leaves that are `fill` percent full.
///
/// Entries are gathered until they are likely to fill a page (by the last page's density), then partitioned, and
/// a page takes as many as fit by the estimated widths. So most entries are partitioned once.
#[derive(Debug)]
pub struct Packer<const W: usize> {
    entries: Vec<Entry<W>>,
    low: Entry<W>,
    /// How many entries to gather before trying.
    target: usize,
    /// Bytes and slots a page may take.
    bytes: usize,
    slots: usize,
}

impl<const W: usize> Packer<W> {
    /// A packer that fills pages to `fill` percent (10 to 100).
    pub fn new(fill: u8) -> Self {
        let percent = usize::from(fill.clamp(10, 100));
        Self {
            entries: Vec::new(),
            low: Entry::MIN,
            target: 512,
            bytes: Layout::<W>::ROOM * percent / 100,
            slots: MAX_SLOTS * percent / 100,
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
            // Until a leaf comes, the target grows beyond the entries there are.
            self.target = self.entries.len();
            match self.pack() {
                Some(leaf) => leaves.push(leaf),
                None => {
                    let mut leaf = Contents::empty(self.low, Entry::MAX);
                    leaf.runs = self.pack_all();
                    self.entries.clear();
                    leaves.push(leaf);
                    return leaves;
                }
            }
        }
        leaves.push(Contents::empty(self.low, Entry::MAX));
        leaves
    }

    fn pack_all(&self) -> Vec<Packed<W>> {
        super::encode::encode(&self.entries)
    }

    /// A full leaf of the first entries, if they fill one.
    fn pack(&mut self) -> Option<Contents<W>> {
        let offsets = Offsets::of(&self.entries);
        let segments = partition(&self.entries, offsets);
        let mut runs = Vec::new();
        let (mut used, mut taken) = (0, 0);
        for segment in &segments {
            let run = encode_segment(&self.entries, segment, offsets);
            let (record, slots) = (run.head.record(), run.head.slots);
            let spare = self.bytes.saturating_sub(used + Layout::<W>::RUN + 1);
            // Bits of data and bitmap for a slot.
            let most = (8 * spare / (record + 1)).min(self.slots.saturating_sub(taken));
            if most < slots {
                if most > 0 {
                    runs.push(run.cut(most).0);
                    taken += most;
                }
                return self.emit(runs, taken);
            }
            taken += slots;
            used += Layout::<W>::RUN + run.data.len() + slots.div_ceil(8);
            runs.push(run);
        }
        // Not full yet.
        let room = self.bytes.saturating_sub(used).max(self.bytes / 16);
        let more = taken * room / used.max(1);
        self.target = (taken + more + more / 16 + 64)
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
        self.target = (taken + taken / 16 + 64).min(self.slots + 1);
        Some(leaf)
    }
}

//! A run in memory, apart from a page.

use crate::key::Entry;
use crate::leaf::format::run::{Run, RunHeader};
use crate::leaf::format::{Layout, bitmap_bytes, bits};

/// A run in memory, with its tombstones.
#[derive(Debug, Clone)]
pub(in crate::leaf) struct OwnedRun<const W: usize> {
    pub header: RunHeader<W>,
    pub data: Vec<u8>,
    /// A bit for each slot; empty while none is set.
    pub tombstones: Vec<u8>,
}

impl<const W: usize> OwnedRun<W> {
    /// The run, for reading.
    pub(in crate::leaf) fn run(&self) -> Run<'_, W> {
        Run::new(self.header, &self.data)
    }

    /// Whether the entry in `slot` is deleted.
    pub(in crate::leaf) fn is_deleted(&self, slot: usize) -> bool {
        bits::test(&self.tombstones, slot)
    }

    /// Sets the tombstone of `slot`.
    pub(in crate::leaf) fn delete(&mut self, slot: usize) {
        if self.tombstones.is_empty() {
            self.tombstones = vec![0; bitmap_bytes(self.header.slots)];
        }
        bits::assign(&mut self.tombstones, slot, true);
    }

    /// Number of deleted slots, at most all of them.
    pub(in crate::leaf) fn deleted(&self) -> usize {
        bits::count(&self.tombstones).min(self.header.slots)
    }

    /// Number of live slots.
    pub(in crate::leaf) fn live(&self) -> usize {
        self.header.slots - self.deleted()
    }

    /// Appends the live entries to `out`.
    pub(in crate::leaf) fn append_live(&self, out: &mut Vec<Entry<W>>) {
        let first = out.len();
        self.run().ascend(0, self.header.slots, out);
        if self.tombstones.is_empty() {
            return;
        }
        let mut live = first;
        for slot in 0..self.header.slots {
            if !self.is_deleted(slot) {
                out.copy_within(first + slot..first + slot + 1, live);
                live += 1;
            }
        }
        out.truncate(live);
    }

    /// Appends entries, which are above those of the run, up to the first one that does not fit the
    /// run's widths. Returns their number. A run with tombstones takes none.
    pub(in crate::leaf) fn extend<'e>(
        &mut self,
        entries: impl Iterator<Item = &'e Entry<W>>,
    ) -> usize {
        let before = self.header.slots;
        if !self.tombstones.is_empty() {
            return 0;
        }
        let record = self.header.record_bits();
        for e in entries {
            let Some((residuals, tid)) = self.header.residuals(self.header.slots, e) else {
                break;
            };
            let mut bit = self.header.slots * record;
            self.data.resize((bit + record).div_ceil(8), 0);
            let columns = self.header.words.iter().zip(&residuals);
            for (c, &r) in columns.chain([(&self.header.tid, &tid)]) {
                bits::or(&mut self.data, bit, r, c.width);
                bit += c.width as usize;
            }
            self.header.slots += 1;
        }
        self.header.slots - before
    }

    /// Bits that the run takes of a page: header, data, room for its part of the bitmap.
    pub(in crate::leaf) fn cost(&self) -> usize {
        8 * (Layout::<W>::RUN_HEADER + self.data.len()) + self.header.slots
    }

    /// The slots `from..to` as a run, for `from < to <= slots`. Line, widths and scales stay. So
    /// the parts of a run that is cut take a header and a byte more each than the whole at most.
    pub(in crate::leaf) fn slice(&self, from: usize, to: usize) -> Self {
        let record = self.header.record_bits();
        let mut header = self.header;
        header.start += from;
        header.slots = to - from;
        let mut tombstones = Vec::new();
        if !self.tombstones.is_empty() {
            tombstones = bits::copy(&self.tombstones, from, to - from);
            if bits::count(&tombstones) == 0 {
                tombstones.clear();
            }
        }
        Self {
            header,
            data: bits::copy(&self.data, from * record, (to - from) * record),
            tombstones,
        }
    }

    /// The slots before `at`, and the others, for `0 < at < slots`.
    pub(in crate::leaf) fn cut(&self, at: usize) -> (Self, Self) {
        (self.slice(0, at), self.slice(at, self.header.slots))
    }
}

/// Bits that `runs` take of a page together.
pub(in crate::leaf) fn total_cost<const W: usize>(runs: &[OwnedRun<W>]) -> usize {
    runs.iter().map(OwnedRun::cost).sum()
}

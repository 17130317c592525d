//! A run in memory, apart from a page.

use crate::key::Entry;
use crate::leaf::format::Layout;
use crate::leaf::format::bits;
use crate::leaf::format::run::{Head, Run};

/// A run in memory, with its tombstones.
#[derive(Debug, Clone)]
pub(in crate::leaf) struct Packed<const W: usize> {
    pub head: Head<W>,
    pub data: Vec<u8>,
    /// A bit a slot; empty while none is set.
    pub dead: Vec<u8>,
}

impl<const W: usize> Packed<W> {
    pub(in crate::leaf) fn run(&self) -> Run<'_, W> {
        Run::new(self.head, &self.data)
    }

    pub(in crate::leaf) fn is_dead(&self, slot: usize) -> bool {
        bits::test(&self.dead, slot)
    }

    pub(in crate::leaf) fn dead(&self) -> usize {
        bits::count(&self.dead)
    }

    /// Appends the live entries.
    pub(in crate::leaf) fn live(&self, out: &mut Vec<Entry<W>>) {
        let first = out.len();
        self.run().ascend(0, self.head.slots, out);
        if self.dead.is_empty() {
            return;
        }
        let mut live = first;
        for slot in 0..self.head.slots {
            if !self.is_dead(slot) {
                out.copy_within(first + slot..first + slot + 1, live);
                live += 1;
            }
        }
        out.truncate(live);
    }

    /// Appends entries, which are above its own, up to the first that does not fit its widths; gives their number. A run with
    /// tombstones takes none.
    pub(in crate::leaf) fn extend<'e>(
        &mut self,
        entries: impl Iterator<Item = &'e Entry<W>>,
    ) -> usize {
        let before = self.head.slots;
        if !self.dead.is_empty() {
            return 0;
        }
        let record = self.head.record();
        for e in entries {
            let Some((residuals, tid)) = self.head.residuals(self.head.slots, e) else {
                break;
            };
            let mut bit = self.head.slots * record;
            self.data.resize((bit + record).div_ceil(8), 0);
            let columns = self.head.words.iter().zip(&residuals);
            for (c, &r) in columns.chain([(&self.head.tid, &tid)]) {
                bits::or(&mut self.data, bit, r, c.width);
                bit += c.width as usize;
            }
            self.head.slots += 1;
        }
        self.head.slots - before
    }

    /// Bits the run takes of a page: header, data, room for its part of the bitmap.
    pub(in crate::leaf) fn cost(&self) -> usize {
        8 * (Layout::<W>::RUN + self.data.len()) + self.head.slots
    }

    /// The slots `from..to` as a run, for `from < to <= slots`. Line, widths and scales stay, so that the parts of a
    /// run cut up take a header and a byte more each than the whole at most.
    pub(in crate::leaf) fn part(&self, from: usize, to: usize) -> Self {
        let record = self.head.record();
        let mut head = self.head;
        head.start += from;
        head.slots = to - from;
        let mut dead = Vec::new();
        if !self.dead.is_empty() {
            dead = bits::copy(&self.dead, from, to - from);
            if bits::count(&dead) == 0 {
                dead.clear();
            }
        }
        Self {
            head,
            data: bits::copy(&self.data, from * record, (to - from) * record),
            dead,
        }
    }

    /// The run's slots up to `at` and those from `at` on, for 0 < at < slots.
    pub(in crate::leaf) fn cut(&self, at: usize) -> (Self, Self) {
        (self.part(0, at), self.part(at, self.head.slots))
    }
}

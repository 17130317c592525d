//! Inserts that change a handful of bytes.

use std::iter;

use crate::error::Result;
use crate::key::Entry;
use crate::leaf::format::run::Run;
use crate::leaf::format::{Layout, MAX_SLOTS, bits};
use crate::leaf::read::view::Leaf;
use crate::page::{PAGE_SIZE, pd};
use crate::store::Patch;
use smallvec::SmallVec;

/// Records of so many bytes and one more make a list that is not longer than half a page.
const MOST_BYTES: usize = PAGE_SIZE / 2 - 128;

impl<const W: usize> Leaf<'_, W> {
    /// Appends `first` to the packed region in place, and as many of `more`, which follow it in order, as can go with it;
    /// returns how many these are together. None where `first` cannot: it must be above all entries of the leaf, fit the last run's
    /// widths, and there must be room and no tombstones.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where the last run cannot be read.
    pub fn try_append(
        &self,
        first: &Entry<W>,
        more: &[Entry<W>],
    ) -> Result<Option<(Patch, usize)>> {
        if self.runs == 0 || self.dead > 0 {
            return Ok(None);
        }
        let last = self.runs - 1;
        let placed = self.run(last)?;
        let run = &placed.run;
        let head = &run.head;
        // Data of the last run ends the region, whatever order runs' data may have.
        if placed.data + head.bytes() != self.lower {
            return Ok(None);
        }
        let record = head.record();
        let from = head.slots * record;
        // The first new record shares its first byte with the one before.
        let (start, mut bit) = (placed.data + from / 8, from & 7);
        // Room for one record of any width.
        let mut out: SmallVec<[u8; 96]> = SmallVec::new();
        let mut taken = 0;
        for e in iter::once(first).chain(more) {
            let slots = self.slots + taken + 1;
            let bytes = (bit + record).div_ceil(8);
            if slots > MAX_SLOTS || start + bytes + slots.div_ceil(8) > self.upper {
                break;
            }
            // Residuals come from the header alone, and mostly say no where the entry is not the highest.
            let Some((residuals, tid)) = head.residuals(head.slots + taken, e) else {
                break;
            };
            if taken == 0 && !self.is_below(run, e) || out.len() > MOST_BYTES {
                break;
            }
            out.resize(bytes, 0);
            let columns = head.words.iter().zip(&residuals);
            for (width, &r) in columns
                .map(|(c, r)| (c.width, r))
                .chain([(head.tid.width, &tid)])
            {
                bits::or(&mut out, bit, r, width);
                bit += width as usize;
            }
            taken += 1;
        }
        if taken == 0 {
            return Ok(None);
        }
        let mut patch = Patch::new();
        let slots = (head.slots + taken) as u16;
        patch.put(Self::header(last), &slots.to_le_bytes());
        let slots = (self.slots + taken) as u16;
        patch.put(Layout::<W>::COUNTS + 2, &slots.to_le_bytes());
        if record > 0 {
            let before = from & 7;
            let before = bits::read(
                run.data,
                from - before,
                before as u32,
                bits::mask(before as u32),
            );
            bits::or(&mut out, 0, before, 8);
            patch.put(start, &out);
            let lower = (start + out.len()) as u16;
            patch.put(pd::LOWER, &lower.to_le_bytes());
        }
        Ok(Some((patch, taken)))
    }

    /// Whether all entries of the leaf, of which `last` is the last run, are below `e`.
    fn is_below(&self, last: &Run<'_, W>, e: &Entry<W>) -> bool {
        last.entry(last.head.slots - 1) < *e && (0..self.log).all(|i| self.logged(i) < *e)
    }

    /// The places, beside the free ones, that the insert log has room to grow by.
    pub(in crate::leaf) fn log_growth(&self) -> usize {
        let kept = self.data_end() + self.slots.div_ceil(8);
        (self.upper.saturating_sub(kept) / Layout::<W>::ENTRY)
            .min(Layout::<W>::LOG.saturating_sub(self.log + self.free))
    }

    /// Adds `first` to the insert log, and as many of `more` as there is room for; returns how many these are together. None of
    /// them is here yet. None if there is no room or the tie of `first` is 0.
    pub fn try_log(&self, first: &Entry<W>, more: &[Entry<W>]) -> Option<(Patch, usize)> {
        if first.tie == 0 {
            return None;
        }
        let wanted = 1 + more.iter().take_while(|e| e.tie != 0).count();
        let mut patch = Patch::new();
        let mut room = self.free;
        if wanted > room {
            let step = (wanted - room)
                .next_multiple_of(Layout::<W>::STEP)
                .min(self.log_growth());
            if room + step == 0 {
                return None;
            }
            if step > 0 {
                let upper = self.upper - step * Layout::<W>::ENTRY;
                patch.put(pd::UPPER, &(upper as u16).to_le_bytes());
                room += step;
            }
        }
        let taken = wanted.min(room);
        let mut bytes: SmallVec<[u8; 32]> = SmallVec::new();
        // The latest lies lowest.
        for e in more.iter().take(taken - 1).rev().chain([first]) {
            for word in e.key.iter().chain([&e.tie]) {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
        }
        patch.put(self.log_at(0) - bytes.len(), &bytes);
        Some((patch, taken))
    }
}

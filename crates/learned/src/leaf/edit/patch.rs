//! Inserts that change a few bytes of the page.

use std::iter;

use crate::error::Result;
use crate::key::Entry;
use crate::leaf::format::run::Run;
use crate::leaf::format::{Layout, bitmap_bytes, bits};
use crate::leaf::read::view::Leaf;
use crate::page::pd;
use crate::policy::leaf::{MAX_APPEND_BYTES, MAX_SLOTS};
use crate::store::Patch;
use smallvec::SmallVec;

impl<const W: usize> Leaf<'_, W> {
    /// Appends `first` to the last run in place, and as many of `more`, which follow it in order,
    /// as can go with it. Returns the patch and the number of entries. None where `first` cannot be
    /// appended: it must be above all entries of the leaf and fit the widths of the last run, and
    /// there must be room and no tombstones.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where the last run cannot be read.
    pub fn try_append(
        &self,
        first: &Entry<W>,
        more: &[Entry<W>],
    ) -> Result<Option<(Patch, usize)>> {
        if self.runs == 0 || self.tombstones > 0 {
            return Ok(None);
        }
        let last = self.runs - 1;
        let placed = self.run(last)?;
        let run = &placed.run;
        let header = &run.header;
        // A sound page has the data of the runs in order, those of the last run at the end.
        if placed.data + header.data_bytes() != self.lower {
            return Ok(None);
        }
        let record = header.record_bits();
        let from = header.slots * record;
        // The first new record shares its first byte with the record before.
        let (start, mut bit) = (placed.data + from / 8, from & 7);
        // This is room for one record of any width.
        let mut out: SmallVec<[u8; 96]> = SmallVec::new();
        let mut taken = 0;
        for e in iter::once(first).chain(more) {
            let slots = self.slots + taken + 1;
            let bytes = (bit + record).div_ceil(8);
            if slots > MAX_SLOTS || start + bytes + bitmap_bytes(slots) > self.upper {
                break;
            }
            // The header alone gives the residuals. Mostly there are none where the entry is not
            // the highest one.
            let Some((residuals, tid)) = header.residuals(header.slots + taken, e) else {
                break;
            };
            if taken == 0 && !self.is_below(run, e) || out.len() > MAX_APPEND_BYTES {
                break;
            }
            out.resize(bytes, 0);
            let columns = header.words.iter().zip(&residuals);
            for (width, &r) in columns
                .map(|(c, r)| (c.width, r))
                .chain([(header.tid.width, &tid)])
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
        let slots = (header.slots + taken) as u16;
        patch.put(Layout::<W>::run_header(last), &slots.to_le_bytes());
        let slots = (self.slots + taken) as u16;
        patch.put(Layout::<W>::SLOTS, &slots.to_le_bytes());
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

    /// Whether all entries of the leaf, whose last run is `last`, are below `e`.
    fn is_below(&self, last: &Run<'_, W>, e: &Entry<W>) -> bool {
        last.entry(last.header.slots - 1) < *e && (0..self.log).all(|i| self.logged(i) < *e)
    }

    /// Number of entries by which the area of the insert log can grow.
    pub(in crate::leaf) fn log_growth(&self) -> usize {
        let kept = self.data_end() + bitmap_bytes(self.slots);
        (self.upper.saturating_sub(kept) / Layout::<W>::ENTRY)
            .min(Layout::<W>::MAX_LOG.saturating_sub(self.log + self.free))
    }

    /// Adds `first` to the insert log, and as many of `more` as there is room for. Returns the
    /// patch and the number of entries. The leaf has none of the entries yet. None where there is
    /// no room, or where the tie of `first` is 0, which marks a free place.
    pub fn try_log(&self, first: &Entry<W>, more: &[Entry<W>]) -> Option<(Patch, usize)> {
        if first.tie == 0 {
            return None;
        }
        let wanted = 1 + more.iter().take_while(|e| e.tie != 0).count();
        let mut patch = Patch::new();
        let mut room = self.free;
        if wanted > room {
            let step = (wanted - room)
                .next_multiple_of(Layout::<W>::LOG_STEP)
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
        // The newest entry lies lowest.
        for e in more.iter().take(taken - 1).rev().chain([first]) {
            for word in e.key.iter().chain([&e.tie]) {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
        }
        patch.put(self.log_at(0) - bytes.len(), &bytes);
        Some((patch, taken))
    }
}

//! Inserts that change a handful of bytes.

use super::view::Leaf;
use super::{Layout, MAX_SLOTS, bits};
use crate::error::Result;
use crate::key::Entry;
use crate::page::pd;
use crate::store::Patch;
use smallvec::SmallVec;

/// Bytes that hold a record of any width and the bits before it in its first byte.
const RECORD: usize = 8 * 9 + 1;

impl<const W: usize> Leaf<'_, W> {
    /// Appends `e` to the packed region in place; None where that is not possible: it must be above
    /// all entries, fit the last run's widths, and there must be room and no tombstones.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where the last run cannot be read.
    pub fn try_append(&self, e: &Entry<W>) -> Result<Option<Patch>> {
        if self.runs == 0 || self.dead > 0 || self.slots >= MAX_SLOTS {
            return Ok(None);
        }
        let last = self.runs - 1;
        let placed = self.run(last)?;
        let run = &placed.run;
        let head = &run.head;
        let slot = head.slots;
        let j = head.start + slot;
        // Data of the last run ends the region, whatever order runs' data may have.
        if !head.holds(e.tie)
            || j >= usize::from(u16::MAX)
            || placed.data + head.bytes() != self.lower
        {
            return Ok(None);
        }
        // Residuals first: they come from the header alone, and mostly say no where the entry is not the highest.
        let mut residuals = [0; W];
        for ((r, c), &word) in residuals.iter_mut().zip(&head.words).zip(&e.key) {
            match c.residual(j, word) {
                Some(residual) => *r = residual,
                None => return Ok(None),
            }
        }
        let Some(tid) = head.tid.residual(j, head.ordinal(e.tie)) else {
            return Ok(None);
        };
        let record = head.record();
        let from = slot * record;
        let lower = placed.data + (from + record).div_ceil(8);
        if lower + (self.slots + 1).div_ceil(8) > self.upper
            || run.entry(slot - 1) >= *e
            || (0..self.log).any(|i| self.logged(i) >= *e)
        {
            return Ok(None);
        }
        // The new record shares its first byte with the one before.
        let shared = from & 7;
        let before = bits::read(
            run.data,
            from - shared,
            shared as u32,
            bits::mask(shared as u32),
        );
        let mut out = [0; RECORD];
        bits::or(&mut out, 0, before, shared as u32);
        let mut bit = shared;
        let columns = head.words.iter().zip(&residuals);
        for (width, &r) in columns
            .map(|(c, r)| (c.width, r))
            .chain([(head.tid.width, &tid)])
        {
            bits::or(&mut out, bit, r, width);
            bit += width as usize;
        }
        let Some(out) = out.get(..bit.div_ceil(8)) else {
            return Ok(None);
        };
        let mut patch = Patch::new();
        let header = Self::header(last);
        patch.put(header, &(slot as u16 + 1).to_le_bytes());
        patch.put(
            Layout::<W>::COUNTS + 2,
            &(self.slots as u16 + 1).to_le_bytes(),
        );
        if record > 0 {
            patch.put(placed.data + from / 8, out);
            patch.put(pd::LOWER, &(lower as u16).to_le_bytes());
        }
        Ok(Some(patch))
    }

    /// Adds `e`, which is not here yet, to the insert log; None if that is full or the tie is 0.
    pub fn try_log(&self, e: &Entry<W>) -> Option<Patch> {
        if e.tie == 0 {
            return None;
        }
        let mut bytes: SmallVec<[u8; 32]> = SmallVec::new();
        for word in e.key.iter().chain([&e.tie]) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        let mut patch = Patch::new();
        let mut at = self.log_at(0);
        if self.free == 0 {
            let kept = self.data_end() + self.slots.div_ceil(8);
            let room = self.upper.saturating_sub(kept) / Layout::<W>::ENTRY;
            let step = Layout::<W>::STEP
                .min(Layout::<W>::LOG.saturating_sub(self.log))
                .min(room);
            if step == 0 {
                return None;
            }
            let upper = self.upper - step * Layout::<W>::ENTRY;
            patch.put(pd::UPPER, &(upper as u16).to_le_bytes());
        }
        at -= Layout::<W>::ENTRY;
        patch.put(at, &bytes);
        Some(patch)
    }
}

//! Inserts that change a handful of bytes.

use super::view::Leaf;
use super::{Layout, MAX_SLOTS, bits};
use crate::error::Result;
use crate::key::Entry;
use crate::page::pd;
use crate::store::Patch;

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
        if !head.holds(e.tie)
            || j >= usize::from(u16::MAX)
            || run.entry(slot - 1) >= *e
            || (0..self.log).any(|i| self.logged(i) > *e)
            || (0..self.log).any(|i| self.logged(i) == *e)
        {
            return Ok(None);
        }
        // Data of the last run ends the region, whatever order runs' data may have.
        if placed.data + head.bytes() != self.lower {
            return Ok(None);
        }
        let record = head.record();
        let from = slot * record;
        let lower = placed.data + (from + record).div_ceil(8);
        if lower + (self.slots + 1).div_ceil(8) > self.upper {
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
        let mut out = bits::Writer::new(record + 8);
        out.push(before, shared as u32);
        for (c, &word) in head.words.iter().zip(&e.key) {
            let Some(r) = c.residual(j, word) else {
                return Ok(None);
            };
            out.push(r, c.width);
        }
        let Some(r) = head.tid.residual(j, head.ordinal(e.tie)) else {
            return Ok(None);
        };
        out.push(r, head.tid.width);
        let mut patch = Patch::new();
        let header = Self::header(last);
        patch.put(header, &(slot as u16 + 1).to_le_bytes());
        patch.put(
            Layout::<W>::COUNTS + 2,
            &(self.slots as u16 + 1).to_le_bytes(),
        );
        if record > 0 {
            patch.put(placed.data + from / 8, &out.finish());
            patch.put(pd::LOWER, &(lower as u16).to_le_bytes());
        }
        Ok(Some(patch))
    }

    /// Adds `e` to the insert log; None if that is full. An entry that is here already gives an empty
    /// patch.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read.
    pub fn try_log(&self, e: &Entry<W>) -> Result<Option<Patch>> {
        if self.contains(e)? {
            return Ok(Some(Patch::new()));
        }
        let kept = self.data_end() + self.slots.div_ceil(8);
        if self.log >= Layout::<W>::LOG || kept + Layout::<W>::ENTRY > self.upper {
            return Ok(None);
        }
        let at = self.upper - Layout::<W>::ENTRY;
        let mut bytes = Vec::with_capacity(Layout::<W>::ENTRY);
        for word in &e.key {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&e.tie.to_le_bytes());
        let mut patch = Patch::new();
        patch.put(pd::UPPER, &(at as u16).to_le_bytes());
        patch.put(
            Layout::<W>::COUNTS + 6,
            &(self.log as u16 + 1).to_le_bytes(),
        );
        patch.put(at, &bytes);
        Ok(Some(patch))
    }
}

//! The checks of a leaf that need no other page.

use crate::error::Result;
use crate::key::Entry;
use crate::leaf::format::{Layout, bitmap_bytes, bits};
use crate::leaf::read::view::Leaf;
use crate::page::{self, PAGE_ID, PAGE_SIZE, SPECIAL, VERSION};

/// What [`Leaf::verify`] counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Number of live entries, with those of the insert log.
    pub live: usize,
    /// Number of slots of all runs.
    pub slots: usize,
    /// Number of runs.
    pub runs: usize,
    /// Number of entries of the insert log.
    pub log: usize,
    /// Number of bytes from the page's start to the hole, and from its end to the special area.
    pub bytes: usize,
}

impl<const W: usize> Leaf<'_, W> {
    /// Checks the whole page: special area, fences, hole, bitmap. The data of the runs lie in
    /// bounds and apart. Entries ascend strictly and lie within the fences. Entries of the log
    /// differ from those of the runs.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] with the first contradiction that is found.
    pub fn verify(&self) -> Result<Verified> {
        let special = self.page.get(SPECIAL..).unwrap_or_default();
        if special.get(..3) != Some(&[page::Kind::Leaf as u8, VERSION, W as u8])
            || page::u16_at(self.page, PAGE_SIZE - 2) != PAGE_ID
        {
            return Err(self.fault("the special area is not that of a leaf"));
        }
        let (low, high) = (self.low(), self.high());
        if low >= high {
            return Err(self.fault("the fences are out of order"));
        }
        let hole = self.page.get(self.lower..self.upper).unwrap_or_default();
        if hole.iter().any(|&b| b != 0) {
            return Err(self.fault("the hole is not all zero"));
        }
        if self.data_end() + bitmap_bytes(self.slots) > self.upper {
            return Err(self.fault("there is no room for tombstones"));
        }
        let spare = self.slots & 7;
        if bits::count(self.bitmap()) != self.tombstones
            || (self.tombstones > 0
                && spare > 0
                && self.bitmap().last().is_some_and(|b| b >> spare != 0))
        {
            return Err(self.fault("tombstones are miscounted"));
        }
        let mut entries: Vec<Entry<W>> = Vec::with_capacity(self.slots);
        let mut end = Layout::<W>::run_header(self.runs);
        for i in 0..self.runs {
            let placed = self.run(i)?;
            let header = &placed.run.header;
            if placed.data != end {
                return Err(self.fault("the data of the runs have gaps or overlap"));
            }
            end += header.data_bytes();
            let at = entries.len();
            if at + header.slots > self.slots || header.start + header.slots > usize::from(u16::MAX)
            {
                return Err(self.fault("a run has too many slots"));
            }
            if header.words.iter().any(|w| w.scale == 0) {
                return Err(self.fault("a run has scale 0"));
            }
            placed.run.ascend(0, header.slots, &mut entries);
            let new = entries.get(at..).unwrap_or_default();
            let past = (1u64 << 32).saturating_mul(header.per_block);
            if (0..header.slots).any(|slot| placed.run.ordinal(slot) >= past)
                || new.iter().any(|e| !header.holds(e.tie))
            {
                return Err(self.fault("a run has an impossible heap position"));
            }
            if header.start == 0 {
                let bases = std::array::from_fn(|i| header.words.get(i).map_or(0, |w| w.base));
                if new
                    .first()
                    .is_none_or(|e| e.key != bases || header.ordinal(e.tie) != header.tid.base)
                {
                    return Err(self.fault("a run does not start at its base"));
                }
            }
        }
        if end != self.data_end() || entries.len() != self.slots {
            return Err(self.fault("slots or data are miscounted"));
        }
        if !entries.is_sorted_by(|a, b| a < b) {
            return Err(self.fault("entries are out of order"));
        }
        let free = self.page.get(self.upper..self.log_at(0));
        if free.is_none_or(|free| free.iter().any(|&b| b != 0))
            || (0..self.log).any(|i| self.logged(i).tie == 0)
        {
            return Err(
                self.fault("free places of the insert log are not zero, or lie amid its entries")
            );
        }
        let mut log: Vec<_> = (0..self.log).map(|i| self.logged(i)).collect();
        log.sort_unstable();
        if !log.is_sorted_by(|a, b| a < b) {
            return Err(self.fault("the insert log has an entry twice"));
        }
        for e in &log {
            if let Ok(i) = entries.binary_search(e)
                && !bits::test(self.bitmap(), i)
            {
                return Err(self.fault("an entry is packed and in the insert log"));
            }
        }
        let ends = [entries.first(), entries.last(), log.first(), log.last()];
        if ends.iter().flatten().any(|e| !self.covers(e)) {
            return Err(self.fault("an entry is outside the fences"));
        }
        Ok(Verified {
            live: self.live(),
            slots: self.slots,
            runs: self.runs,
            log: self.log,
            bytes: self.lower + (SPECIAL - self.upper),
        })
    }

    /// Number of bytes that directory, data, bitmap and log take together at most.
    pub const fn room() -> usize {
        Layout::<W>::ROOM
    }
}

//! The entries of a leaf whose rows may be dead.

use crate::error::Result;
use crate::leaf::format::bits;
use crate::leaf::format::run::Run;
use crate::leaf::read::view::Leaf;

/// Offsets of a block of the table whose rows may be dead, a bit for each.
pub type Offsets = [u64; 5];

/// An entry whose row may be dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect {
    /// The tie of the entry, with the TID of its row.
    pub tie: u64,
    /// The place of the entry in the leaf. Places count the entries of the log, newest first, then
    /// all slots.
    pub place: usize,
}

/// Tells which rows are dead.
pub trait Dead {
    /// The offsets of a block of the table whose rows may be dead. None where nothing is known of
    /// the block: any of its rows may be dead.
    fn offsets(&self, _block: u32) -> Option<&Offsets> {
        None
    }

    /// Appends the places of those suspects whose row is dead, ascending. `suspects` are all
    /// suspects of a leaf, their places ascending, each of them once.
    fn find(&mut self, suspects: &[Suspect], places: &mut Vec<usize>);
}

impl<F: FnMut(u64) -> bool> Dead for F {
    fn find(&mut self, suspects: &[Suspect], places: &mut Vec<usize>) {
        let dead = suspects.iter().filter(|suspect| self(suspect.tie));
        places.extend(dead.map(|suspect| suspect.place));
    }
}

impl<const W: usize> Leaf<'_, W> {
    /// Appends the live entries whose rows may be dead, their places ascending.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read.
    pub fn suspects(&self, dead: &dyn Dead, suspects: &mut Vec<Suspect>) -> Result<()> {
        let mut block = CachedBlock {
            dead,
            last: None,
            offsets: None,
        };
        for place in 0..self.log {
            let tie = self.logged(place).tie;
            if block.contains(tie) {
                suspects.push(Suspect { tie, place });
            }
        }
        let bitmap = self.bitmap();
        let mut before = 0;
        for i in 0..self.runs {
            let run = self.run(i)?.run;
            // Before the slots are visited: a damaged page may claim any number of them.
            if before + run.header.slots > self.slots {
                return Err(self.fault("slots are miscounted"));
            }
            run.suspects(&mut block, |slot, tie| {
                let slot = before + slot;
                if bitmap.is_empty() || !bits::test(bitmap, slot) {
                    let place = self.log + slot;
                    suspects.push(Suspect { tie, place });
                }
            });
            before += run.header.slots;
        }
        if before != self.slots {
            return Err(self.fault("slots are miscounted"));
        }
        Ok(())
    }
}

/// What is known of the block that was asked about last. The next question is mostly about the same
/// block.
struct CachedBlock<'a> {
    dead: &'a dyn Dead,
    last: Option<u32>,
    offsets: Option<&'a Offsets>,
}

impl<'a> CachedBlock<'a> {
    #[inline(always)]
    fn offsets(&mut self, block: u32) -> Option<&'a Offsets> {
        if self.last != Some(block) {
            self.last = Some(block);
            self.offsets = self.dead.offsets(block);
        }
        self.offsets
    }

    #[inline(always)]
    fn contains(&mut self, tie: u64) -> bool {
        let offset = usize::from(tie as u16);
        let word = self
            .offsets((tie >> 16) as u32)
            .map(|offsets| offsets.get(offset / 64));
        match word {
            Some(Some(word)) => word >> (offset % 64) & 1 == 1,
            // Nothing is known of the block, or the offset is one that no heap has.
            _ => true,
        }
    }
}

impl<const W: usize> Run<'_, W> {
    /// Calls `visit` with the slot and the tie of each suspect.
    fn suspects(&self, block: &mut CachedBlock<'_>, mut visit: impl FnMut(usize, u64)) {
        if !self.header.tid.is_count() {
            self.ties(|from, ties| {
                for (slot, &tie) in (from..).zip(ties) {
                    if block.contains(tie) {
                        visit(slot, tie);
                    }
                }
            });
            return;
        }
        // The slots are consecutive rows of the table, so only the suspects of each block are
        // looked at.
        let (per_block, slots) = (self.header.per_block, self.header.slots);
        let mut tie = self.tie(0);
        let mut slot = 0;
        while slot < slots {
            let offset = tie & 0xFFFF;
            let left = (self.header.first + per_block)
                .saturating_sub(offset)
                .max(1);
            let count = (left as usize).min(slots - slot);
            let end = offset as usize + count;
            match block.offsets((tie >> 16) as u32) {
                Some(offsets) if end <= 64 * offsets.len() => {
                    for at in bits::ones(offsets, offset as usize, end) {
                        let further = at - offset as usize;
                        visit(slot + further, tie.wrapping_add(further as u64));
                    }
                }
                _ => (0..count).for_each(|i| visit(slot + i, tie.wrapping_add(i as u64))),
            }
            slot += count;
            if slot < slots {
                tie = self.tie(slot);
            }
        }
    }
}

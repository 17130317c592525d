//! Which of a leaf's entries may be of dead rows.

use crate::error::Result;
use crate::leaf::format::bits;
use crate::leaf::format::run::Run;
use crate::leaf::read::view::Leaf;

/// Offsets of a block of the table that may be dead, a bit for each.
pub type Offsets = [u64; 5];

/// An entry whose row may be dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect {
    /// Where the row is.
    pub tie: u64,
    /// Which entry of the leaf it is: entries of the log by age, the newest first, then all slots.
    pub place: usize,
}

/// Who knows which rows are dead.
pub trait Dead {
    /// Those offsets of this block of the table whose rows may be dead; None where it may be any.
    fn offsets(&self, _block: u32) -> Option<&Offsets> {
        None
    }

    /// Adds the places (ascending) of the suspects whose row is dead. These are all of a leaf, each once, their places ascending.
    fn find(&mut self, suspects: &[Suspect], places: &mut Vec<usize>);
}

impl<F: FnMut(u64) -> bool> Dead for F {
    fn find(&mut self, suspects: &[Suspect], places: &mut Vec<usize>) {
        let dead = suspects.iter().filter(|suspect| self(suspect.tie));
        places.extend(dead.map(|suspect| suspect.place));
    }
}

impl<const W: usize> Leaf<'_, W> {
    /// Adds the live entries whose rows may be dead, places ascending.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read.
    pub fn suspects(&self, dead: &dyn Dead, suspects: &mut Vec<Suspect>) -> Result<()> {
        let mut of_block = OfBlock {
            dead,
            last: None,
            offsets: None,
        };
        for place in 0..self.log {
            let tie = self.logged(place).tie;
            if of_block.contains(tie) {
                suspects.push(Suspect { tie, place });
            }
        }
        let bitmap = self.bitmap();
        let mut before = 0;
        for i in 0..self.runs {
            let run = self.run(i)?.run;
            // Before they are visited: a damaged page may claim very many.
            if before + run.head.slots > self.slots {
                return Err(self.fault("slots are miscounted"));
            }
            run.suspects(&mut of_block, |slot, tie| {
                let slot = before + slot;
                if bitmap.is_empty() || !bits::test(bitmap, slot) {
                    let place = self.log + slot;
                    suspects.push(Suspect { tie, place });
                }
            });
            before += run.head.slots;
        }
        if before != self.slots {
            return Err(self.fault("slots are miscounted"));
        }
        Ok(())
    }
}

/// What is known of the block asked about last, which mostly is the next one, too.
struct OfBlock<'a> {
    dead: &'a dyn Dead,
    last: Option<u32>,
    offsets: Option<&'a Offsets>,
}

impl<'a> OfBlock<'a> {
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
            // Nothing is known, or it is beyond what any heap has.
            _ => true,
        }
    }
}

impl<const W: usize> Run<'_, W> {
    /// Hands slot and tie of the suspects to `visit`.
    fn suspects(&self, of_block: &mut OfBlock<'_>, mut visit: impl FnMut(usize, u64)) {
        if !self.head.tid.is_count() {
            self.ties(|from, ties| {
                for (slot, &tie) in (from..).zip(ties) {
                    if of_block.contains(tie) {
                        visit(slot, tie);
                    }
                }
            });
            return;
        }
        // Row after row of the table: of each block only the suspects are looked at.
        let (per_block, slots) = (self.head.per_block, self.head.slots);
        let mut tie = self.tie(0);
        let mut slot = 0;
        while slot < slots {
            let offset = tie & 0xFFFF;
            let left = (self.head.first + per_block).saturating_sub(offset).max(1);
            let count = (left as usize).min(slots - slot);
            let end = offset as usize + count;
            match of_block.offsets((tie >> 16) as u32) {
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

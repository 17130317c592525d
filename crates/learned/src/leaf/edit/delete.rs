//! Deleting single entries from a leaf.

use crate::error::Result;
use crate::key::Entry;
use crate::leaf::edit::contents::Contents;
use crate::leaf::format::bits;
use crate::leaf::read::view::Leaf;
use crate::page::{CHURNED, Page, THINNED};

impl<const W: usize> Leaf<'_, W> {
    /// The page without those of `entries` (ascending) that it has. Packed entries get tombstones and all else stays in place, so
    /// that the change is a small one, and the page is marked as thinned. None: it has none of them.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read.
    pub fn delete(&self, entries: &[Entry<W>]) -> Result<Option<Box<Page>>> {
        let mut contents = self.contents()?;
        if !contents.delete(entries) {
            return Ok(None);
        }
        contents.flags |= THINNED | CHURNED;
        let fault = || self.fault("does not fit after deletions");
        contents.to_page().map(Some).ok_or_else(fault)
    }
}

impl<const W: usize> Contents<W> {
    /// Whether there were any of `entries`, which are gone now.
    fn delete(&mut self, entries: &[Entry<W>]) -> bool {
        let logged = self.log.len();
        self.log.retain(|e| entries.binary_search(e).is_err());
        let mut any = self.log.len() < logged;
        let firsts = self.firsts();
        for e in entries {
            let run = firsts.partition_point(|first| first <= e).saturating_sub(1);
            let Some(packed) = self.runs.get_mut(run) else {
                break;
            };
            let (view, slots) = (packed.run(), packed.head.slots);
            let slot = view.seek(e, 0, slots);
            if slot < slots && view.entry(slot) == *e && !packed.is_dead(slot) {
                if packed.dead.is_empty() {
                    packed.dead = vec![0; slots.div_ceil(8)];
                }
                bits::assign(&mut packed.dead, slot, true);
                any = true;
            }
        }
        any
    }
}

//! VACUUM: deleting the entries of all dead rows, and freeing the pages that are no longer needed.

use super::condense::VacuumedLeaf;
use super::delete::{DeadBuffers, Deleter};
use super::descend::SearchTarget;
use super::{Tree, with_restarts};
use crate::error::Result;
use crate::fences;
use crate::key::Entry;
use crate::leaf::{Dead, Leaf};
use crate::page::{Block, THINNED};
use crate::store::{Guard, Store};

/// The result of a vacuum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VacuumReport {
    /// Leaves that remain.
    pub leaves: u64,
    /// Entries that remain.
    pub live: u64,
    /// Entries deleted.
    pub deleted: u64,
    /// Pages freed, leaves and inner pages.
    pub freed: u64,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Deletes the entries whose tie is `dead`, which is asked once for each suspect. Leaves are
    /// visited in key order, each under a cleanup lock. Splits meanwhile move entries only to the
    /// right, so none is missed. Incomplete splits are completed.
    ///
    /// With `condense`, neighbours that fit on one page are joined, and sparse leaves are filled
    /// up. Only one backend at a time may ask for that. No lock may be held.
    pub fn vacuum(&self, dead: &mut dyn Dead, condense: bool) -> Result<VacuumReport> {
        self.store.vacuuming(|| self.vacuum_leaves(dead, condense))
    }

    fn vacuum_leaves(&self, dead: &mut dyn Dead, condense: bool) -> Result<VacuumReport> {
        let mut done = VacuumReport::default();
        let (mut low, mut hint) = (Entry::MIN, None);
        let (mut passed, mut buffers) = (Vec::new(), DeadBuffers::default());
        loop {
            let mut leaf = self.leaf_for_cleanup(&low, hint)?;
            let block = leaf.block();
            let view = Leaf::<W>::open(&leaf, block)?;
            let fence = view.low();
            (low, hint) = (view.high(), view.right());
            done.leaves += 1;
            let thinned = view.flags() & THINNED != 0;
            let deleted = self.delete_dead_from(&mut leaf, dead, &mut buffers, Deleter::Vacuum)?;
            let view = Leaf::<W>::open(&leaf, block)?;
            done.deleted += deleted as u64;
            done.live += view.live() as u64;
            let here = VacuumedLeaf {
                block,
                low: fence,
                fill: view.fill(),
                thinned: thinned || deleted > 0,
            };
            drop(leaf);
            self.store.reached("vacuum: between leaves");
            self.store.interrupt();
            if condense {
                self.condense(&mut passed, here, &mut done)?;
            }
            if low == Entry::MAX {
                break;
            }
        }
        done.freed += self.vacuum_inner_pages(condense)?;
        if condense {
            done.freed += self.lower_root()?;
        }
        Ok(done)
    }

    /// The leaf that covers `low`, under a cleanup lock, its incomplete split completed. The leaf
    /// is `hint` if that covers `low`.
    fn leaf_for_cleanup(&self, low: &Entry<W>, mut hint: Option<Block>) -> Result<S::Write> {
        with_restarts(|| {
            let block = match hint.take() {
                Some(block) => block,
                None => self.leaf(&SearchTarget::covering(low))?.block(),
            };
            let mut leaf = self.store.write_for_cleanup(block)?;
            let fences = fences::read::<W>(&leaf, block, 0)?;
            if !fences.is_some_and(|(from, until)| from <= *low && *low < until) {
                return Ok(None);
            }
            if self.complete_split(&mut leaf)? {
                return Ok(Some(leaf));
            }
            drop(leaf);
            self.complete_root_split()?;
            Ok(None)
        })
    }
}

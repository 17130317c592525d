//! Removing the entries of dead rows, and the pages that become superfluous.

use super::condense::Passed;
use super::delete::Asked;
use super::descend::Target;
use super::{Tree, retry};
use crate::error::Result;
use crate::fences;
use crate::key::Entry;
use crate::leaf::{Dead, Leaf};
use crate::page::{Block, THINNED};
use crate::store::{Guard, Store};

/// What a vacuum met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Leaves left.
    pub leaves: u64,
    /// Entries left.
    pub live: u64,
    /// Entries removed.
    pub removed: u64,
    /// Pages given up, inner pages among them.
    pub freed: u64,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Removes the entries whose tie is `dead`, asking once for each. Leaves are visited in key
    /// order, each under the cleanup lock; splits meanwhile move entries only to the right, so
    /// none is missed. Incomplete splits are completed on the way. With `merge` neighbours that fit on
    /// one page are merged and sparse ones filled up; only one backend at a time may ask for that.
    pub fn vacuum(&self, dead: &mut dyn Dead, merge: bool) -> Result<Vacuumed> {
        self.store.vacuuming(|| self.vacuum_alone(dead, merge))
    }

    fn vacuum_alone(&self, dead: &mut dyn Dead, merge: bool) -> Result<Vacuumed> {
        let mut done = Vacuumed::default();
        let (mut low, mut hint) = (Entry::MIN, None);
        let (mut passed, mut asked) = (Vec::new(), Asked::default());
        loop {
            let mut leaf = self.leaf_for_cleanup(&low, hint)?;
            let block = leaf.block();
            let view = Leaf::<W>::open(&leaf, block)?;
            let fence = view.low();
            (low, hint) = (view.high(), view.right());
            done.leaves += 1;
            let thinned = view.flags() & THINNED != 0;
            let removed = self.remove(&mut leaf, dead, &mut asked, true)?;
            let view = Leaf::<W>::open(&leaf, block)?;
            done.removed += removed as u64;
            done.live += view.live() as u64;
            let here = Passed {
                block,
                low: fence,
                fill: view.fill(),
                thinned: thinned || removed > 0,
            };
            drop(leaf);
            self.store.reached("vacuum: between leaves");
            self.store.interrupt();
            if merge {
                self.condense(&mut passed, here, &mut done)?;
            }
            if low == Entry::MAX {
                break;
            }
        }
        done.freed += self.tend_inner(merge)?;
        if merge {
            done.freed += self.lower_root()?;
        }
        Ok(done)
    }

    /// The leaf that covers `low`, which is `hint` if that begins there, its split completed.
    fn leaf_for_cleanup(&self, low: &Entry<W>, mut hint: Option<Block>) -> Result<S::Write> {
        retry(|| {
            let block = match hint.take() {
                Some(block) => block,
                None => self.leaf(&Target::at(low))?.block(),
            };
            let mut leaf = self.store.write_for_cleanup(block)?;
            let fences = fences::of::<W>(&leaf, block, 0)?;
            if !fences.is_some_and(|(from, until)| from <= *low && *low < until) {
                return Ok(None);
            }
            if self.complete(&mut leaf)? {
                return Ok(Some(leaf));
            }
            drop(leaf);
            self.complete_root()?;
            Ok(None)
        })
    }
}

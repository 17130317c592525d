//! Making the leaves fewer that a vacuum has passed.
//!
//! Two neighbours that fit on one page are merged. But halves of a split beside full leaves would stay half empty for good: no two
//! neighbours fit together. So a vacuum looks back at the last few leaves, and where these would fit on one page less, it fills
//! each up from the next ([`Tree::shift`]), until two are left that can be merged. Each step logs the images of two pages, so none is
//! taken before it is known to what end, and none where nothing has died.

use super::Tree;
use crate::error::Result;
use crate::key::Entry;
use crate::leaf::Fill;
use crate::page::{Block, MERGED_FILL};
use crate::policy::leaf::DENSE_FILL_PERCENT as DENSE;
use crate::store::Store;
use crate::tree::Vacuumed;

/// So many leaves are looked at together.
const WINDOW: usize = 5;
/// Percentage of a page that filling up may waste: entries may take a little more room where they go.
const MARGIN: usize = 3;

/// A leaf that a vacuum has passed.
pub(super) struct Passed<const W: usize> {
    pub block: Block,
    pub low: Entry<W>,
    pub fill: Fill<W>,
    /// Entries were removed from it, by this VACUUM or since the one before.
    pub thinned: bool,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Adds a leaf to those that were passed just before, and makes these fewer, if possible. Called without any lock held.
    pub(super) fn condense(
        &self,
        passed: &mut Vec<Passed<W>>,
        here: Passed<W>,
        done: &mut Vacuumed,
    ) -> Result<()> {
        self.join(passed, here, false, done)?;
        if let Some(from) = window(passed) {
            for leaf in passed.split_off(from) {
                let own = passed.len() > from;
                self.join(passed, leaf, own, done)?;
            }
        }
        let old = passed.len().saturating_sub(WINDOW);
        passed.drain(..old);
        Ok(())
    }

    /// Merges a leaf into the last one or, if it may `shift` entries, fills that up; else adds it.
    fn join(
        &self,
        passed: &mut Vec<Passed<W>>,
        here: Passed<W>,
        shift: bool,
        done: &mut Vacuumed,
    ) -> Result<()> {
        if let Some(last) = passed.last_mut() {
            // Where nothing dies, the room that splits have left is for entries to come.
            let thinned = last.thinned || here.thinned;
            let percent = if thinned || shift { DENSE } else { MERGED_FILL };
            if last.fill.may_join(&here.fill, percent)
                && self.merge_leaves(last.block, here.block, &here.low, percent)?
            {
                done.leaves -= 1;
                done.freed += 1;
                last.fill = last.fill.plus(&here.fill);
                last.thinned = thinned;
                self.store.interrupt();
                return Ok(());
            }
            if shift && let Some((fill, rest)) = self.shift(last.block, here.block, &here.low)? {
                last.fill = fill;
                passed.push(rest);
                self.store.interrupt();
                return Ok(());
            }
        }
        passed.push(here);
        Ok(())
    }
}

/// Where the fewest last leaves begin that would fit on one page less; None: there are none, or nothing has died in them.
fn window<const W: usize>(passed: &[Passed<W>]) -> Option<usize> {
    let mut leaves = passed.iter().enumerate().rev();
    let (_, last) = leaves.next()?;
    let (mut all, mut thinned) = (last.fill, last.thinned);
    for (pages, (from, leaf)) in (1..).zip(leaves) {
        all = all.plus(&leaf.fill);
        thinned |= leaf.thinned;
        // Two would have been merged, if that were possible.
        if pages > 1 && thinned && all.takes(pages * DENSE - MARGIN) {
            return Some(from);
        }
    }
    None
}

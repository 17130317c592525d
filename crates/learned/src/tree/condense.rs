//! Making the leaves fewer that a VACUUM has passed.
//!
//! Two neighbours that fit on one page are joined. But halves of a split beside full leaves would
//! stay half empty forever, since a half and a full leaf do not fit on one page. So a VACUUM looks
//! back at the last few leaves. Where these would fit on one page less, it fills each one up from
//! the next one ([`Tree::shift_left`]) until the last two can be joined. Each step logs the images
//! of two pages: so nothing is moved before it is known that a page will be freed, and nothing
//! where no entry has died.

use super::Tree;
use crate::error::Result;
use crate::key::Entry;
use crate::leaf::Fill;
use crate::page::Block;
use crate::policy::leaf::DENSE_FILL_PERCENT;
use crate::policy::tree::{CONDENSE_MARGIN_PERCENT, CONDENSE_WINDOW_LEAVES, MAX_JOINED_PERCENT};
use crate::store::Store;
use crate::tree::VacuumReport;

/// A leaf that the current VACUUM has passed.
pub(super) struct VacuumedLeaf<const W: usize> {
    pub block: Block,
    pub low: Entry<W>,
    pub fill: Fill<W>,
    /// Entries were deleted from it, by this VACUUM or since the one before.
    pub thinned: bool,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Adds a leaf to those that were passed just before, and makes these fewer, if possible. No
    /// lock may be held.
    pub(super) fn condense(
        &self,
        passed: &mut Vec<VacuumedLeaf<W>>,
        here: VacuumedLeaf<W>,
        done: &mut VacuumReport,
    ) -> Result<()> {
        self.add_or_join(passed, here, false, done)?;
        if let Some(from) = condensable(passed) {
            for leaf in passed.split_off(from) {
                let own = passed.len() > from;
                self.add_or_join(passed, leaf, own, done)?;
            }
        }
        let old = passed.len().saturating_sub(CONDENSE_WINDOW_LEAVES);
        passed.drain(..old);
        Ok(())
    }

    /// Joins a leaf with the last one passed. If they do not fit on one page, `may_shift` allows to
    /// fill the last one up from it. Else adds it.
    fn add_or_join(
        &self,
        passed: &mut Vec<VacuumedLeaf<W>>,
        here: VacuumedLeaf<W>,
        may_shift: bool,
        done: &mut VacuumReport,
    ) -> Result<()> {
        if let Some(last) = passed.last_mut() {
            // Where nothing dies, the room that splits have left is for the entries to come.
            let thinned = last.thinned || here.thinned;
            let percent = if thinned || may_shift {
                DENSE_FILL_PERCENT
            } else {
                MAX_JOINED_PERCENT
            };
            if last.fill.may_join(&here.fill, percent)
                && self.join_leaves(last.block, here.block, &here.low, percent)?
            {
                done.leaves -= 1;
                done.freed += 1;
                last.fill = last.fill.plus(&here.fill);
                last.thinned = thinned;
                self.store.interrupt();
                return Ok(());
            }
            if may_shift
                && let Some((fill, rest)) = self.shift_left(last.block, here.block, &here.low)?
            {
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

/// The index from which on the leaves would fit on one page less, for the fewest such leaves. None:
/// there are none, or nothing has died in them.
fn condensable<const W: usize>(passed: &[VacuumedLeaf<W>]) -> Option<usize> {
    let mut leaves = passed.iter().enumerate().rev();
    let (_, last) = leaves.next()?;
    let (mut all, mut thinned) = (last.fill, last.thinned);
    for (pages, (from, leaf)) in (1..).zip(leaves) {
        all = all.plus(&leaf.fill);
        thinned |= leaf.thinned;
        // Two leaves would have been joined, if that were possible.
        if pages > 1 && thinned && all.takes(pages * DENSE_FILL_PERCENT - CONDENSE_MARGIN_PERCENT) {
            return Some(from);
        }
    }
    None
}

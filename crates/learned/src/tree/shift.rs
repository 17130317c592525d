//! Filling a sparse leaf up from its right neighbour, where the two do not fit on one page.
//!
//! The left one takes entries over until it is dense, and what is left of the right one goes to a new page, which may be filled up from its
//! own neighbour in turn: so three pages become two. The right one's page is stamped free, as if it were merged away: still no low
//! fence of a page ever moves, which everybody relies on who has a link to it. One record has the left page (with another high
//! fence and right link), the new page (which takes over the old one's), the free one, and the parent, where the new page's
//! fence and block stand in the place of the old one's.
//!
//! The rules are those of merging.

use super::Tree;
use super::condense::Passed;
use super::merge::{begins_at, ends_at};
use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::key::Entry;
use crate::leaf::{Contents, Fill, Leaf};
use crate::page::{self, Block, Page};
use crate::store::{Change, Guard, Store};

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Moves entries from the leaf `right`, which begins at `fence`, to its neighbour `left`, if they still are neighbours and that fills
    /// `left` up. Gives how full it is then, and the leaf that has the rest. No lock may be held. Only one backend at a time does this.
    pub(super) fn shift(
        &self,
        left: Block,
        right: Block,
        fence: &Entry<W>,
    ) -> Result<Option<(Fill<W>, Passed<W>)>> {
        let mut left = self.store.write(left)?;
        if !ends_at(&left, left.block(), 0, fence, right)? {
            return Ok(None);
        }
        let Some(mut right) = self.store.try_write_for_cleanup(right)? else {
            return Ok(None);
        };
        if !begins_at(&right, right.block(), 0, fence)? {
            return Ok(None);
        }
        let (block, freed) = (left.block(), right.block());
        let near = Leaf::<W>::open(&left, block)?.contents()?;
        let far = Leaf::<W>::open(&right, freed)?.contents()?;
        let Some((mut near, rest)) = near.fill_up(far) else {
            return Ok(None);
        };
        let mut parent = self.lock_parent([block, freed], 0, fence)?;
        let view = Inner::open(&parent, parent.block())?;
        if view.frame().low == *fence {
            return Ok(None);
        }
        // VACUUM is to give room back, so it must not fail for want of it.
        let Some(mut fresh) = self.store.allocate_spare()? else {
            return Ok(None);
        };
        near.right = Some(fresh.block());
        let image = |contents: &Contents<W>| -> Result<Box<Page>> {
            let fault = || Error::corrupted(block, "entries of two leaves do not fit on two pages");
            contents.to_page().ok_or_else(fault)
        };
        let relinked = view.relink((*fence, freed), (near.high, fresh.block()))?;
        let near = Change::between(&left, image(&near)?);
        let rest = Change::Image(image(&rest)?);
        self.store.reached("shift: all locked");
        self.store.commit(&mut [
            (&mut left, near),
            (&mut fresh, rest),
            (&mut right, Change::Image(page::free(W, 0))),
            (&mut parent, relinked),
        ])?;
        drop(parent);
        // What whoever has read the right one has read is in both now.
        self.store.merged(&left, &right);
        self.store.split(&right, &fresh);
        self.store.reached("shift: logged");
        let filled = Leaf::<W>::open(&left, block)?.fill();
        let view = Leaf::<W>::open(&fresh, fresh.block())?;
        let rest = Passed {
            block: fresh.block(),
            low: view.low(),
            fill: view.fill(),
            thinned: true,
        };
        drop((left, right, fresh));
        self.store.freed(freed);
        Ok(Some((filled, rest)))
    }
}

//! Moving entries between two neighbouring leaves: a vacuum fills a sparse leaf up from its right neighbour, where the two do not fit on
//! one page, and an insert gives a part of a full leaf to a right neighbour that has room.
//!
//! What the right leaf has afterwards goes to a new page, so a vacuum may fill that up from its own neighbour in turn, and three pages become two.
//! The right one's page is stamped free, as if it were merged away: still no low
//! fence of a page ever moves, which everybody relies on who has a link to it. One record has the left page (with another high
//! fence and right link), the new page (which takes over the old one's), the free one, and the parent, where the new page's
//! fence and block stand in the place of the old one's.
//!
//! The rules are those of merging.

use super::Tree;
use super::condense::Passed;
use super::merge::{begins_at, ends_at};
use crate::error::{Error, Result};
use crate::fences::{self, is_incomplete};
use crate::inner::Inner;
use crate::key::Entry;
use crate::leaf::{Contents, Fill, Leaf};
use crate::page::{self, Block, Page};
use crate::store::{Change, Guard, Store};

/// Where tests may stop.
const SHIFTING: [&str; 2] = ["shift: all locked", "shift: logged"];
const GIVING: [&str; 2] = ["giving: all locked", "giving: logged"];

/// A neighbour that fills more than so many percent of its page takes nothing over: both would be full again soon.
const ROOMY: usize = 95;
/// Room is looked for in so many leaves to the right.
const NEIGHBOURS: usize = 3;

/// What became of the entries that a leaf was to give to its right neighbour.
enum Given {
    Some,
    /// The neighbour has no room.
    NoRoom(Block),
    /// There is no such neighbour, or not under these conditions.
    Nothing,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Moves entries from the leaf `right`, which begins at `fence`, to its neighbour `left`, if they still are neighbours and that fills
    /// `left` up. Gives how full it is then, and the leaf that has the rest. No lock may be held.
    pub(super) fn shift(
        &self,
        left: Block,
        right: Block,
        fence: &Entry<W>,
    ) -> Result<Option<(Fill<W>, Passed<W>)>> {
        let left = self.store.write(left)?;
        if !ends_at(&left, left.block(), 0, fence, right)? {
            return Ok(None);
        }
        self.share(left, right, fence, &SHIFTING, |near, far| {
            Ok(near.contents()?.fill_up(far.contents()?))
        })
    }

    /// Makes room in the full leaf `block`: moves entries to its right neighbour, so that both are equally full, if that has room to
    /// speak of, or gets some in the same way. What is not such a leaf is left alone, and so is everything while a vacuum is under way. No lock may be held.
    pub fn redistribute(&self, block: Block) -> Result<bool> {
        // Each the right neighbour of the one before.
        let mut full = vec![block];
        for _ in 0..2 * NEIGHBOURS {
            let Some(last) = full.last() else {
                return Ok(true);
            };
            // A vacuum relies on where leaves begin: see ARCHITECTURE.md.
            let Some(given) = self.store.unless_vacuumed(|| self.give(*last)) else {
                break;
            };
            match given? {
                Given::Some => drop(full.pop()),
                Given::NoRoom(right) if full.len() < NEIGHBOURS => full.push(right),
                _ => break,
            }
        }
        Ok(full.is_empty())
    }

    /// Moves entries from a leaf to its right neighbour.
    fn give(&self, block: Block) -> Result<Given> {
        let left = self.store.write(block)?;
        if fences::of::<W>(&left, block, 0)?.is_none() || is_incomplete(&left) {
            return Ok(Given::Nothing);
        }
        let Some(right) = page::right(&left) else {
            return Ok(Given::Nothing);
        };
        let fence = Leaf::<W>::open(&left, block)?.high();
        let mut roomy = true;
        let shared = self.share(left, right, &fence, &GIVING, |near, far| {
            roomy = far.fill().takes(ROOMY);
            match roomy {
                true => Ok(near.contents()?.balance(far.contents()?)),
                false => Ok(None),
            }
        })?;
        Ok(match shared {
            Some(_) => Given::Some,
            None if roomy => Given::Nothing,
            None => Given::NoRoom(right),
        })
    }

    /// Puts the leaf `left` and its neighbour `right`, which begins at `fence`, in the form that `divide` gives them, on condition that nobody has the right one
    /// pinned. Entries may go in either direction, but see ARCHITECTURE.md: to the left only for a vacuum that has passed both.
    fn share(
        &self,
        mut left: S::Write,
        right: Block,
        fence: &Entry<W>,
        steps: &[&'static str; 2],
        divide: impl FnOnce(&Leaf<'_, W>, &Leaf<'_, W>) -> Result<Option<[Contents<W>; 2]>>,
    ) -> Result<Option<(Fill<W>, Passed<W>)>> {
        let Some(mut right) = self.store.try_write_for_cleanup(right)? else {
            return Ok(None);
        };
        if !begins_at(&right, right.block(), 0, fence)? {
            return Ok(None);
        }
        let (block, freed) = (left.block(), right.block());
        let (near, far) = (
            Leaf::<W>::open(&left, block)?,
            Leaf::<W>::open(&right, freed)?,
        );
        let Some([mut near, rest]) = divide(&near, &far)? else {
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
        self.store.reached(steps[0]);
        self.store.commit(&mut [
            (&mut left, near),
            (&mut fresh, rest),
            (&mut right, Change::Image(page::free(W, 0))),
            (&mut parent, relinked),
        ])?;
        drop(parent);
        // What whoever has read one of them has read may be in both now.
        self.store.merged(&left, &right);
        self.store.split(&left, &fresh);
        self.store.reached(steps[1]);
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

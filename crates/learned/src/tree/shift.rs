//! Shifting entries between two neighbouring leaves. A VACUUM fills a sparse leaf up from its right
//! neighbour, where the two do not fit on one page. An insert moves a part of a full leaf to a
//! right neighbour that has room.
//!
//! The right leaf's entries go to a new page. So a VACUUM may fill that page up from its own
//! neighbour in turn, and three pages become two. The old page of the right leaf is freed, as in a
//! join: no low fence of a page ever moves, which every backend relies on that has a link to the
//! page.
//!
//! One record has
//! - the left page, with another high fence and right link,
//! - the new page, which takes over high fence and right link of the old right page,
//! - the old right page, now free,
//! - the parent, where the fence and block of the new page replace those of the old one.
//!
//! The rules are those of [`super::join`].

use super::Tree;
use super::condense::VacuumedLeaf;
use super::join::{begins_whole_at, ends_at};
use crate::error::{Error, Result};
use crate::fences::{self, is_incomplete};
use crate::inner::Inner;
use crate::key::Entry;
use crate::leaf::{Contents, Fill, Leaf};
use crate::page::{self, Block, Page};
use crate::policy::tree::{MAX_NEIGHBOUR_PERCENT, MAX_NEIGHBOURS};
use crate::store::{Change, Guard, Store};

/// Steps of a shift to the left, and of a shift to the right, where tests may stop a backend.
const LEFT_STEPS: [&str; 2] = ["shift: all locked", "shift: logged"];
const RIGHT_STEPS: [&str; 2] = ["giving: all locked", "giving: logged"];

/// The result of an attempt to shift entries from a leaf to its right neighbour.
enum ShiftRight {
    Done,
    /// This neighbour has no room.
    NeighbourFull(Block),
    /// There is no such neighbour, or it is pinned or below another parent, or there is no free
    /// page.
    Impossible,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Shifts entries from the leaf `right`, which begins at `fence`, to its neighbour `left`, if
    /// they still are neighbours and that fills `left` up. Returns how full `left` is then, and the
    /// leaf that has the rest. No lock may be held.
    pub(super) fn shift_left(
        &self,
        left: Block,
        right: Block,
        fence: &Entry<W>,
    ) -> Result<Option<(Fill<W>, VacuumedLeaf<W>)>> {
        let left = self.store.write(left)?;
        if !ends_at(&left, left.block(), 0, fence, right)? {
            return Ok(None);
        }
        self.commit_shift(left, right, fence, &LEFT_STEPS, |near, far| {
            Ok(near.contents()?.fill_up(far.contents()?))
        })
    }

    /// Makes room in the full leaf `block`: shifts entries to its right neighbour, so that both are
    /// equally full, if the neighbour has room or gets room in the same way. Returns whether it
    /// did. A page that is no leaf is left alone, and nothing is shifted while a VACUUM is under
    /// way. No lock may be held.
    pub fn redistribute(&self, block: Block) -> Result<bool> {
        // Each is the right neighbour of the one before.
        let mut full = vec![block];
        for _ in 0..2 * MAX_NEIGHBOURS {
            let Some(last) = full.last() else {
                return Ok(true);
            };
            // A VACUUM relies on where leaves begin: see docs/concurrency.md.
            let Some(shifted) = self.store.unless_vacuuming(|| self.shift_right(*last)) else {
                break;
            };
            match shifted? {
                ShiftRight::Done => drop(full.pop()),
                ShiftRight::NeighbourFull(right) if full.len() < MAX_NEIGHBOURS => full.push(right),
                _ => break,
            }
        }
        Ok(full.is_empty())
    }

    /// Shifts entries from a leaf to its right neighbour.
    fn shift_right(&self, block: Block) -> Result<ShiftRight> {
        let left = self.store.write(block)?;
        if fences::read::<W>(&left, block, 0)?.is_none() || is_incomplete(&left) {
            return Ok(ShiftRight::Impossible);
        }
        let Some(right) = page::right(&left) else {
            return Ok(ShiftRight::Impossible);
        };
        let fence = Leaf::<W>::open(&left, block)?.high();
        let mut has_room = true;
        let shifted = self.commit_shift(left, right, &fence, &RIGHT_STEPS, |near, far| {
            has_room = far.fill().takes(MAX_NEIGHBOUR_PERCENT);
            match has_room {
                true => Ok(near.contents()?.balance(far.contents()?)),
                false => Ok(None),
            }
        })?;
        Ok(match shifted {
            Some(_) => ShiftRight::Done,
            None if has_room => ShiftRight::Impossible,
            None => ShiftRight::NeighbourFull(right),
        })
    }

    /// Distributes the entries of the leaf `left` and its neighbour `right`, which begins at
    /// `fence`, as `divide` says, if no backend has the right one pinned. Entries may go in either
    /// direction, but to the left only for a VACUUM that has passed both leaves: see
    /// docs/concurrency.md.
    fn commit_shift(
        &self,
        mut left: S::Write,
        right: Block,
        fence: &Entry<W>,
        steps: &[&'static str; 2],
        divide: impl FnOnce(&Leaf<'_, W>, &Leaf<'_, W>) -> Result<Option<[Contents<W>; 2]>>,
    ) -> Result<Option<(Fill<W>, VacuumedLeaf<W>)>> {
        let Some(mut right) = self.store.try_write_for_cleanup(right)? else {
            return Ok(None);
        };
        if !begins_whole_at(&right, right.block(), 0, fence)? {
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
        // VACUUM frees room, so it must not fail when there is none.
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
        // An entry that a transaction has read in one of the leaves may be in either of them now.
        self.store.leaves_joined(&left, &right);
        self.store.leaf_split(&left, &fresh);
        self.store.reached(steps[1]);
        let filled = Leaf::<W>::open(&left, block)?.fill();
        let view = Leaf::<W>::open(&fresh, fresh.block())?;
        let rest = VacuumedLeaf {
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

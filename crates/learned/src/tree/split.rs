//! Splits and their completion.
//!
//! The record of a split flags the left page: its right sibling has no downlink yet (as nbtree's
//! `BTP_INCOMPLETE_SPLIT`). A backend that holds a flagged page exclusively can complete the split,
//! because the page's high fence and right link are the missing separator and child. Both stay as
//! they are while the page is locked: the page itself cannot be split again, and the sibling's low
//! fence never moves. The record that adds the downlink clears the flag.

use super::descend::SearchTarget;
use super::{Tree, with_restarts};
use crate::error::{Error, Result};
use crate::fences::{self, clear_incomplete_split, is_incomplete};
use crate::inner::{self, Frame, Inner, MAX_LEVEL};
use crate::key::Entry;
use crate::leaf::Contents;
use crate::meta::Meta;
use crate::page::{self, Block, INCOMPLETE_SPLIT, META, Page};
use crate::store::{Change, Guard, Store};

/// The result of an attempt to add a downlink.
enum AddDownlink {
    Done,
    /// The level above does not exist yet, and the page is not the root.
    LevelMissing,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Replaces `leaf` by two leaves, the left one flagged. Returns the block of the new, right
    /// one.
    pub(super) fn split_leaf(
        &self,
        leaf: &mut S::Write,
        [mut left, mut right]: [Contents<W>; 2],
    ) -> Result<Block> {
        let block = leaf.block();
        let mut fresh = self.store.allocate()?;
        let new = fresh.block();
        right.right = page::right(leaf);
        right.flags = page::flags(leaf) & !INCOMPLETE_SPLIT;
        left.right = Some(new);
        left.flags = page::flags(leaf) | INCOMPLETE_SPLIT;
        let image = |half: &Contents<W>| -> Result<Box<Page>> {
            let fault = || Error::corrupted(block, "half of a leaf does not fit on a page");
            half.to_page().ok_or_else(fault)
        };
        let (left, right) = (image(&left)?, image(&right)?);
        self.store.reached("split: new page locked");
        self.store.commit(&mut [
            (leaf, Change::Image(left)),
            (&mut fresh, Change::Image(right)),
        ])?;
        self.store.leaf_split(leaf, &fresh);
        self.store.reached("split: logged");
        Ok(new)
    }

    /// Gives the right sibling of `page` its downlink, if the page is flagged. False: that needs a
    /// level that does not exist yet. Then the caller releases all locks and calls
    /// [`Tree::complete_root_split`].
    pub(super) fn complete_split(&self, page: &mut S::Write) -> Result<bool> {
        if !is_incomplete(page) {
            return Ok(true);
        }
        let level = page::level(page);
        let fences = fences::read::<W>(page, page.block(), level)?;
        let (Some((low, high)), Some(right)) = (fences, page::right(page)) else {
            let fault = "flagged as split but without right sibling";
            return Err(Error::corrupted(page.block(), fault));
        };
        self.held.borrow_mut().push(page.block());
        let result = with_restarts(|| {
            let meta = self.meta()?;
            if meta.root == page.block() {
                if meta.level != level || low != Entry::MIN {
                    return Err(Error::corrupted(META, "the root is not what it should be"));
                }
                return self.add_root(page, &high, right).map(Some);
            }
            self.add_downlink(page, level, &high, right)
        });
        self.held.borrow_mut().pop();
        Ok(matches!(result?, AddDownlink::Done))
    }

    /// Completes the root's split, if the root is flagged. No lock may be held.
    pub(super) fn complete_root_split(&self) -> Result<()> {
        self.store.reached("level missing: nothing locked");
        let meta = self.meta()?;
        let mut root = self.store.write(meta.root)?;
        if fences::read::<W>(&root, meta.root, meta.level)?.is_some() {
            self.complete_split(&mut root)?;
        }
        Ok(())
    }

    /// Adds a new root above the old root, which was split, and its right sibling.
    fn add_root(
        &self,
        old: &mut S::Write,
        separator: &Entry<W>,
        right: Block,
    ) -> Result<AddDownlink> {
        let level = page::level(old) + 1;
        if level > MAX_LEVEL {
            return Err(Error::corrupted(old.block(), "the tree is too high"));
        }
        let frame = Frame {
            low: Entry::MIN,
            high: Entry::MAX,
            level,
            right: None,
            flags: 0,
        };
        let items = [(Entry::MIN, old.block()), (*separator, right)];
        let mut root = self.store.allocate()?;
        let block = root.block();
        let mut meta = self.store.write(META)?;
        let clear = Change::Patch(clear_incomplete_split(old));
        self.store.reached("new root: all locked");
        self.store.commit(&mut [
            (old, clear),
            (&mut root, Change::Image(inner::build(&frame, &items))),
            (&mut meta, Change::Patch(Meta::root_patch(block, level))),
        ])?;
        self.store.reached("new root: logged");
        self.root.set(Some((block, level)));
        Ok(AddDownlink::Done)
    }

    /// Adds the downlink to the parent while `child`, the left sibling, is locked. None: the search
    /// for the parent has to restart.
    fn add_downlink(
        &self,
        child: &mut S::Write,
        level: u8,
        separator: &Entry<W>,
        right: Block,
    ) -> Result<Option<AddDownlink>> {
        let target = SearchTarget::covering(separator);
        let above = level + 1;
        let found = self.find_on_level(&target, above)?;
        let Some(start) = found.map(|page| page.block()) else {
            return Ok(Some(AddDownlink::LevelMissing));
        };
        let Some(mut parent) = self.lock_from(start, above, u32::MAX, &target)? else {
            return Ok(None);
        };
        // If a flagged page were split again, the first split would be forgotten.
        if !self.complete_split(&mut parent)? {
            return Ok(Some(AddDownlink::LevelMissing));
        }
        let block = parent.block();
        let view = Inner::open(&parent, block)?;
        let clear = Change::Patch(clear_incomplete_split(child));
        match view.child_of(separator) {
            Some(present) if present == right => {
                self.store.commit(&mut [(child, clear)])?;
                return Ok(Some(AddDownlink::Done));
            }
            Some(other) => {
                let fault = format!("downlink to {other} where {right} begins");
                return Err(Error::corrupted(block, fault));
            }
            None => {}
        }
        self.store.reached("downlink: parent locked");
        if let Some(change) = view.insert(separator, right, self.inner_limit)? {
            self.store
                .commit(&mut [(child, clear), (&mut parent, change)])?;
            self.store.reached("downlink: logged");
            return Ok(Some(AddDownlink::Done));
        }
        let mut fresh = self.store.allocate()?;
        let (left_page, right_page) = view.split(separator, right, fresh.block())?;
        self.store.reached("inner split: new page locked");
        self.store.commit(&mut [
            (child, clear),
            (&mut parent, Change::Image(left_page)),
            (&mut fresh, Change::Image(right_page)),
        ])?;
        drop(fresh);
        self.store.reached("inner split: logged");
        Ok(Some(if self.complete_split(&mut parent)? {
            AddDownlink::Done
        } else {
            AddDownlink::LevelMissing
        }))
    }
}

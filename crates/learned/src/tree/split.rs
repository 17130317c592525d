//! Splits and their completion.
//!
//! A split's record marks the left page: its right sibling has no downlink yet. Whoever holds a
//! marked page exclusively can complete the split, since the page's high fence and right link are
//! the missing separator and child. Both stay as they are while the page is held: the page itself
//! cannot be split again, and the sibling's low fence never moves. The mark is cleared in the
//! record that adds the downlink.

use super::descend::Target;
use super::{Tree, retry};
use crate::error::{Error, Result};
use crate::fences::{self, completed, is_incomplete};
use crate::inner::{self, Frame, Inner, MAX_LEVEL};
use crate::key::Entry;
use crate::leaf::Contents;
use crate::meta::Meta;
use crate::page::{self, Block, INCOMPLETE_SPLIT, META, Page};
use crate::store::{Change, Guard, Store};

/// What became of an attempt to add a downlink.
enum Attempt {
    Done,
    /// The level above does not exist yet, and the page is not the root.
    NoLevel,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Puts the two halves of `leaf` in place, the left one marked. Returns the new block.
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
        self.store.split(leaf, &fresh);
        self.store.reached("split: logged");
        Ok(new)
    }

    /// Gives the right sibling of `page` its downlink if the page is marked. False if that needs
    /// a level that does not exist yet: let go of all locks, then [`Tree::complete_root`].
    pub(super) fn complete(&self, page: &mut S::Write) -> Result<bool> {
        if !is_incomplete(page) {
            return Ok(true);
        }
        let level = page::level(page);
        let fences = fences::of::<W>(page, page.block(), level)?;
        let (Some((low, high)), Some(right)) = (fences, page::right(page)) else {
            let fault = "marked as split but without right sibling";
            return Err(Error::corrupted(page.block(), fault));
        };
        self.held.borrow_mut().push(page.block());
        let attempt = retry(|| {
            let meta = self.meta()?;
            if meta.root == page.block() {
                if meta.level != level || low != Entry::MIN {
                    return Err(Error::corrupted(META, "the root is not what it should be"));
                }
                return self.grow(page, &high, right).map(Some);
            }
            self.link(page, level, &high, right)
        });
        self.held.borrow_mut().pop();
        Ok(matches!(attempt?, Attempt::Done))
    }

    /// Completes the root's split if it is marked. Called without any lock held.
    pub(super) fn complete_root(&self) -> Result<()> {
        self.store.reached("level missing: nothing locked");
        let meta = self.meta()?;
        let mut root = self.store.write(meta.root)?;
        if fences::of::<W>(&root, meta.root, meta.level)?.is_some() {
            self.complete(&mut root)?;
        }
        Ok(())
    }

    /// The old root is split: a new root above its two halves.
    fn grow(&self, old: &mut S::Write, separator: &Entry<W>, right: Block) -> Result<Attempt> {
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
        let clear = Change::Patch(completed(old));
        self.store.reached("new root: all locked");
        self.store.commit(&mut [
            (old, clear),
            (&mut root, Change::Image(inner::build(&frame, &items))),
            (&mut meta, Change::Patch(Meta::with_root(block, level))),
        ])?;
        self.store.reached("new root: logged");
        self.root.set(Some((block, level)));
        Ok(Attempt::Done)
    }

    /// Adds the downlink to the parent while `child`, the left sibling, is held.
    fn link(
        &self,
        child: &mut S::Write,
        level: u8,
        separator: &Entry<W>,
        right: Block,
    ) -> Result<Option<Attempt>> {
        let target = Target::at(separator);
        let above = level + 1;
        let Some(start) = self.seek(&target, above)?.map(|page| page.block()) else {
            return Ok(Some(Attempt::NoLevel));
        };
        let Some(mut parent) = self.lock_from(start, above, u32::MAX, &target)? else {
            return Ok(None);
        };
        // A marked page that is split again would forget the first split.
        if !self.complete(&mut parent)? {
            return Ok(Some(Attempt::NoLevel));
        }
        let block = parent.block();
        let view = Inner::open(&parent, block)?;
        let clear = Change::Patch(completed(child));
        match view.child_of(separator) {
            Some(present) if present == right => {
                self.store.commit(&mut [(child, clear)])?;
                return Ok(Some(Attempt::Done));
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
            return Ok(Some(Attempt::Done));
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
        Ok(Some(if self.complete(&mut parent)? {
            Attempt::Done
        } else {
            Attempt::NoLevel
        }))
    }
}

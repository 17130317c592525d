//! Merging neighbours that fit on one page, and giving up root pages with a single child.
//!
//! The right page of two is merged into the left one, so that no low fence ever moves: the left page
//! takes over high fence, right link and entries, the right one is stamped free and its downlink
//! taken out of the parent, all in one record. Only neighbours below the same parent are merged:
//! in another parent, keys at its low end would be left without a child. Neither may be marked as
//! split, since its right sibling then has no downlink yet.
//!
//! An inner page that was freed is not used again before everybody has finished who was adding entries at
//! that moment. Such a one may hold a page while waiting for the lock of another above it, of which
//! a link told it before. Waiting for a page that has meanwhile become a leaf, say, could be waiting for
//! itself, through others who hold that leaf and seek their parent. Nobody waits for a leaf while
//! holding a page, so leaves are used again at once.
//!
//! A leaf is merged away only under a cleanup lock: as long as a scan has it pinned, VACUUM must not
//! remove the entries that the scan has copied, and would not find it in the left neighbour.

use super::descend::Target;
use super::{Tree, retry};
use crate::error::{Error, Result};
use crate::fences::{self, is_incomplete};
use crate::inner::Inner;
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::meta::Meta;
use crate::page::{self, Block, META, Page};
use crate::store::{Change, Guard, Store};

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Merges the leaf `right`, which begins at `fence`, into its neighbour `left`, if they still are
    /// neighbours and take no more than `percent` of a page. No lock may be held. Only one backend at a time merges.
    pub(super) fn merge_leaves(
        &self,
        left: Block,
        right: Block,
        fence: &Entry<W>,
        percent: usize,
    ) -> Result<bool> {
        let left = self.store.write(left)?;
        if !ends_at(&left, left.block(), 0, fence, right)? {
            return Ok(false);
        }
        let Some(right) = self.store.try_write_for_cleanup(right)? else {
            return Ok(false);
        };
        if !begins_at(&right, right.block(), 0, fence)? {
            return Ok(false);
        }
        let (near, far) = (
            Leaf::<W>::open(&left, left.block())?,
            Leaf::<W>::open(&right, right.block())?,
        );
        if !near.fill().may_join(&far.fill(), percent) {
            return Ok(false);
        }
        let joined = near.contents()?.join(far.contents()?, percent);
        match joined.and_then(|contents| contents.to_page()) {
            Some(page) => self.absorb(left, page, right, 0, fence),
            None => Ok(false),
        }
    }

    /// Completes what splits of inner pages are still marked and, if asked, merges sparse pages.
    /// Gives the number of pages freed. Called without any lock held.
    pub(super) fn tend_inner(&self, merge: bool) -> Result<u64> {
        let mut freed = 0;
        for level in 1..=self.meta()?.level {
            let mut low = Entry::MIN;
            while low < Entry::MAX {
                self.store.interrupt();
                let Some(page) = self.seek(&Target::at(&low), level)? else {
                    break;
                };
                let block = page.block();
                let view = Inner::<W>::open(&page, block)?;
                let high = view.frame().high;
                let sparse = merge && high < Entry::MAX && view.is_sparse(self.inner_limit);
                let incomplete = is_incomplete(&page);
                drop(page);
                if (incomplete || sparse)
                    && let Some(mut page) =
                        self.lock_from(block, level, u32::MAX, &Target::at(&low))?
                {
                    if !self.complete(&mut page)? {
                        drop(page);
                        self.complete_root()?;
                    } else if sparse && self.merge_inner(page, level)? {
                        // It may have room for the next one, too.
                        freed += 1;
                        continue;
                    }
                }
                low = high;
            }
        }
        Ok(freed)
    }

    /// Merges the right neighbour of an inner page into it, if they fit.
    fn merge_inner(&self, left: S::Write, level: u8) -> Result<bool> {
        let view = Inner::<W>::open(&left, left.block())?;
        let fence = view.frame().high;
        let Some(right) = page::right(&left).filter(|_| !is_incomplete(&left)) else {
            return Ok(false);
        };
        let right = self.write_beside(right, left.block())?;
        if !begins_at(&right, right.block(), level, &fence)? {
            return Ok(false);
        }
        let neighbour = Inner::open(&right, right.block())?;
        match view.join(&neighbour, self.inner_limit) {
            Some(page) => self.absorb(left, page, right, level, &fence),
            None => Ok(false),
        }
    }

    /// Puts `joined` in the place of two neighbours, which are whole; false if they have different
    /// parents. The right one, which begins at `fence`, is free afterwards.
    fn absorb(
        &self,
        mut left: S::Write,
        joined: Box<Page>,
        mut right: S::Write,
        level: u8,
        fence: &Entry<W>,
    ) -> Result<bool> {
        let freed = right.block();
        let mut parent = self.lock_parent([left.block(), freed], level, fence)?;
        let Some(unlinked) = Inner::open(&parent, parent.block())?.remove(fence, freed)? else {
            return Ok(false);
        };
        let change = Change::between(&left, joined);
        let moment = if level == 0 { 0 } else { self.store.moment() };
        self.store.reached("merge: all locked");
        self.store.commit(&mut [
            (&mut left, change),
            (&mut right, Change::Image(page::free(W, moment))),
            (&mut parent, unlinked),
        ])?;
        drop(parent);
        if level == 0 {
            self.store.merged(&left, &right);
        }
        self.store.reached("merge: logged");
        drop((left, right));
        if self.store.has_passed(moment) {
            self.store.freed(freed);
        }
        Ok(true)
    }

    /// Locks the parent of the right one of two neighbours that are held, which begins at `fence`.
    pub(super) fn lock_parent(
        &self,
        held: [Block; 2],
        level: u8,
        fence: &Entry<W>,
    ) -> Result<S::Write> {
        let target = Target::at(fence);
        self.held.borrow_mut().extend(held);
        let parent = retry(|| {
            let Some(start) = self.seek(&target, level + 1)?.map(|page| page.block()) else {
                let fault = "a page with a left neighbour has no parent";
                return Err(Error::corrupted(held[1], fault));
            };
            self.lock_from(start, level + 1, u32::MAX, &target)
        });
        let others = self.held.borrow().len().saturating_sub(held.len());
        self.held.borrow_mut().truncate(others);
        parent
    }

    /// Makes the root's only child the root, as long as it has but one. Gives the number of pages
    /// freed. Called without any lock held.
    pub(super) fn lower_root(&self) -> Result<u64> {
        let mut freed = 0;
        loop {
            self.store.interrupt();
            let meta = self.meta()?;
            if meta.level == 0 {
                return Ok(freed);
            }
            let only_child = |page: &Page| -> Result<Option<Block>> {
                if fences::of::<W>(page, meta.root, meta.level)?.is_none() {
                    return Ok(None);
                }
                let view = Inner::<W>::open(page, meta.root)?;
                let covers_all = view.frame().high == Entry::MAX;
                let first = view.items().next().map(|item| item.1);
                Ok(first.filter(|_| covers_all && view.len() == 1))
            };
            let Some(child) = only_child(&*self.store.read(meta.root)?)? else {
                return Ok(freed);
            };
            // While it is held it cannot be split, and who splits needs to know what the root is.
            let below = self.store.write(child)?;
            let fences = fences::of::<W>(&below, child, meta.level - 1)?;
            if fences != Some((Entry::MIN, Entry::MAX)) {
                return Ok(freed);
            }
            let mut root = self.write_beside(meta.root, child)?;
            let mut top = self.store.write(META)?;
            let same = Meta::open::<W>(&top)?.root == meta.root;
            if !same || only_child(&root)? != Some(child) {
                return Ok(freed);
            }
            let lower = Meta::with_root(child, meta.level - 1);
            let free = page::free(W, self.store.moment());
            self.store.commit(&mut [
                (&mut root, Change::Image(free)),
                (&mut top, Change::Patch(lower)),
            ])?;
            self.root.set(None);
            freed += 1;
        }
    }

    /// Locks a page while `held` is, which links may lead back to where they are damaged.
    fn write_beside(&self, block: Block, held: Block) -> Result<S::Write> {
        self.held.borrow_mut().push(held);
        let page = self.write(block);
        self.held.borrow_mut().pop();
        page
    }
}

/// Whether a page of `level` ends where `right` begins, and that has a downlink.
pub(super) fn ends_at<const W: usize>(
    page: &Page,
    block: Block,
    level: u8,
    fence: &Entry<W>,
    right: Block,
) -> Result<bool> {
    let fences = fences::of::<W>(page, block, level)?;
    Ok(fences.is_some_and(|(_, high)| high == *fence)
        && page::right(page) == Some(right)
        && !is_incomplete(page))
}

/// Whether a page of `level` begins at `fence`, and its right sibling has a downlink.
pub(super) fn begins_at<const W: usize>(
    page: &Page,
    block: Block,
    level: u8,
    fence: &Entry<W>,
) -> Result<bool> {
    let fences = fences::of::<W>(page, block, level)?;
    Ok(fences.is_some_and(|(low, _)| low == *fence) && !is_incomplete(page))
}

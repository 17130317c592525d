//! Joining neighbours that fit on one page, and freeing root pages with a single child.
//!
//! The right page of two is joined to the left one, so that no low fence ever moves. The left page
//! takes over high fence, right link and entries; the right page is freed, and its downlink is
//! deleted from the parent. All of this is one record. Only neighbours below the same parent are
//! joined: in another parent, the keys at its low end would be left without a child. Neither page
//! may be flagged as an incomplete split, since its right sibling then has no downlink yet.
//!
//! A freed inner page is not recycled before all backends have finished that were adding entries
//! when it was freed. Such a backend may hold a page while it waits for the lock of a page above,
//! to which a link led it earlier. If that page had become a leaf meanwhile, the backend could wait
//! for itself, through others that hold the leaf and look for their parent. No backend waits for a
//! leaf while it holds a page, so leaves are recycled at once.
//!
//! A leaf is freed only under a cleanup lock. As long as a scan has it pinned, VACUUM must not
//! delete the entries that the scan has copied, and VACUUM would not find that pin in the left
//! neighbour.

use super::descend::SearchTarget;
use super::{Tree, with_restarts};
use crate::error::{Error, Result};
use crate::fences::{self, is_incomplete};
use crate::inner::Inner;
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::meta::Meta;
use crate::page::{self, Block, META, Page};
use crate::store::{Change, Guard, Store};

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Joins the leaf `right`, which begins at `fence`, to its neighbour `left`, if they still are
    /// neighbours and take no more than `percent` of a page. No lock may be held. Only one backend
    /// at a time joins pages.
    pub(super) fn join_leaves(
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
        if !begins_whole_at(&right, right.block(), 0, fence)? {
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
            Some(page) => self.commit_join(left, page, right, 0, fence),
            None => Ok(false),
        }
    }

    /// Completes the incomplete splits of inner pages and, with `join`, joins sparse pages. Returns
    /// the number of pages freed. No lock may be held.
    pub(super) fn vacuum_inner_pages(&self, join: bool) -> Result<u64> {
        let mut freed = 0;
        for level in 1..=self.meta()?.level {
            let mut low = Entry::MIN;
            while low < Entry::MAX {
                self.store.interrupt();
                let Some(page) = self.find_on_level(&SearchTarget::covering(&low), level)? else {
                    break;
                };
                let block = page.block();
                let view = Inner::<W>::open(&page, block)?;
                let high = view.frame().high;
                let sparse = join && high < Entry::MAX && view.is_sparse(self.inner_limit);
                let incomplete = is_incomplete(&page);
                drop(page);
                if (incomplete || sparse)
                    && let Some(mut page) =
                        self.lock_from(block, level, u32::MAX, &SearchTarget::covering(&low))?
                {
                    if !self.complete_split(&mut page)? {
                        drop(page);
                        self.complete_root_split()?;
                    } else if sparse && self.join_inner(page, level)? {
                        // The page may have room for the next neighbour, too.
                        freed += 1;
                        continue;
                    }
                }
                low = high;
            }
        }
        Ok(freed)
    }

    /// Joins the right neighbour of an inner page to it, if they fit on one page.
    fn join_inner(&self, left: S::Write, level: u8) -> Result<bool> {
        let view = Inner::<W>::open(&left, left.block())?;
        let fence = view.frame().high;
        let Some(right) = page::right(&left).filter(|_| !is_incomplete(&left)) else {
            return Ok(false);
        };
        let right = self.write_holding(right, left.block())?;
        if !begins_whole_at(&right, right.block(), level, &fence)? {
            return Ok(false);
        }
        let neighbour = Inner::open(&right, right.block())?;
        match view.join(&neighbour, self.inner_limit) {
            Some(page) => self.commit_join(left, page, right, level, &fence),
            None => Ok(false),
        }
    }

    /// Replaces two neighbours by the page `joined`. Neither is an incomplete split. False: they
    /// have different parents. The right one, which begins at `fence`, is free afterwards.
    fn commit_join(
        &self,
        mut left: S::Write,
        joined: Box<Page>,
        mut right: S::Write,
        level: u8,
        fence: &Entry<W>,
    ) -> Result<bool> {
        let freed = right.block();
        let mut parent = self.lock_parent([left.block(), freed], level, fence)?;
        let Some(unlinked) = Inner::open(&parent, parent.block())?.delete(fence, freed)? else {
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
            self.store.leaves_joined(&left, &right);
        }
        self.store.reached("merge: logged");
        drop((left, right));
        if self.store.has_passed(moment) {
            self.store.freed(freed);
        }
        Ok(true)
    }

    /// Locks the parent of the right one of two locked neighbours, which begins at `fence`.
    pub(super) fn lock_parent(
        &self,
        held: [Block; 2],
        level: u8,
        fence: &Entry<W>,
    ) -> Result<S::Write> {
        let target = SearchTarget::covering(fence);
        self.held.borrow_mut().extend(held);
        let parent = with_restarts(|| {
            let found = self.find_on_level(&target, level + 1)?;
            let Some(start) = found.map(|page| page.block()) else {
                let fault = "a page with a left neighbour has no parent";
                return Err(Error::corrupted(held[1], fault));
            };
            self.lock_from(start, level + 1, u32::MAX, &target)
        });
        let others = self.held.borrow().len().saturating_sub(held.len());
        self.held.borrow_mut().truncate(others);
        parent
    }

    /// Makes the root's only child the root, as long as the root has only one. Returns the number
    /// of pages freed. No lock may be held.
    pub(super) fn lower_root(&self) -> Result<u64> {
        let mut freed = 0;
        loop {
            self.store.interrupt();
            let meta = self.meta()?;
            if meta.level == 0 {
                return Ok(freed);
            }
            let only_child = |page: &Page| -> Result<Option<Block>> {
                if fences::read::<W>(page, meta.root, meta.level)?.is_none() {
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
            // While the child is locked it cannot be split, and a split has to know what the root
            // is.
            let below = self.store.write(child)?;
            let fences = fences::read::<W>(&below, child, meta.level - 1)?;
            if fences != Some((Entry::MIN, Entry::MAX)) {
                return Ok(freed);
            }
            let mut root = self.write_holding(meta.root, child)?;
            let mut meta_page = self.store.write(META)?;
            let same = Meta::open::<W>(&meta_page)?.root == meta.root;
            if !same || only_child(&root)? != Some(child) {
                return Ok(freed);
            }
            let lower = Meta::root_patch(child, meta.level - 1);
            let free = page::free(W, self.store.moment());
            self.store.commit(&mut [
                (&mut root, Change::Image(free)),
                (&mut meta_page, Change::Patch(lower)),
            ])?;
            self.root.set(None);
            freed += 1;
        }
    }

    /// Locks a page while `held` is locked. A damaged link may lead back to `held`: then this is an
    /// error.
    fn write_holding(&self, block: Block, held: Block) -> Result<S::Write> {
        self.held.borrow_mut().push(held);
        let page = self.write(block);
        self.held.borrow_mut().pop();
        page
    }
}

/// Whether the page has this level, ends at `fence`, has the right sibling `right`, and that
/// sibling has a downlink.
pub(super) fn ends_at<const W: usize>(
    page: &Page,
    block: Block,
    level: u8,
    fence: &Entry<W>,
    right: Block,
) -> Result<bool> {
    let fences = fences::read::<W>(page, block, level)?;
    Ok(fences.is_some_and(|(_, high)| high == *fence)
        && page::right(page) == Some(right)
        && !is_incomplete(page))
}

/// Whether the page has this level, begins at `fence`, and is no incomplete split.
pub(super) fn begins_whole_at<const W: usize>(
    page: &Page,
    block: Block,
    level: u8,
    fence: &Entry<W>,
) -> Result<bool> {
    Ok(fences::begins_at(page, block, level, fence)? && !is_incomplete(page))
}

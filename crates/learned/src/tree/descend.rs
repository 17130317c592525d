//! Searches: finding the page of a level that covers an entry.

use std::cmp::Ordering;

use super::search_counts::bump;
use super::{Tree, model_pages, with_restarts};
use crate::error::{Error, Result};
use crate::fences;
use crate::inner::Inner;
use crate::key::Entry;
use crate::model::{Loaded, Prediction};
use crate::page::{self, Block, Page};
use crate::policy::tree::MAX_RESTARTS;
use crate::store::{Guard, Store};

/// Where a search starts, if the model makes a prediction.
#[derive(Debug, Clone, Copy)]
struct Guess {
    /// The model's prediction.
    leaf: Prediction,
    /// The block of the predicted leaf.
    expected: Block,
    /// Where an earlier search found the leaf instead.
    recent: Option<Block>,
}

impl Guess {
    /// The block to read first.
    #[inline(always)]
    fn block(&self) -> Block {
        self.recent.unwrap_or(self.expected)
    }
}

/// The target of a search: the page that covers `entry`, or the last page that begins below it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SearchTarget<const W: usize> {
    entry: Entry<W>,
    before: bool,
}

impl<const W: usize> SearchTarget<W> {
    /// The page with `low <= entry < high`. `Entry::MAX` stands for the last page.
    pub fn covering(entry: &Entry<W>) -> Self {
        Self {
            entry: *entry,
            before: *entry == Entry::MAX,
        }
    }

    /// The page with `low < entry <= high`.
    pub fn below(entry: &Entry<W>) -> Self {
        Self {
            entry: *entry,
            before: true,
        }
    }

    /// Where the target lies, seen from a page: `Less` to its left, `Equal` in it, `Greater` to its
    /// right.
    pub fn seen_from(&self, low: &Entry<W>, high: &Entry<W>) -> Ordering {
        let (left, right) = if self.before {
            (self.entry <= *low, self.entry > *high)
        } else {
            (self.entry < *low, self.entry >= *high)
        };
        match (left, right) {
            (true, _) => Ordering::Less,
            (_, true) => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }

    fn child(&self, inner: &Inner<'_, W>) -> Result<Block> {
        if self.before {
            inner.child_before(&self.entry)
        } else {
            inner.child_at(&self.entry)
        }
    }
}

/// Where a search goes from a page.
pub(super) enum NextMove<const W: usize> {
    /// The page is the target.
    Found,
    /// Move right: to this block, which should begin at this fence.
    Right(Block, Entry<W>),
    /// The target is to the left, or the page is not what the link to it promised.
    Restart,
}

/// Where a search goes from a locked page, which should have level `at`. `begins`: the low fence
/// that the page must have, if a right link led to it.
pub(super) fn next_move<const W: usize>(
    page: &Page,
    block: Block,
    at: u8,
    begins: Option<Entry<W>>,
    target: &SearchTarget<W>,
) -> Result<NextMove<W>> {
    let Some((low, high)) = fences::read::<W>(page, block, at)? else {
        return Ok(NextMove::Restart);
    };
    if begins.is_some_and(|fence| fence != low) {
        return Ok(NextMove::Restart);
    }
    Ok(match target.seen_from(&low, &high) {
        Ordering::Less => NextMove::Restart,
        Ordering::Equal => NextMove::Found,
        Ordering::Greater => match page::right(page) {
            Some(right) => NextMove::Right(right, high),
            None => return Err(no_right_sibling(block)),
        },
    })
}

/// The fault of a page without right sibling whose high fence is not the end.
#[cold]
pub(super) fn no_right_sibling(block: Block) -> Error {
    Error::corrupted(block, "last page of its level does not reach the end")
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// The leaf that covers `entry`, under a share lock. For `Entry::MAX`: the last leaf.
    pub fn find(&self, entry: &Entry<W>) -> Result<S::Read> {
        self.leaf(&SearchTarget::covering(entry))
    }

    /// The leaf that covers `entry`, under an exclusive lock. An incomplete split of the leaf is
    /// completed first. No lock may be held.
    pub fn find_for_write(&self, entry: &Entry<W>) -> Result<S::Write> {
        self.find_for_write_near(None, entry)
    }

    /// As [`Self::find_for_write`], but tries `hint` (or else the model's prediction) and its right
    /// sibling before it descends.
    pub(super) fn find_for_write_near(
        &self,
        hint: Option<Block>,
        entry: &Entry<W>,
    ) -> Result<S::Write> {
        let target = SearchTarget::covering(entry);
        let mut guess = match hint {
            Some(_) => None,
            None => self.guess(&target)?,
        };
        let mut hint = hint.or(guess.map(|guess| guess.block()));
        let mut missed = None;
        with_restarts(|| {
            let (start, links) = match (hint.take(), missed.take()) {
                (Some(block), _) => (block, 1),
                (None, Some(guess)) => {
                    (self.descend_after_miss(&guess, &target)?.block(), u32::MAX)
                }
                (None, None) => (self.leaf(&target)?.block(), u32::MAX),
            };
            self.store.reached("insert: leaf found");
            let Some(mut leaf) = self.lock_from(start, 0, links, &target)? else {
                missed = guess.take();
                return Ok(None);
            };
            if let Some(guess) = guess.take() {
                let moves = u64::from(leaf.block() != guess.block());
                bump(&self.counts.right_links, moves);
                self.count_search(&guess, &leaf, leaf.block(), moves)?;
            }
            if self.complete_split(&mut leaf)? {
                return Ok(Some(leaf));
            }
            hint = Some(leaf.block());
            drop(leaf);
            self.complete_root_split()?;
            Ok(None)
        })
    }

    /// The leaf for `target`, under a share lock.
    pub(super) fn leaf(&self, target: &SearchTarget<W>) -> Result<S::Read> {
        let Some(guess) = self.guess(target)? else {
            return self.descend(target);
        };
        match self.probe(&guess, target)? {
            Some(leaf) => Ok(leaf),
            None => self.descend_after_miss(&guess, target),
        }
    }

    /// The leaf for `target`, under a share lock, when it was not where the guess said.
    fn descend_after_miss(&self, guess: &Guess, target: &SearchTarget<W>) -> Result<S::Read> {
        bump(&self.counts.misses, 1);
        let leaf = self.descend(target)?;
        self.remember(guess, &leaf, leaf.block())?;
        Ok(leaf)
    }

    /// The leaf for `target`, under a share lock, by a descent from the root.
    fn descend(&self, target: &SearchTarget<W>) -> Result<S::Read> {
        bump(&self.counts.descents, 1);
        if let Some((block, level)) = self.root.get() {
            match self.descend_from(block, level, target, 0)? {
                Some(leaf) => return Ok(leaf),
                None => self.root.set(None),
            }
        }
        self.find_on_level(target, 0)?.ok_or(Error::SearchLost {
            restarts: MAX_RESTARTS,
        })
    }

    /// The page of `level` for `target`, under a share lock, by a descent that starts at the meta
    /// page. None: the tree has no such level.
    pub(super) fn find_on_level(
        &self,
        target: &SearchTarget<W>,
        level: u8,
    ) -> Result<Option<S::Read>> {
        with_restarts(|| {
            let meta = self.meta()?;
            self.root.set(Some((meta.root, meta.level)));
            if meta.level < level {
                return Ok(Some(None));
            }
            let page = self.descend_from(meta.root, meta.level, target, level)?;
            Ok(page.map(Some))
        })
    }

    /// The page of level `at` for `target`, under an exclusive lock: `block`, or a page that at
    /// most `links` moves right from there lead to. None: the search has to restart.
    pub(super) fn lock_from(
        &self,
        mut block: Block,
        at: u8,
        mut links: u32,
        target: &SearchTarget<W>,
    ) -> Result<Option<S::Write>> {
        let mut begins = None;
        loop {
            let page = self.write(block)?;
            match next_move(&page, block, at, begins, target)? {
                NextMove::Found => return Ok(Some(page)),
                NextMove::Right(right, fence) if links > 0 => {
                    links -= 1;
                    (block, begins) = (right, Some(fence));
                }
                NextMove::Right(..) | NextMove::Restart => return Ok(None),
            }
        }
    }

    /// Descends and moves right from `block` of level `at` to the page of `level` for `target`.
    /// Fences rise with each move right, so the loop ends. None: the search has to restart.
    fn descend_from(
        &self,
        mut block: Block,
        mut at: u8,
        target: &SearchTarget<W>,
        level: u8,
    ) -> Result<Option<S::Read>> {
        let mut begins = None;
        loop {
            let page = self.read(block)?;
            match next_move(&page, block, at, begins, target)? {
                NextMove::Found if at == level => return Ok(Some(page)),
                NextMove::Found => {
                    block = target.child(&Inner::open(&page, block)?)?;
                    at -= 1;
                    begins = None;
                }
                NextMove::Right(right, fence) => {
                    if self.root.get() == Some((block, at)) {
                        self.root.set(None);
                    }
                    bump(&self.counts.right_links, 1);
                    (block, begins) = (right, Some(fence));
                }
                NextMove::Restart => return Ok(None),
            }
        }
    }

    /// The leaf where the model expects a key, and its block. None: the model makes no prediction.
    #[inline(always)]
    pub fn predict(&self, key: &[u64; W]) -> Result<Option<(Prediction, Block)>> {
        let Some(model) = &self.model else {
            return Ok(None);
        };
        let root = model.root();
        let guess = root.predict::<W>(key);
        let guess = guess.and_then(|guess| Some((guess, root.block(guess.ordinal)?)));
        match guess {
            Some((part, block)) if root.part_leaves() > 0 => {
                self.predict_in_part(model, part.ordinal, block, key)
            }
            guess => Ok(guess),
        }
    }

    /// The prediction of a part of a divided model. The part is in memory or on its page.
    #[inline(never)]
    fn predict_in_part(
        &self,
        model: &Loaded<'_>,
        number: u32,
        block: Block,
        key: &[u64; W],
    ) -> Result<Option<(Prediction, Block)>> {
        if let Some(part) = model.part(number) {
            return Ok(model.predict_in_part(number, part, key));
        }
        let root = model.root();
        let page = self.read(block)?;
        // The page may belong to another model by now.
        let following = root.positions().saturating_sub(number + 1);
        let part = model_pages::payload(&page, root.generation(), following);
        Ok(part.and_then(|part| model.predict_in_part(number, part, key)))
    }

    /// Where the search for `target` starts: where the model says, or, for a leaf that the model
    /// does not know, where an earlier search found it.
    #[inline(always)]
    fn guess(&self, target: &SearchTarget<W>) -> Result<Option<Guess>> {
        let Some((leaf, expected)) = self.predict(&target.entry.key)? else {
            return Ok(None);
        };
        let guess = Guess {
            leaf,
            expected,
            recent: self
                .recent_leaves
                .and_then(|leaves| leaves.find(leaf.ordinal, target)),
        };
        self.store.prefetch(guess.block(), leaf.within);
        Ok(Some(guess))
    }

    /// The leaf for `target`, if it is where the guess says. No second leaf is read because of the
    /// model, even where the prediction is nearly sure: so a search never reads more than one page
    /// beside those of a descent.
    fn probe(&self, guess: &Guess, target: &SearchTarget<W>) -> Result<Option<S::Read>> {
        let block = guess.block();
        let leaf = self.read(block)?;
        if let NextMove::Found = next_move(&leaf, block, 0, None, target)? {
            self.count_search(guess, &leaf, block, 0)?;
            return Ok(Some(leaf));
        }
        Ok(None)
    }

    /// Counts a search that found its leaf after `moves` moves right.
    #[inline(always)]
    fn count_search(&self, guess: &Guess, leaf: &Page, block: Block, moves: u64) -> Result<()> {
        if moves == 0 {
            bump(&self.counts.hits, 1);
            return Ok(());
        }
        bump(&self.counts.near_hits, 1);
        self.remember(guess, leaf, block)
    }

    /// Remembers a leaf that was not where the guess said. A leaf next to the predicted one that
    /// the model knows is not remembered: the guess was within the model's error.
    #[cold]
    fn remember(&self, guess: &Guess, leaf: &Page, block: Block) -> Result<()> {
        let (Some(recent_leaves), Some(model)) = (self.recent_leaves, &self.model) else {
            return Ok(());
        };
        let ordinal = guess.leaf.ordinal;
        let near = ordinal.saturating_sub(1)..=ordinal.saturating_add(1);
        if near.into_iter().any(|i| model.block(i) == Some(block)) {
            return Ok(());
        }
        if let Some((low, high)) = fences::read::<W>(leaf, block, 0)? {
            recent_leaves.add(ordinal, block, low, high);
        }
        Ok(())
    }
}

//! Finding the page of a level that is responsible for an entry.

use std::cmp::Ordering;

use super::counts::bump;
use super::{RESTARTS, Tree, chain, retry};
use crate::error::{Error, Result};
use crate::fences;
use crate::inner::Inner;
use crate::key::Entry;
use crate::model::{Loaded, Prediction};
use crate::page::{self, Block, Page};
use crate::store::{Guard, Store};

/// Where a search begins.
#[derive(Debug, Clone, Copy)]
struct Guess {
    /// What the model says.
    leaf: Prediction,
    /// The block of that leaf.
    expected: Block,
    /// Where the leaf was met before instead.
    recent: Option<Block>,
}

impl Guess {
    /// The block to look at first.
    #[inline(always)]
    fn block(&self) -> Block {
        self.recent.unwrap_or(self.expected)
    }
}

/// What a search is after: the page that covers `entry`, or the last page that begins below it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<const W: usize> {
    entry: Entry<W>,
    before: bool,
}

impl<const W: usize> Target<W> {
    /// The page with `low <= entry < high`. `Entry::MAX` stands for the last page.
    pub fn at(entry: &Entry<W>) -> Self {
        Self {
            entry: *entry,
            before: *entry == Entry::MAX,
        }
    }

    /// The page with `low < entry <= high`.
    pub fn before(entry: &Entry<W>) -> Self {
        Self {
            entry: *entry,
            before: true,
        }
    }

    /// Where the target lies, seen from a page: to its left, in it, to its right.
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

/// One page's verdict on a search that came to it.
pub(super) enum Direction<const W: usize> {
    /// The page is the one.
    Here,
    /// The target is to the left.
    Left,
    /// The target is to the right, where this block should begin at this fence.
    Right(Block, Entry<W>),
    /// The page is not what the search expected.
    Astray,
}

/// Judges a locked page of level `at`. `begins`: the low fence it must have, after a right link.
pub(super) fn step<const W: usize>(
    page: &Page,
    block: Block,
    at: u8,
    begins: Option<Entry<W>>,
    target: &Target<W>,
) -> Result<Direction<W>> {
    let Some((low, high)) = fences::of::<W>(page, block, at)? else {
        return Ok(Direction::Astray);
    };
    if begins.is_some_and(|fence| fence != low) {
        return Ok(Direction::Astray);
    }
    Ok(match target.seen_from(&low, &high) {
        Ordering::Less => Direction::Left,
        Ordering::Equal => Direction::Here,
        Ordering::Greater => match page::right(page) {
            Some(right) => Direction::Right(right, high),
            None => {
                return Err(Error::corrupted(
                    block,
                    "last page of its level does not reach the end",
                ));
            }
        },
    })
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// The leaf that covers `entry`, under a share lock. For `Entry::MAX` the last leaf.
    pub fn find(&self, entry: &Entry<W>) -> Result<S::Read> {
        self.leaf(&Target::at(entry))
    }

    /// The leaf that covers `entry`, under an exclusive lock, its right sibling known to its
    /// parent. Called without any lock held.
    pub fn find_for_write(&self, entry: &Entry<W>) -> Result<S::Write> {
        self.find_for_write_near(None, entry)
    }

    /// Looks at `hint`, or where the model says, and the right sibling before it searches.
    pub(super) fn find_for_write_near(
        &self,
        hint: Option<Block>,
        entry: &Entry<W>,
    ) -> Result<S::Write> {
        let target = Target::at(entry);
        let mut guess = match hint {
            Some(_) => None,
            None => self.guess(&target)?,
        };
        let mut hint = hint.or(guess.map(|guess| guess.block()));
        let mut missed = None;
        retry(|| {
            let (start, links) = match (hint.take(), missed.take()) {
                (Some(block), _) => (block, 1),
                (None, Some(guess)) => (self.descend_instead(&guess, &target)?.block(), u32::MAX),
                (None, None) => (self.leaf(&target)?.block(), u32::MAX),
            };
            self.store.reached("insert: leaf found");
            let Some(mut leaf) = self.lock_from(start, 0, links, &target)? else {
                missed = guess.take();
                return Ok(None);
            };
            if let Some(guess) = guess.take() {
                let beside = u64::from(leaf.block() != guess.block());
                bump(&self.counts.links, beside);
                self.note(&guess, &leaf, leaf.block(), beside)?;
            }
            if self.complete(&mut leaf)? {
                return Ok(Some(leaf));
            }
            hint = Some(leaf.block());
            drop(leaf);
            self.complete_root()?;
            Ok(None)
        })
    }

    /// The leaf for `target`, under a share lock.
    pub(super) fn leaf(&self, target: &Target<W>) -> Result<S::Read> {
        let Some(guess) = self.guess(target)? else {
            return self.descend(target);
        };
        match self.probe(&guess, target)? {
            Some(leaf) => Ok(leaf),
            None => self.descend_instead(&guess, target),
        }
    }

    /// The leaf for `target`, under a share lock, which is not where it was guessed to be.
    fn descend_instead(&self, guess: &Guess, target: &Target<W>) -> Result<S::Read> {
        bump(&self.counts.missed, 1);
        let leaf = self.descend(target)?;
        self.learn(guess, &leaf, leaf.block())?;
        Ok(leaf)
    }

    /// The leaf for `target`, under a share lock, found from the root.
    fn descend(&self, target: &Target<W>) -> Result<S::Read> {
        bump(&self.counts.descents, 1);
        if let Some((block, level)) = self.root.get() {
            match self.walk(block, level, target, 0)? {
                Some(leaf) => return Ok(leaf),
                None => self.root.set(None),
            }
        }
        self.seek(target, 0)?.ok_or(Error::Lost(RESTARTS))
    }

    /// The page of `level` for `target`, under a share lock, found from the meta page. None if
    /// the tree is not that high.
    pub(super) fn seek(&self, target: &Target<W>, level: u8) -> Result<Option<S::Read>> {
        retry(|| {
            let meta = self.meta()?;
            self.root.set(Some((meta.root, meta.level)));
            if meta.level < level {
                return Ok(Some(None));
            }
            Ok(self.walk(meta.root, meta.level, target, level)?.map(Some))
        })
    }

    /// Exclusive lock on the page of level `at` for `target`, from `block` on over at most so many
    /// right links. None: `block` was no place to start from.
    pub(super) fn lock_from(
        &self,
        mut block: Block,
        at: u8,
        mut links: u32,
        target: &Target<W>,
    ) -> Result<Option<S::Write>> {
        let mut begins = None;
        loop {
            let page = self.write(block)?;
            match step(&page, block, at, begins, target)? {
                Direction::Here => return Ok(Some(page)),
                Direction::Right(right, fence) if links > 0 => {
                    links -= 1;
                    (block, begins) = (right, Some(fence));
                }
                Direction::Right(..) | Direction::Left | Direction::Astray => return Ok(None),
            }
        }
    }

    /// From `block` of level `at` right and down to the page of `level` for `target`. Fences rise
    /// with each right link, so this ends. None: led astray.
    fn walk(
        &self,
        mut block: Block,
        mut at: u8,
        target: &Target<W>,
        level: u8,
    ) -> Result<Option<S::Read>> {
        let mut begins = None;
        loop {
            let page = self.read(block)?;
            match step(&page, block, at, begins, target)? {
                Direction::Here if at == level => return Ok(Some(page)),
                Direction::Here => {
                    block = target.child(&Inner::open(&page, block)?)?;
                    at -= 1;
                    begins = None;
                }
                Direction::Right(right, fence) => {
                    if self.root.get() == Some((block, at)) {
                        self.root.set(None);
                    }
                    bump(&self.counts.links, 1);
                    (block, begins) = (right, Some(fence));
                }
                Direction::Left | Direction::Astray => return Ok(None),
            }
        }
    }

    /// The leaf and the block where the model expects a key.
    #[inline(always)]
    pub fn predict(&self, key: &[u64; W]) -> Result<Option<(Prediction, Block)>> {
        let Some(model) = &self.model else {
            return Ok(None);
        };
        let root = model.root();
        let guess = root.predict::<W>(key);
        let guess = guess.and_then(|guess| Some((guess, root.block(guess.ordinal)?)));
        match guess {
            Some((part, block)) if root.part() > 0 => {
                self.predict_in_part(model, part.ordinal, block, key)
            }
            guess => Ok(guess),
        }
    }

    /// Asks a part of the model, which is here or on its page.
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
        // It may be another model's by now.
        let following = root.positions().saturating_sub(number + 1);
        let part = chain::payload(&page, root.generation(), following);
        Ok(part.and_then(|part| model.predict_in_part(number, part, key)))
    }

    /// Where the search for `target` begins: where the model says, or where the leaf was met that
    /// the model does not know.
    #[inline(always)]
    fn guess(&self, target: &Target<W>) -> Result<Option<Guess>> {
        let Some((leaf, expected)) = self.predict(&target.entry.key)? else {
            return Ok(None);
        };
        let guess = Guess {
            leaf,
            expected,
            recent: self
                .recent
                .and_then(|recent| recent.find(leaf.ordinal, target)),
        };
        self.store.prefetch(guess.block(), leaf.within);
        Ok(Some(guess))
    }

    /// The leaf for `target`, if it is where it was guessed to be. No other one is read on the model's word, even
    /// where that is nearly sure: so no search reads more than one page beside those of a descent.
    fn probe(&self, guess: &Guess, target: &Target<W>) -> Result<Option<S::Read>> {
        let block = guess.block();
        let leaf = self.read(block)?;
        if let Direction::Here = step(&leaf, block, 0, None, target)? {
            self.note(guess, &leaf, block, 0)?;
            return Ok(Some(leaf));
        }
        Ok(None)
    }

    /// Counts a search whose leaf was found after looking at so many others.
    #[inline(always)]
    fn note(&self, guess: &Guess, leaf: &Page, block: Block, beside: u64) -> Result<()> {
        if beside == 0 {
            bump(&self.counts.straight, 1);
            return Ok(());
        }
        bump(&self.counts.strayed, 1);
        self.learn(guess, leaf, block)
    }

    /// Remembers a leaf that was not where it was guessed to be, unless the model knows it: then the guess was
    /// within its error.
    #[cold]
    fn learn(&self, guess: &Guess, leaf: &Page, block: Block) -> Result<()> {
        let (Some(recent), Some(model)) = (self.recent, &self.model) else {
            return Ok(());
        };
        let ordinal = guess.leaf.ordinal;
        let near = ordinal.saturating_sub(1)..=ordinal.saturating_add(1);
        if near.into_iter().any(|i| model.block(i) == Some(block)) {
            return Ok(());
        }
        if let Some((low, high)) = fences::of::<W>(leaf, block, 0)? {
            recent.learn(ordinal, block, low, high);
        }
        Ok(())
    }
}

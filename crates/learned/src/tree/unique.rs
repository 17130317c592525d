//! Adding an entry whose key must be unique among the rows that are alive.
//!
//! As in nbtree's `_bt_check_unique`: entries of one key differ by their TIDs, so they may fill many leaves, and
//! two inserters of the key may aim at different ones. So each first locks the leaf where the key begins, exclusively, and looks
//! through the key's entries from there. To the leaf of the new entry it goes by right links, and lets go of a leaf only when it
//! has the next. Whoever comes later gets the first leaf only when the one before is done with it, cannot overtake him, and
//! so finds his entry.

use super::{Tree, retry};
use crate::error::{Error, Result};
use crate::fences;
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::page::{Block, Page};
use crate::range::Range;
use crate::store::{Guard, Store};
use crate::tree::Inserted;

/// What an entry with the same key means for the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is not in the way.
    Pass,
    /// Nothing is in the way, whatever else there is.
    Enough,
    /// It is in the way, or nobody can tell yet.
    Conflict,
}

/// Judges an entry with the same key, given its tie and the block of the leaf where the key begins. Called
/// with page locks held, and maybe more than once for an entry.
pub type Judge<'j> = dyn FnMut(u64, Block) -> Verdict + 'j;

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Adds an entry that the index does not have, unless one with the same key is in its way: then the result is None,
    /// and the index is as before. `key` are all entries with that key ([`crate::search::Field::same`]): NULLs are a value
    /// like others. `hint` as in [`Tree::insert_with`].
    pub fn insert_unique(
        &self,
        mut hint: Option<Block>,
        entry: Entry<W>,
        key: &Range<W>,
        fill: u8,
        judge: &mut Judge<'_>,
    ) -> Result<Option<Inserted>> {
        retry(|| {
            let first = match self.lock_key(hint.take(), key, judge)? {
                Locked::First(leaf) => leaf,
                Locked::Conflict => return Ok(Some(None)),
                Locked::Astray => return Ok(None),
            };
            let mut leaf = self.move_right(first, &entry)?;
            if !self.complete(&mut leaf)? {
                drop(leaf);
                self.complete_root()?;
                return Ok(None);
            }
            // A leaf that had to be halved first has been let go of.
            Ok(self.insert_once(leaf, entry, &[], fill)?.map(Some))
        })
    }

    /// Whether nothing with the same key is in an entry's way. The entry itself, if the index has it, is judged like others.
    pub fn is_unique(&self, key: &Range<W>, judge: &mut Judge<'_>) -> Result<bool> {
        retry(|| {
            Ok(match self.lock_key(None, key, judge)? {
                Locked::First(_) => Some(true),
                Locked::Conflict => Some(false),
                Locked::Astray => None,
            })
        })
    }

    /// Locks the leaf where a key begins and has all its entries judged.
    fn lock_key(
        &self,
        hint: Option<Block>,
        key: &Range<W>,
        judge: &mut Judge<'_>,
    ) -> Result<Locked<S::Write>> {
        let Range { from, until, .. } = key;
        let first = self.find_for_write_near(hint, from)?;
        self.held.borrow_mut().push(first.block());
        let verdict = self.judge_all(&first, from, until, judge);
        self.held.borrow_mut().pop();
        Ok(match verdict? {
            Some(Verdict::Conflict) => Locked::Conflict,
            Some(Verdict::Pass | Verdict::Enough) => Locked::First(first),
            None => Locked::Astray,
        })
    }

    /// The verdict on the entries from `from` up to `until`, of which the first would be in `first`. None: a leaf to
    /// the right was merged away between two looks.
    fn judge_all(
        &self,
        first: &S::Write,
        from: &Entry<W>,
        until: &Entry<W>,
        judge: &mut Judge<'_>,
    ) -> Result<Option<Verdict>> {
        let block = first.block();
        let mut entries = Vec::new();
        let mut next = read_key(first, block, from, until, &mut entries)?;
        // Stays locked until the next one is: merged away and used again in between, that could be held by
        // somebody who waits for `first`.
        let mut last: Option<S::Read> = None;
        loop {
            for entry in entries.drain(..) {
                match judge(entry.tie, block) {
                    Verdict::Pass => {}
                    verdict => return Ok(Some(verdict)),
                }
            }
            let Some((right, fence)) = next else {
                return Ok(Some(Verdict::Pass));
            };
            self.held
                .borrow_mut()
                .push(last.as_ref().map_or(block, Guard::block));
            let leaf = self.read(right);
            self.held.borrow_mut().pop();
            let leaf = leaf?;
            if !begins_at(&leaf, right, &fence)? {
                return Ok(None);
            }
            next = read_key(&leaf, right, from, until, &mut entries)?;
            last = Some(leaf);
        }
    }

    /// From the leaf where an entry's key begins to the one that covers the entry.
    fn move_right(&self, mut leaf: S::Write, entry: &Entry<W>) -> Result<S::Write> {
        loop {
            let block = leaf.block();
            let view = Leaf::<W>::open(&leaf, block)?;
            let fence = view.high();
            if *entry < fence {
                return Ok(leaf);
            }
            let right = view.right().ok_or_else(|| no_right(block))?;
            self.held.borrow_mut().push(block);
            let next = self.write(right);
            self.held.borrow_mut().pop();
            let next = next?;
            // Nobody can have merged it away.
            if !begins_at(&next, right, &fence)? {
                return Err(Error::corrupted(block, "right link to another leaf"));
            }
            leaf = next;
        }
    }
}

/// What [`Tree::lock_key`] comes to.
enum Locked<Leaf> {
    First(Leaf),
    Conflict,
    Astray,
}

/// Appends a leaf's entries from `from` up to `until` to `entries`. Some: the right sibling, which begins at
/// this fence, may have more of them.
fn read_key<const W: usize>(
    page: &Page,
    block: Block,
    from: &Entry<W>,
    until: &Entry<W>,
    entries: &mut Vec<Entry<W>>,
) -> Result<Option<(Block, Entry<W>)>> {
    let leaf = Leaf::<W>::open(page, block)?;
    leaf.forward(from, until, usize::MAX, entries)?;
    let high = leaf.high();
    if *until <= high {
        return Ok(None);
    }
    let right = leaf.right().ok_or_else(|| no_right(block))?;
    Ok(Some((right, high)))
}

/// Whether a page is a leaf with this low fence.
fn begins_at<const W: usize>(page: &Page, block: Block, fence: &Entry<W>) -> Result<bool> {
    Ok(fences::of::<W>(page, block, 0)?.is_some_and(|(low, _)| low == *fence))
}

#[cold]
fn no_right(block: Block) -> Error {
    Error::corrupted(block, "last page of its level does not reach the end")
}

//! Adding an entry whose key must be unique among the rows that are alive.
//!
//! As in nbtree's `_bt_check_unique`. Entries of one key differ by their TIDs, so they may fill
//! many leaves, and two backends that insert the key may aim at different leaves. So each of them
//! first locks the leaf where the key begins, exclusively, and checks the entries of the key from
//! there on. Then it moves right to the leaf of the new entry, and releases a leaf only when it has
//! locked the next one. A second backend gets the first leaf only when the first backend has left
//! it, cannot overtake it, and so finds its entry.

use super::descend::no_right_sibling;
use super::{Tree, with_restarts};
use crate::error::{Error, Result};
use crate::fences::begins_at;
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::page::{Block, Page};
use crate::range::Range;
use crate::store::{Guard, Store};
use crate::tree::Inserted;

/// What an entry with the same key means for the new entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueVerdict {
    /// The entry is no conflict: the next one is checked.
    Continue,
    /// There is no conflict, whatever other entries there are.
    Accept,
    /// The entry is a conflict, or it is not known yet whether it is one.
    Conflict,
}

/// Checks an entry with the same key. Its arguments are the entry's tie and the block of the leaf
/// where the key begins. It is called while pages are locked, and possibly more than once for an
/// entry.
pub type UniqueCheck<'c> = dyn FnMut(u64, Block) -> UniqueVerdict + 'c;

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Adds an entry that the index does not have, unless an entry with the same key is a conflict.
    /// Then the result is None, and the index is unchanged. `key` is the range of all entries with
    /// that key ([`crate::search::Field::same`]); NULL is a value like others. `hint` as in
    /// [`Tree::insert_with`].
    pub fn insert_unique(
        &self,
        mut hint: Option<Block>,
        entry: Entry<W>,
        key: &Range<W>,
        fill: u8,
        check: &mut UniqueCheck<'_>,
    ) -> Result<Option<Inserted>> {
        with_restarts(|| {
            let first = match self.lock_key(hint.take(), key, check)? {
                LockedKey::First(leaf) => leaf,
                LockedKey::Conflict => return Ok(Some(None)),
                LockedKey::Restart => return Ok(None),
            };
            let mut leaf = self.move_right(first, &entry)?;
            if !self.complete_split(&mut leaf)? {
                drop(leaf);
                self.complete_root_split()?;
                return Ok(None);
            }
            // If the leaf had to be bisected first, it has been released.
            Ok(self.insert_into_leaf(leaf, entry, &[], fill)?.map(Some))
        })
    }

    /// Whether no entry with the same key is a conflict. If the index has the new entry already, it
    /// is checked like others.
    pub fn is_unique(&self, key: &Range<W>, check: &mut UniqueCheck<'_>) -> Result<bool> {
        with_restarts(|| {
            Ok(match self.lock_key(None, key, check)? {
                LockedKey::First(_) => Some(true),
                LockedKey::Conflict => Some(false),
                LockedKey::Restart => None,
            })
        })
    }

    /// Locks the leaf where a key begins and checks all entries of the key.
    fn lock_key(
        &self,
        hint: Option<Block>,
        key: &Range<W>,
        check: &mut UniqueCheck<'_>,
    ) -> Result<LockedKey<S::Write>> {
        let Range { from, until, .. } = key;
        let first = self.find_for_write_near(hint, from)?;
        self.held.borrow_mut().push(first.block());
        let verdict = self.check_all(&first, from, until, check);
        self.held.borrow_mut().pop();
        Ok(match verdict? {
            Some(UniqueVerdict::Conflict) => LockedKey::Conflict,
            Some(UniqueVerdict::Continue | UniqueVerdict::Accept) => LockedKey::First(first),
            None => LockedKey::Restart,
        })
    }

    /// The verdict on the entries from `from` to `until`, which begin in `first`. None: a leaf to
    /// the right was freed between two reads.
    fn check_all(
        &self,
        first: &S::Write,
        from: &Entry<W>,
        until: &Entry<W>,
        check: &mut UniqueCheck<'_>,
    ) -> Result<Option<UniqueVerdict>> {
        let block = first.block();
        let mut entries = Vec::new();
        let mut next = read_key(first, block, from, until, &mut entries)?;
        // Each leaf stays locked until the next one is. If the next one were freed and recycled in
        // between, a backend could hold it that waits for `first`.
        let mut last: Option<S::Read> = None;
        loop {
            for entry in entries.drain(..) {
                match check(entry.tie, block) {
                    UniqueVerdict::Continue => {}
                    verdict => return Ok(Some(verdict)),
                }
            }
            let Some((right, fence)) = next else {
                return Ok(Some(UniqueVerdict::Continue));
            };
            self.held
                .borrow_mut()
                .push(last.as_ref().map_or(block, Guard::block));
            let leaf = self.read(right);
            self.held.borrow_mut().pop();
            let leaf = leaf?;
            if !begins_at(&leaf, right, 0, &fence)? {
                return Ok(None);
            }
            next = read_key(&leaf, right, from, until, &mut entries)?;
            last = Some(leaf);
        }
    }

    /// Moves right from the leaf where an entry's key begins to the leaf that covers the entry.
    fn move_right(&self, mut leaf: S::Write, entry: &Entry<W>) -> Result<S::Write> {
        loop {
            let block = leaf.block();
            let view = Leaf::<W>::open(&leaf, block)?;
            let fence = view.high();
            if *entry < fence {
                return Ok(leaf);
            }
            let right = view.right().ok_or_else(|| no_right_sibling(block))?;
            self.held.borrow_mut().push(block);
            let next = self.write(right);
            self.held.borrow_mut().pop();
            let next = next?;
            // It cannot have been freed while its left neighbour is locked.
            if !begins_at(&next, right, 0, &fence)? {
                return Err(Error::corrupted(block, "right link to another leaf"));
            }
            leaf = next;
        }
    }
}

/// The result of [`Tree::lock_key`].
enum LockedKey<Leaf> {
    /// The leaf where the key begins; there is no conflict.
    First(Leaf),
    Conflict,
    /// The search has to restart.
    Restart,
}

/// Appends a leaf's entries from `from` to `until` to `entries`. Some: the right sibling, which
/// begins at this fence, may have more.
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
    let right = leaf.right().ok_or_else(|| no_right_sibling(block))?;
    Ok(Some((right, high)))
}

//! Removing the entries of rows that scans found dead, before VACUUM comes.
//!
//! Unlike nbtree's hints these are logged changes, which readers on a standby see, too. So only entries go whose
//! rows were pruned to dead line pointers: the record of that, which a standby replays before, deals with
//! whoever could still see them. ARCHITECTURE.md has the argument.

use learned::cursor::Cursor;
use learned::page::NO_BLOCK;
use learned::store::Store;
use learned::{Block, Entry, Tree};
use pgrx::pg_sys;

use crate::error::OrRaise;
use crate::reclaim::removable::ask;
use crate::storage::IndexStore;

/// Fewer are passed over once more: each removal is a record.
const ENOUGH: usize = 8;
/// More wait for the next scan.
const MOST: usize = 1024;

/// Entries of one leaf whose rows nobody can see any more.
pub struct DeadRows<const W: usize> {
    entries: Vec<Entry<W>>,
    leaf: Block,
}

impl<const W: usize> DeadRows<W> {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
            leaf: NO_BLOCK,
        }
    }

    /// Notes the entry that the cursor returned last.
    #[inline(never)]
    pub fn note(&mut self, cursor: &Cursor<W>) {
        if let Some((entry, leaf)) = cursor.current()
            && (self.entries.is_empty() || self.leaf == leaf)
            && self.entries.len() < MOST
        {
            self.leaf = leaf;
            self.entries.push(entry);
        }
    }

    /// Removes from the index what was noted, if it is enough to be worth it; nothing is noted any
    /// more. Called when nothing is locked.
    ///
    /// # Safety
    /// Index and table of the scan are open.
    #[inline(always)]
    pub unsafe fn remove(&mut self, scan: &pg_sys::IndexScanDescData) {
        if self.entries.is_empty() {
            return;
        }
        if self.entries.len() >= ENOUGH && !scan.heapRelation.is_null() {
            // SAFETY: the caller's contract.
            unsafe { self.remove_from(scan.indexRelation, scan.heapRelation) };
        }
        self.entries.clear();
    }

    #[inline(never)]
    unsafe fn remove_from(&mut self, index: pg_sys::Relation, heap: pg_sys::Relation) {
        // SAFETY: the index is open.
        let store = unsafe { IndexStore::new(index, W) };
        let tree = Tree::<_, W>::new(&store);
        let leaf = store.read(self.leaf).or_raise(index);
        tree.retain_present(&leaf, &mut self.entries)
            .or_raise(index);
        // The pin keeps VACUUM from removing the entries, hence their line pointers from being used
        // for other rows.
        let pinned = leaf.unlock();
        // SAFETY: both are open, and the leaf is pinned.
        unsafe { self.retain_removable(index, heap) };
        if !self.entries.is_empty() {
            self.entries.sort_unstable();
            tree.delete(self.leaf, &self.entries).or_raise(index);
        }
        pinned.release();
    }

    /// Keeps the entries whose rows are gone for everybody, on standbys, too: what would need a conflict there is kept out, since a
    /// query that only reads should not cancel others.
    ///
    /// # Safety
    /// `index` and `heap` are open; the leaf has the entries and is pinned.
    unsafe fn retain_removable(&mut self, index: pg_sys::Relation, heap: pg_sys::Relation) {
        // A scan that turned round may have met a row twice.
        self.entries.sort_unstable_by_key(|entry| entry.tie);
        self.entries.dedup();
        let ties: Vec<u64> = self.entries.iter().map(|entry| entry.tie).collect();
        // SAFETY: the caller's contract.
        let dead = unsafe { ask(index, heap, self.leaf, &ties) };
        let mut dead = dead.into_iter();
        let pruned = Some(Some(pg_sys::InvalidTransactionId));
        self.entries.retain(|_| dead.next() == pruned);
    }
}

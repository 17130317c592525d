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
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

use crate::error::OrRaise;
use crate::pg::columns::item_pointer;
use crate::storage::Relation;

/// Fewer are passed over once more: each removal is a record.
const ENOUGH: usize = 8;
/// More wait for the next scan.
const MOST: usize = 1024;

/// Entries of one leaf whose rows nobody can see any more.
pub struct Dead<const W: usize> {
    entries: Vec<Entry<W>>,
    leaf: Block,
}

impl<const W: usize> Dead<W> {
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
        let store = unsafe { Relation::new(index, W) };
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

    /// Keeps the entries whose rows are gone for everybody, on standbys, too. The table tells up to which transaction
    /// standbys have to forget all of the rows it was asked about together; so it is asked for each of its
    /// pages, and what needs such a conflict, for which generic records have no place, is kept out.
    ///
    /// # Safety
    /// `index` and `heap` are open; the leaf has the entries and is pinned.
    unsafe fn retain_removable(&mut self, index: pg_sys::Relation, heap: pg_sys::Relation) {
        // SAFETY: the table is open.
        let judge = unsafe { (*(*heap).rd_tableam).index_delete_tuples };
        let Some(judge) = judge else {
            self.entries.clear();
            return;
        };
        // A scan that turned round may have met a row twice.
        self.entries.sort_unstable_by_key(|entry| entry.tie);
        self.entries.dedup();
        // An entry has no offset on its page; the number is for error messages, and has to be valid.
        let unknown = pg_sys::TM_IndexStatus {
            idxoffnum: 1,
            knowndeletable: false,
            promising: true,
            freespace: 1,
        };
        let mut status = vec![unknown; self.entries.len()];
        let mut tids = Vec::new();
        let mut rest = status.as_mut_slice();
        for page in self.entries.chunk_by(|a, b| a.tie >> 16 == b.tie >> 16) {
            let (of_page, after) = rest.split_at_mut(page.len());
            rest = after;
            tids.clear();
            tids.extend((0..).zip(page).map(|(id, entry)| pg_sys::TM_IndexDelete {
                tid: item_pointer(entry.tie),
                id,
            }));
            let mut deletion = pg_sys::TM_IndexDeleteOp {
                irel: index,
                iblknum: self.leaf,
                // Others may have removed the entry and added it for a new row since the scan: nothing is known for
                // certain, which the other way of asking takes for granted. No amount of space freed is enough.
                bottomup: true,
                bottomupfreespace: i32::MAX,
                ndeltids: tids.len() as i32,
                deltids: tids.as_mut_ptr(),
                status: of_page.as_mut_ptr(),
            };
            // SAFETY: both arrays have as many elements as it is told, and the ids are places in the
            // second. An ERROR comes back as a panic, while nothing is locked.
            let horizon = unsafe { pg_guard_ffi_boundary(|| judge(heap, &raw mut deletion)) };
            if horizon != pg_sys::TransactionId::INVALID {
                of_page.fill(unknown);
            }
        }
        let mut status = status.iter();
        self.entries
            .retain(|_| status.next().is_some_and(|status| status.knowndeletable));
    }
}

//! Entries whose rows a scan has found dead (`kill_prior_tuple`), and their deletion.
//!
//! nbtree marks such entries with unlogged hint bits. Here they are deleted by a logged change,
//! which standbys see, too. So only entries are deleted whose rows were pruned to dead line
//! pointers. A standby replays the record of the pruning first, and that record deals with queries
//! that may still see the rows. docs/concurrency.md has the argument.

use learned::cursor::Cursor;
use learned::page::NO_BLOCK;
use learned::store::Store;
use learned::{Block, Entry, Tree};
use pgrx::pg_sys;

use crate::error::OrRaise;
use crate::pg::index::Index;
use crate::pg::scan_desc::ScanDesc;
use crate::pg::table::Table;
use crate::reclaim::deletable_rows::deletable_rows;
use crate::storage::IndexStore;

/// The number of killed entries of one leaf from which on they are deleted. With fewer, a scan that
/// passes over them again costs less than the WAL record.
const MIN_DELETED: usize = 8;
/// The number of killed entries that a scan remembers. The next scan finds the others.
const MAX_REMEMBERED: usize = 1024;

/// Entries of one leaf whose rows are dead to everyone, as a scan has found.
pub struct KilledEntries<const W: usize> {
    entries: Vec<Entry<W>>,
    leaf: Block,
}

impl<const W: usize> KilledEntries<W> {
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
            && self.entries.len() < MAX_REMEMBERED
        {
            self.leaf = leaf;
            self.entries.push(entry);
        }
    }

    /// Deletes the noted entries from the index if there are at least [`MIN_DELETED`], and forgets
    /// them. No page is locked.
    #[inline(always)]
    pub fn delete(&mut self, scan: &ScanDesc) {
        if self.entries.is_empty() {
            return;
        }
        if self.entries.len() >= MIN_DELETED
            && let Some(table) = scan.table()
        {
            self.delete_from(scan.index(), table);
        }
        self.entries.clear();
    }

    #[inline(never)]
    fn delete_from(&mut self, index: Index, table: Table) {
        let store = IndexStore::new(index, W);
        let tree = Tree::<_, W>::new(&store);
        let leaf = store.read(self.leaf).or_raise(index);
        tree.retain_present(&leaf, &mut self.entries)
            .or_raise(index);
        // The pin keeps VACUUM from deleting the entries, and so their line pointers from being
        // reused for other rows.
        let pinned = leaf.unlock();
        self.retain_deletable(index, table);
        if !self.entries.is_empty() {
            self.entries.sort_unstable();
            tree.delete(self.leaf, &self.entries).or_raise(index);
        }
        pinned.release();
    }

    /// Keeps the entries whose rows are dead to everyone, queries on standbys included. A row that
    /// would need a recovery conflict is not deletable here: a query that only reads should not
    /// cancel queries on standbys. The leaf is pinned.
    fn retain_deletable(&mut self, index: Index, table: Table) {
        // A scan that changed its direction may have met a row twice.
        self.entries.sort_unstable_by_key(|entry| entry.tie);
        self.entries.dedup();
        let ties: Vec<u64> = self.entries.iter().map(|entry| entry.tie).collect();
        let mut rows = deletable_rows(index, table, self.leaf, &ties).into_iter();
        let pruned = Some(Some(pg_sys::InvalidTransactionId));
        self.entries.retain(|_| rows.next() == pruned);
    }
}

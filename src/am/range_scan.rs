//! The state of an index scan: [`learned::cursor::Cursor`] between the server's calls.
//!
//! A rescan that returns one row is the unit of work of a nested loop. So nothing here allocates
//! memory after `ambeginscan`, and a row that the batch already has costs no call into the server.
//!
//! Pins: a plain scan with an MVCC snapshot releases each leaf as soon as its entries are copied.
//! An index-only scan trusts the visibility map, and a snapshot of another kind cannot recognize a
//! reused heap slot. Both keep the pin of the batch's leaf, which holds off VACUUM. Scans of
//! indexes without WAL do the same, as in nbtree.

use learned::Entry;
use learned::cursor::{Cursor, Mark};
use learned::store::{Guard, Store};
use pgrx::pg_sys;

use crate::am::parallel::ParallelScan;
use crate::error::OrRaise;
use crate::pg::codec::{EntryCodec, IndexTupleBuilder, item_pointer};
use crate::pg::scan_desc::ScanDesc;
use crate::pg::{ffi, scan_keys};
use crate::reclaim::killed_entries::KilledEntries;
use crate::session::cache;
use crate::storage::{HeapPrefetch, IndexStore, PinnedBuffer};
use crate::write::queue;

/// A scan with keys of `W` words.
pub struct RangeScan<const W: usize> {
    codec: EntryCodec,
    cursor: Cursor<W>,
    /// Whether the pin of a batch's leaf is kept.
    keep_pin: bool,
    /// Whether the leaves that are read are noted for serializable transactions.
    note_reads: bool,
    pinned: Option<PinnedBuffer>,
    mark: Option<Mark<W>>,
    killed: KilledEntries<W>,
    prefetch: HeapPrefetch,
    /// The row of an index-only scan.
    tuple: IndexTupleBuilder,
    /// TIDs that are about to be added to a bitmap.
    tids: Vec<pg_sys::ItemPointerData>,
}

impl<const W: usize> RangeScan<W> {
    pub fn new(codec: EntryCodec) -> Self {
        Self {
            cursor: Cursor::default(),
            keep_pin: true,
            note_reads: false,
            pinned: None,
            mark: None,
            killed: KilledEntries::new(),
            prefetch: HeapPrefetch::default(),
            tuple: IndexTupleBuilder::new(&codec),
            tids: Vec::new(),
            codec,
        }
    }

    /// Sets the range to what the scan's keys say.
    #[inline(always)]
    pub fn start(&mut self, scan: &ScanDesc) {
        self.killed.delete(scan);
        self.release();
        self.mark = None;
        scan_keys::apply(&self.codec, scan.keys(), &mut self.cursor);
        self.keep_pin =
            scan.is_index_only() || !scan.snapshot().is_mvcc() || !scan.index().needs_wal();
        self.note_reads = ffi::is_serializable();
    }

    /// Gives back what the scan holds.
    pub fn end(&mut self, scan: &ScanDesc) {
        self.killed.delete(scan);
        self.release();
    }

    /// Remembers the current row.
    pub fn mark(&mut self) {
        self.mark = Some(self.cursor.mark());
    }

    /// Returns to the row that was remembered. Rows of the batch in memory need no pin: the marked
    /// row itself is not returned again, and those after it are read again.
    pub fn restore(&mut self) {
        if let Some(mark) = &self.mark {
            self.cursor.restore(mark);
        }
    }

    /// Gives back the pin of the batch's leaf.
    #[inline(always)]
    fn release(&mut self) {
        if let Some(pinned) = self.pinned.take() {
            pinned.release();
        }
    }

    /// Returns the next row to the server, if the batch has it and it is not time to prefetch.
    /// Nothing here panics or raises an ERROR.
    #[inline(always)]
    pub fn next_of_batch(&mut self, scan: &mut ScanDesc, backward: bool) -> bool {
        if !self.prefetch.count_row() {
            return false;
        }
        let forward = backward == self.codec.reversed;
        match self.cursor.step(forward) {
            Some(entry) => self.put(scan, &entry),
            None => return false,
        }
        true
    }

    /// Returns the next row to the server; false at the end.
    pub fn next(&mut self, scan: &mut ScanDesc, backward: bool) -> bool {
        if scan.is_prior_row_dead() {
            self.killed.note(&self.cursor);
        }
        let forward = backward == self.codec.reversed;
        let (next, rows) = self.cursor.upcoming(forward);
        self.prefetch.request(scan, next, rows);
        if self.next_of_batch(scan, backward) {
            return true;
        }
        match self.load_batch(scan, forward) {
            Some(entry) => self.put(scan, &entry),
            None => return false,
        }
        true
    }

    /// Returns an entry's row to the server.
    #[inline(always)]
    fn put(&mut self, scan: &mut ScanDesc, entry: &Entry<W>) {
        // In this order the TID needs no register while the entry is checked.
        scan.set_tid(item_pointer(entry.tie));
        scan.set_recheck(!self.cursor.is_sure(entry));
        if scan.is_index_only() {
            scan.set_tuple(self.tuple.build(&self.codec, entry));
        }
    }

    /// Reads the next batch and returns its first entry. None at the end of the range.
    #[inline(never)]
    fn load_batch(&mut self, scan: &ScanDesc, forward: bool) -> Option<Entry<W>> {
        // Functions that the statement calls must find the rows that it has inserted.
        queue::flush();
        self.killed.delete(scan);
        if !self.cursor.has_more(forward) {
            self.cursor.finish(forward);
            self.release();
            return None;
        }
        self.count_search(scan);
        let first = !self.cursor.is_started();
        let index = scan.index();
        self.release();
        let store = IndexStore::new(index, W);
        // SAFETY: ambeginscan has chosen W by the index's keys.
        let parallel = unsafe { ParallelScan::<W>::of(scan) };
        let entry = loop {
            let turn = match parallel {
                None => None,
                Some(parallel) => match parallel.wait_for_turn(&mut self.cursor, forward) {
                    None => {
                        self.cursor.finish(forward);
                        break None;
                    }
                    turn => turn,
                },
            };
            // The tree is made for each leaf, since the model may be discarded when interrupts are
            // served.
            let tree = cache::tree(&store);
            let leaf = self.cursor.load(&tree, forward).or_raise(index);
            self.note_read(scan, &leaf);
            if let Some(turn) = turn {
                turn.pass_on(&self.cursor, forward);
            }
            let entry = self.cursor.step(forward);
            if self.keep_pin && entry.is_some() {
                self.pinned = Some(leaf.unlock());
            } else {
                drop(leaf);
            }
            cache::remember(&tree);
            if entry.is_some() {
                break entry;
            }
            if !self.cursor.has_more(forward) {
                self.cursor.finish(forward);
                break None;
            }
            pgrx::check_for_interrupts!();
        };
        self.prefetch.start_batch(first, scan.is_index_only());
        cache::discard_if_outdated(&store);
        entry
    }

    /// Calls `visit` with the TIDs of all rows of the range, and with whether their conditions must
    /// be evaluated again. Returns the number of rows.
    pub fn visit_all(
        &mut self,
        scan: &ScanDesc,
        mut visit: impl FnMut(&mut [pg_sys::ItemPointerData], bool),
    ) -> i64 {
        if !self.cursor.has_more(true) {
            return 0;
        }
        self.count_search(scan);
        let index = scan.index();
        let mut count = 0;
        let store = IndexStore::new(index, W);
        self.cursor.read_whole_range();
        while self.cursor.has_more(true) {
            // As in load_batch().
            let tree = cache::tree(&store);
            let leaf = self.cursor.load(&tree, true).or_raise(index);
            self.note_read(scan, &leaf);
            drop(leaf);
            cache::remember(&tree);
            let sure = |entry: &Entry<W>| self.cursor.is_sure(entry);
            for same in self.cursor.batch().chunk_by(|a, b| sure(a) == sure(b)) {
                let recheck = !same.first().is_some_and(sure);
                self.tids.clear();
                let tids = same.iter().map(|entry| item_pointer(entry.tie));
                self.tids.extend(tids);
                visit(&mut self.tids, recheck);
                count += same.len() as i64;
            }
            pgrx::check_for_interrupts!();
        }
        self.cursor.finish(true);
        cache::discard_if_outdated(&store);
        count
    }

    /// Notes that a leaf is read, while it is still locked: for snapshots that may be too old, and
    /// for serializable transactions.
    #[inline(always)]
    fn note_read(&self, scan: &ScanDesc, leaf: &<IndexStore as Store>::Read) {
        scan.index().check_snapshot_age(scan.snapshot(), leaf);
        if self.note_reads {
            scan.index().lock_predicate(leaf.block(), scan.snapshot());
        }
    }

    /// Counts a search in the statistics, if this is the first batch of the range.
    #[inline]
    fn count_search(&self, scan: &ScanDesc) {
        if !self.cursor.is_started() {
            scan.count_search();
        }
    }
}

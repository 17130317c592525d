//! An open table.

use std::ptr::NonNull;

use learned::Block;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, Oid};

use super::codec::item_pointer;
use super::ffi;
use super::index::Index;

/// An open table of any access method: the server's relcache entry. As for [`Index`], a handle must
/// not be kept beyond the callback, or beyond the `close`, for which it was made.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Table(NonNull<pg_sys::RelationData>);

/// Which rows of a table are alive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RowState {
    /// No version of the row is alive.
    Dead,
    /// A version of the row is alive.
    Alive,
    /// Another transaction has inserted or is deleting the row, and has not ended yet. `token` is
    /// not 0 if the insertion is speculative.
    InDoubt {
        transaction: pg_sys::TransactionId,
        token: u32,
    },
}

impl Table {
    /// # Safety
    /// `rel` is a table. It is open, and locked, for as long as the handle and its copies are used.
    #[inline(always)]
    pub unsafe fn from_raw(rel: pg_sys::Relation) -> Self {
        // SAFETY: an open relation has a relcache entry, so the pointer is not null.
        Self(unsafe { NonNull::new_unchecked(rel) })
    }

    /// The server's pointer, for calls of its functions.
    #[inline(always)]
    pub fn raw(self) -> pg_sys::Relation {
        self.0.as_ptr()
    }

    /// The role that owns the table.
    pub fn owner(self) -> Oid {
        // SAFETY: every relcache entry has rd_rel.
        unsafe { (*self.0.as_ref().rd_rel).relowner }
    }

    /// The numbers of live and of dead rows, according to the statistics. None if they are not
    /// counted.
    pub fn live_and_dead(self) -> Option<[i64; 2]> {
        // SAFETY: the table is open.
        unsafe { ffi::live_and_dead(self.raw()) }
    }

    /// The setting `effective_io_concurrency` of the table's tablespace. 0 if the table is not a
    /// heap: TIDs of other tables need not tell a page.
    pub fn io_concurrency(self) -> i32 {
        // SAFETY: the table is open, so it has rd_rel.
        unsafe {
            if ffi::is_heap(self.raw()) {
                let tablespace = (*self.0.as_ref().rd_rel).reltablespace;
                pg_sys::get_tablespace_io_concurrency(tablespace)
            } else {
                0
            }
        }
    }

    /// Starts reading a block unless it is in shared buffers. The result says in which buffer it
    /// is, if it is in one, and whether a read was started.
    #[inline(always)]
    pub fn prefetch(self, block: Block) -> pg_sys::PrefetchBufferResult {
        // SAFETY: the table is open. A block behind its end is not read.
        unsafe { pg_sys::PrefetchBuffer(self.raw(), pg_sys::ForkNumber::MAIN_FORKNUM, block) }
    }

    /// The state of the row at a TID, or of a later version of it that has no index entry of its
    /// own, with changes of transactions that have not ended.
    pub fn row_state(self, tid: pg_sys::ItemPointerData) -> RowState {
        let mut dirty = pg_sys::SnapshotData {
            snapshot_type: pg_sys::SnapshotType::SNAPSHOT_DIRTY,
            ..Default::default()
        };
        // SAFETY: a dirty snapshot needs no registration and lives until the end of this function.
        if !unsafe { self.has_row(tid, &raw mut dirty) } {
            return RowState::Dead;
        }
        // The transaction that inserts the row, else the one that deletes it.
        let none = pg_sys::InvalidTransactionId;
        match [dirty.xmin, dirty.xmax].into_iter().find(|x| *x != none) {
            Some(transaction) => RowState::InDoubt {
                transaction,
                token: dirty.speculativeToken,
            },
            None => RowState::Alive,
        }
    }

    /// Whether the row at a TID, or a later version of it that has no index entry of its own, is
    /// alive for the current transaction.
    pub fn is_alive(self, tid: pg_sys::ItemPointerData) -> bool {
        // SAFETY: the server's own snapshot, which needs no registration.
        unsafe { self.has_row(tid, &raw mut pg_sys::SnapshotSelfData) }
    }

    /// # Safety
    /// The snapshot is valid.
    unsafe fn has_row(self, mut tid: pg_sys::ItemPointerData, snapshot: pg_sys::Snapshot) -> bool {
        let all_dead = std::ptr::null_mut();
        // SAFETY: the table is open. The last argument is a result that may be left out.
        unsafe {
            pg_sys::table_index_fetch_tuple_check(self.raw(), &raw mut tid, snapshot, all_dead)
        }
    }

    /// Asks the table which of the rows with these ties, all of one page, are dead to every
    /// transaction of this server. For each row that is, the result has the newest transaction that
    /// standbys must have forgotten before the row's entry may be deleted: the newest of the page's
    /// dead rows, or none if the log has made standbys forget it already. None if the table's
    /// access method cannot tell.
    ///
    /// The rows are of entries of the leaf `leaf` of `index`.
    pub fn deletable_rows(
        self,
        index: Index,
        leaf: Block,
        ties: &[u64],
        buffers: &mut DeletionBuffers,
    ) -> Option<impl Iterator<Item = Option<pg_sys::TransactionId>>> {
        // SAFETY: an open table has the routines of its access method.
        let routine = unsafe { (*self.0.as_ref().rd_tableam).index_delete_tuples }?;
        let DeletionBuffers { rows, status } = buffers;
        rows.clear();
        rows.extend((0..).zip(ties).map(|(id, tie)| pg_sys::TM_IndexDelete {
            tid: item_pointer(*tie),
            id,
        }));
        // The offset on the leaf is for error messages and has to be valid. Entries have none.
        let unknown = pg_sys::TM_IndexStatus {
            idxoffnum: 1,
            knowndeletable: false,
            promising: true,
            freespace: 1,
        };
        status.clear();
        status.resize(ties.len(), unknown);
        let mut deletion = pg_sys::TM_IndexDeleteOp {
            irel: index.raw(),
            iblknum: leaf,
            // The other way of asking takes for granted that the entries are still in the leaf. But
            // another backend may have deleted an entry, and added one for a new row, since the
            // leaf was read. No amount of freed space is enough, so all rows are judged.
            bottomup: true,
            bottomupfreespace: i32::MAX,
            ndeltids: rows.len() as i32,
            deltids: rows.as_mut_ptr(),
            status: status.as_mut_ptr(),
        };
        let table = self.raw();
        // SAFETY: both arrays have `ndeltids` elements, and the ids are places in the second. The
        // routine is a function pointer without pgrx's guard, so it is called through the boundary,
        // with nothing to drop in the closure.
        let horizon = unsafe { pg_guard_ffi_boundary(|| routine(table, &raw mut deletion)) };
        Some(
            status
                .iter()
                .map(move |row| row.knowndeletable.then_some(horizon)),
        )
    }
}

/// Memory of [`Table::deletable_rows`] that is reused from page to page.
#[derive(Default)]
pub struct DeletionBuffers {
    rows: Vec<pg_sys::TM_IndexDelete>,
    status: Vec<pg_sys::TM_IndexStatus>,
}

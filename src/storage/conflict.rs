//! Recovery conflicts: how standbys learn that rows are removed which their queries may still see.

use learned::page::Block;
use pgrx::pg_sys;

use super::index_store::IndexStore;
use crate::pg::ffi;
use crate::pg::table::Table;

/// nbtree's record that announces the reuse of a page (access/nbtxlog.h).
const XLOG_BTREE_REUSE_PAGE: u8 = 0xD0;

impl IndexStore {
    /// Logs that rows deleted by these transactions, and by all older ones, are about to be
    /// removed. Before a standby replays what follows, it waits for the queries that may still see
    /// such rows, or cancels them.
    ///
    /// Generic records cannot carry this, but nbtree has a record that says nothing else: the one
    /// that announces that a page is reused.
    ///
    /// `table` is the table of this index. No page is locked.
    pub fn log_conflict(
        &self,
        table: Table,
        block: Block,
        horizons: impl Iterator<Item = pg_sys::TransactionId>,
    ) {
        let replica = pg_sys::WalLevel::WAL_LEVEL_REPLICA as i32;
        // SAFETY: wal_level is set when the server starts.
        let has_standbys = unsafe { pg_sys::wal_level } >= replica;
        // SAFETY: the function reads a counter in shared memory, which every backend may do.
        let next = unsafe { pg_sys::ReadNextFullTransactionId() }.value;
        // Transactions that the server still knows are less than 2^32 older than the next one.
        let full = |horizon: pg_sys::TransactionId| {
            let age = (next as u32).wrapping_sub(horizon.into_inner());
            next.saturating_sub(age.into())
        };
        let valid = horizons.filter(|horizon| *horizon != pg_sys::InvalidTransactionId);
        let Some(newest) = valid.map(full).max() else {
            return;
        };
        if !has_standbys || !self.is_logged() {
            return;
        }
        // SAFETY: both relations are open. The record has the fields of the server's
        // xl_btree_reuse_page, in native byte order and without gaps, and lives until XLogInsert.
        unsafe {
            let mut record = Vec::with_capacity(32);
            record.extend(ffi::file_of(self.raw()).map(u32::to_ne_bytes).concat());
            record.extend(block.to_ne_bytes());
            record.extend(newest.to_ne_bytes());
            #[cfg(not(feature = "pg15"))]
            record.push(ffi::is_accessible_in_logical_decoding(table.raw()).into());
            #[cfg(feature = "pg15")]
            let _ = table;
            pg_sys::XLogBeginInsert();
            pg_sys::XLogRegisterData(record.as_mut_ptr().cast(), record.len() as _);
            let btree = pg_sys::RmgrIds::RM_BTREE_ID as u8;
            pg_sys::XLogInsert(btree, XLOG_BTREE_REUSE_PAGE);
        }
    }
}

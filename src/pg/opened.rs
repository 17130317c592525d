//! Indexes that this extension opens itself, together with their tables.

use pgrx::pg_sys::{self, Oid};

use super::ffi::NO_LOCK;
use super::index::Index;
use super::table::Table;

/// An open and locked index and its table. There is no destructor: after an ERROR the transaction's
/// abort closes both and releases the locks.
pub struct OpenIndex {
    index: Index,
    table: Table,
    lock: pg_sys::LOCKMODE,
    table_lock: pg_sys::LOCKMODE,
}

/// Why an index cannot be opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OpenError {
    /// The relation is not an index, or does not exist.
    NotAnIndex,
    /// The index was dropped, or recreated on another table, while it was being opened.
    Changed,
    /// A partitioned index has no pages.
    Partitioned,
    /// The index belongs to another access method.
    OtherAccessMethod,
    /// The index is on a temporary table of another session.
    OtherSession,
    /// The index is unlogged, and a standby has no pages of such an index.
    Unlogged,
}

/// The table of an index. None if the relation is not an index.
pub fn table_of_index(index: Oid) -> Option<Oid> {
    // SAFETY: a look-up in the catalogs.
    let table = unsafe { pg_sys::IndexGetRelation(index, true) };
    (table != pg_sys::InvalidOid).then_some(table)
}

impl OpenIndex {
    /// Opens and locks an index and its table, the table first, if it is an index whose access
    /// method has the function `ambuild`.
    pub fn open(
        index_oid: Oid,
        lock: pg_sys::LOCKMODE,
        ambuild: pg_sys::ambuild_function,
    ) -> Result<Self, OpenError> {
        let table_oid = table_of_index(index_oid).ok_or(OpenError::NotAnIndex)?;
        // SAFETY: the functions open and lock the relations, or raise an ERROR. An open relation
        // has rd_rel, and an index that is not partitioned has rd_indam. The handle of the index is
        // made after these checks.
        unsafe {
            let table = pg_sys::table_open(table_oid, lock);
            let index = pg_sys::index_open(index_oid, lock);
            // The table was looked up without a lock.
            if table_of_index(index_oid) != Some(table_oid) {
                return Err(OpenError::Changed);
            }
            let class = &*(*index).rd_rel;
            if class.relkind as u8 != pg_sys::RELKIND_INDEX {
                return Err(OpenError::Partitioned);
            }
            let address = |function: pg_sys::ambuild_function| function.map(|f| f as usize);
            if address((*(*index).rd_indam).ambuild) != address(ambuild) {
                return Err(OpenError::OtherAccessMethod);
            }
            let persistence = class.relpersistence as u8;
            if persistence == pg_sys::RELPERSISTENCE_TEMP && !(*index).rd_islocaltemp {
                return Err(OpenError::OtherSession);
            }
            if persistence == pg_sys::RELPERSISTENCE_UNLOGGED && super::server::is_in_recovery() {
                return Err(OpenError::Unlogged);
            }
            Ok(Self {
                index: Index::from_raw(index),
                table: Table::from_raw(table),
                lock,
                table_lock: lock,
            })
        }
    }

    /// Opens an index of ours to which this transaction has added rows: it has the table locked.
    ///
    /// # Safety
    /// The index belongs to this access method, and this transaction has its table locked.
    pub unsafe fn open_for_insert(index: Oid) -> Self {
        let lock = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
        // SAFETY: the lock on the table keeps the index and the table from being dropped.
        unsafe {
            let index = Index::from_raw(pg_sys::index_open(index, lock));
            let table = Table::from_raw(pg_sys::table_open(index.table_oid(), NO_LOCK));
            Self {
                index,
                table,
                lock,
                table_lock: NO_LOCK,
            }
        }
    }

    pub fn index(&self) -> Index {
        self.index
    }

    pub fn table(&self) -> Table {
        self.table
    }

    /// Closes the index and the table, and releases their locks.
    ///
    /// # Safety
    /// No copy of the two handles is used any more.
    pub unsafe fn close(self) {
        // SAFETY: opened by this type's constructors, with these locks.
        unsafe {
            pg_sys::index_close(self.index.raw(), self.lock);
            pg_sys::table_close(self.table.raw(), self.table_lock);
        }
    }
}

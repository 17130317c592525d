//! An open index.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

use learned::page::{Block, Page};
use pgrx::pg_sys::{self, Oid};

use super::ffi;
use super::snapshot::SnapshotRef;

/// An open index of the access method `learned`: the server's relcache entry.
///
/// The handle has the size of a pointer, and its methods read fields of the relcache entry. A
/// handle must not be kept beyond the callback, or beyond the `close`, for which it was made.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Index(NonNull<pg_sys::RelationData>);

impl Index {
    /// # Safety
    /// `rel` is an index of this access method. It is open, and locked, for as long as the handle
    /// and its copies are used.
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

    #[inline(always)]
    fn entry(&self) -> &pg_sys::RelationData {
        // SAFETY: the relcache entry of an open relation stays where it is. The server changes
        // fields of it only within calls of its functions, over which no reference is held here.
        unsafe { self.0.as_ref() }
    }

    /// The row of pg_class.
    fn class(&self) -> &pg_sys::FormData_pg_class {
        // SAFETY: every relcache entry has rd_rel.
        unsafe { &*self.entry().rd_rel }
    }

    /// The row of pg_index.
    fn form(&self) -> &pg_sys::FormData_pg_index {
        // SAFETY: the relcache entry of an index has rd_index.
        unsafe { &*self.entry().rd_index }
    }

    #[inline(always)]
    pub fn oid(self) -> Oid {
        self.entry().rd_id
    }

    /// The OID of the index's table.
    pub fn table_oid(self) -> Oid {
        self.form().indrelid
    }

    /// The index's name, without its schema.
    pub fn name(self) -> String {
        // SAFETY: relname is a C string of fixed size within rd_rel.
        let name = unsafe { CStr::from_ptr(self.class().relname.data.as_ptr()) };
        name.to_string_lossy().into_owned()
    }

    /// The description of the index's columns.
    pub fn tuple_descriptor(self) -> pg_sys::TupleDesc {
        self.entry().rd_att
    }

    /// The parsed storage parameters, which `amoptions` has made. None if none were given.
    ///
    /// # Safety
    /// `Options` is the struct that `amoptions` describes.
    #[inline(always)]
    pub unsafe fn options<Options>(&self) -> Option<&Options> {
        // SAFETY: rd_options is null or what amoptions returned for this index.
        unsafe { self.entry().rd_options.cast::<Options>().as_ref() }
    }

    /// Whether the index is complete. CREATE INDEX CONCURRENTLY validates one that is not.
    pub fn is_valid(self) -> bool {
        self.form().indisvalid
    }

    /// Whether the current transaction creates the index, or has not validated it yet.
    pub fn is_new(self) -> bool {
        self.entry().rd_createSubid != 0 || !self.is_valid()
    }

    /// Whether the index of a unique constraint considers NULLs equal (NULLS NOT DISTINCT).
    pub fn has_equal_nulls(self) -> bool {
        self.form().indnullsnotdistinct
    }

    /// Whether REINDEX is rebuilding the index.
    pub fn is_reindexed(self) -> bool {
        // SAFETY: the function compares the OID with a variable of this backend.
        unsafe { pg_sys::ReindexIsProcessingIndex(self.oid()) }
    }

    /// Whether the index belongs to a temporary table.
    pub fn is_temporary(self) -> bool {
        self.class().relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP
    }

    /// Whether changes of the main fork are logged.
    #[inline(always)]
    pub fn needs_wal(self) -> bool {
        // SAFETY: the index is open.
        unsafe { ffi::relation_needs_wal(self.raw()) }
    }

    /// What this session keeps with the relcache entry: null or one chunk of memory. The server
    /// frees it when it invalidates the entry, which may happen in any function that reads a
    /// catalog or locks a relation.
    #[inline(always)]
    pub fn cached(self) -> *mut c_void {
        self.entry().rd_amcache
    }

    /// Sets what [`Index::cached`] returns, without freeing what was there.
    ///
    /// # Safety
    /// `chunk` is null or one chunk of the memory context [`Index::cache_context`].
    pub unsafe fn set_cached(self, chunk: *mut c_void) {
        // SAFETY: the entry is this backend's own, and no reference to it is held.
        unsafe { (*self.raw()).rd_amcache = chunk };
    }

    /// The memory context of what is kept with the relcache entry.
    pub fn cache_context(self) -> pg_sys::MemoryContext {
        self.entry().rd_indexcxt
    }

    /// Counts a scan in the statistics.
    #[inline(always)]
    pub fn count_scan(self) {
        // SAFETY: the index is open.
        unsafe { ffi::count_index_scan(self.raw()) };
    }

    /// Runs `work` while no other backend has the same page locked in the lock manager. (This is
    /// not the lock of the page's buffer.) Waits for the lock. After an ERROR the transaction's
    /// abort releases it.
    pub fn with_page_lock<R>(self, block: Block, work: impl FnOnce() -> R) -> R {
        let lock = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        // SAFETY: the lock manager accepts any block of an open relation.
        unsafe { pg_sys::LockPage(self.raw(), block, lock) };
        let result = work();
        // SAFETY: locked above.
        unsafe { pg_sys::UnlockPage(self.raw(), block, lock) };
        result
    }

    /// As [`Index::with_page_lock`], but returns None at once if another backend has the lock.
    pub fn try_with_page_lock<R>(self, block: Block, work: impl FnOnce() -> R) -> Option<R> {
        let lock = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        // SAFETY: the lock manager accepts any block of an open relation.
        if !unsafe { pg_sys::ConditionalLockPage(self.raw(), block, lock) } {
            return None;
        }
        let result = work();
        // SAFETY: locked above.
        unsafe { pg_sys::UnlockPage(self.raw(), block, lock) };
        Some(result)
    }

    /// Notes a page in the free space map.
    pub fn record_free_page(self, block: Block) {
        // SAFETY: the index is open. A page that the map offers is checked before it is reused.
        unsafe { pg_sys::RecordFreeIndexPage(self.raw(), block) };
    }

    /// Brings the upper levels of the free space map up to date.
    pub fn vacuum_free_space_map(self) {
        // SAFETY: the index is open.
        unsafe { pg_sys::IndexFreeSpaceMapVacuum(self.raw()) };
    }

    /// Makes all sessions discard what they keep with their relcache entries of the index. They do
    /// so after the current transaction has been committed.
    pub fn invalidate(self) {
        // SAFETY: the index is open.
        unsafe { pg_sys::CacheInvalidateRelcache(self.raw()) };
    }

    /// Raises "snapshot too old" if the snapshot may see rows whose entries are gone from the page.
    #[inline(always)]
    pub fn check_snapshot_age(self, snapshot: SnapshotRef, page: &Page) {
        // SAFETY: the index is open, and a SnapshotRef is null or a snapshot.
        unsafe { ffi::check_snapshot_age(self.raw(), snapshot.raw(), page) };
    }

    /// Notes that this serializable transaction has read a page.
    pub fn lock_predicate(self, block: Block, snapshot: SnapshotRef) {
        // SAFETY: the index is open, and the server ignores snapshots that are not its own kind.
        unsafe { ffi::PredicateLockPage(self.raw(), block, snapshot.raw()) };
    }

    /// Raises an ERROR if this serializable transaction must not write to a page, because of what
    /// other transactions have read.
    pub fn check_serializable_write(self, block: Block) {
        let no_row = std::ptr::null_mut();
        // SAFETY: the index is open; no row means that the page is meant.
        unsafe { ffi::CheckForSerializableConflictIn(self.raw(), no_row, block) };
    }

    /// Waits until a transaction has ended, in which another row with the key of row `tid` was
    /// inserted or deleted. `token` is not 0 if that insertion is speculative; then the wait ends
    /// with the insertion. May raise an ERROR, for a deadlock for instance.
    pub fn wait_for_transaction(
        self,
        transaction: pg_sys::TransactionId,
        token: u32,
        mut tid: pg_sys::ItemPointerData,
    ) {
        // SAFETY: the index is open, and `tid` is read for the error context only.
        unsafe {
            if token > 0 {
                pg_sys::SpeculativeInsertionWait(transaction, token);
            } else {
                let why = pg_sys::XLTW_Oper::XLTW_InsertIndex;
                pg_sys::XactLockTableWait(transaction, self.raw(), &raw mut tid, why);
            }
        }
    }
}

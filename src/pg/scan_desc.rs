//! The server's description of an index scan.

use pgrx::pg_sys;

use super::index::Index;
use super::snapshot::SnapshotRef;
use super::table::Table;

/// A scan of an index of ours, as the server describes it to the access method: search keys, the
/// row that the access method returns, and a pointer to the access method's state.
#[repr(transparent)]
pub struct ScanDesc(pg_sys::IndexScanDescData);

impl ScanDesc {
    /// Makes the description of a new scan. It lives in the current memory context.
    pub fn new<'a>(index: Index, key_count: i32, order_by_count: i32) -> &'a mut Self {
        // SAFETY: the index is open. The result is not null, and nothing else refers to it yet.
        let scan = unsafe {
            &mut *pg_sys::RelationGetIndexScan(index.raw(), key_count, order_by_count)
                .cast::<Self>()
        };
        scan.0.xs_itupdesc = index.tuple_descriptor();
        scan
    }

    /// The description and the access method's state.
    ///
    /// # Safety
    /// `scan` is a scan of this access method that has a state of type `State`, and no other
    /// reference to the scan or its state is used for as long as the result is.
    #[inline(always)]
    pub unsafe fn with_state<'a, State>(
        scan: pg_sys::IndexScanDesc,
    ) -> (&'a mut Self, &'a mut State) {
        // SAFETY: `opaque` points to what set_state() has made, which is memory of its own.
        unsafe {
            let owned = (*scan).opaque.cast::<OwnedState<State>>();
            (&mut *scan.cast::<Self>(), &mut (*owned).state)
        }
    }

    /// The description alone.
    ///
    /// # Safety
    /// As for [`ScanDesc::with_state`]. The scan may have no state.
    pub unsafe fn from_raw<'a>(scan: pg_sys::IndexScanDesc) -> &'a mut Self {
        // SAFETY: the server passes a valid scan, to which nothing else refers.
        unsafe { &mut *scan.cast::<Self>() }
    }

    /// The server's pointer.
    pub fn raw(&mut self) -> pg_sys::IndexScanDesc {
        &raw mut self.0
    }

    /// Gives the scan its state, in a memory context of its own below the current one. The state is
    /// dropped when the context is deleted: by [`ScanDesc::end`], or by the server when a query
    /// fails.
    #[inline(always)]
    pub fn set_state<State>(&mut self, new: impl FnOnce() -> State) {
        // SAFETY: the memory is large enough, and aligned for any type. It is written in full
        // before anything reads it. The callback and its argument live as long as the context that
        // calls back.
        unsafe {
            let context = pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"learned scan".as_ptr(),
                pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                pg_sys::ALLOCSET_SMALL_MAXSIZE as usize,
            );
            let owned = pg_sys::MemoryContextAlloc(context, size_of::<OwnedState<State>>())
                .cast::<OwnedState<State>>();
            (&raw mut (*owned).state).write(new());
            (&raw mut (*owned).context).write(context);
            (&raw mut (*owned).at_end).write(pg_sys::MemoryContextCallback {
                func: Some(drop_state::<State>),
                arg: owned.cast(),
                next: std::ptr::null_mut(),
            });
            pg_sys::MemoryContextRegisterResetCallback(context, &raw mut (*owned).at_end);
            self.0.opaque = owned.cast();
        }
    }

    /// Drops the state and frees its memory.
    ///
    /// # Safety
    /// As for [`ScanDesc::with_state`]. The scan has no state after this.
    pub unsafe fn end<State>(scan: pg_sys::IndexScanDesc) {
        // SAFETY: the context is that of the state, which no reference is to.
        unsafe {
            let owned = (*scan).opaque.cast::<OwnedState<State>>();
            (*scan).opaque = std::ptr::null_mut();
            pg_sys::MemoryContextDelete((*owned).context);
        }
    }

    #[inline(always)]
    pub fn index(&self) -> Index {
        // SAFETY: the server has the scan's index open until the scan ends.
        unsafe { Index::from_raw(self.0.indexRelation) }
    }

    /// The index's table. None in a scan that does not read the table, as for a bitmap.
    #[inline(always)]
    pub fn table(&self) -> Option<Table> {
        let table = self.0.heapRelation;
        // SAFETY: a scan's table is null, or open until the scan ends.
        (!table.is_null()).then(|| unsafe { Table::from_raw(table) })
    }

    #[inline(always)]
    pub fn snapshot(&self) -> SnapshotRef {
        // SAFETY: the snapshot of a scan is null, or lives as long as the scan.
        unsafe { SnapshotRef::from_raw(self.0.xs_snapshot) }
    }

    /// The search keys.
    #[inline(always)]
    pub fn keys(&self) -> &[pg_sys::ScanKeyData] {
        let count = usize::try_from(self.0.numberOfKeys).unwrap_or(0);
        if count == 0 || self.0.keyData.is_null() {
            return &[];
        }
        // SAFETY: keyData has numberOfKeys elements.
        unsafe { std::slice::from_raw_parts(self.0.keyData, count) }
    }

    /// Sets the search keys.
    ///
    /// # Safety
    /// `keys` is null, which means the same keys again, or points to as many keys as the scan was
    /// made for. `count` is that number.
    #[inline(always)]
    pub unsafe fn set_keys(&mut self, keys: pg_sys::ScanKey, count: i32) {
        let room = usize::try_from(self.0.numberOfKeys).unwrap_or(0);
        if !keys.is_null() && count == self.0.numberOfKeys && room > 0 {
            // SAFETY: keyData has numberOfKeys elements. The server may pass keyData itself, so the
            // ranges may overlap.
            unsafe { std::ptr::copy(keys, self.0.keyData, room) };
        }
    }

    /// Whether the row that was returned last is dead to all transactions.
    #[inline(always)]
    pub fn is_prior_row_dead(&self) -> bool {
        self.0.kill_prior_tuple
    }

    /// Whether the scan is index-only.
    #[inline(always)]
    pub fn is_index_only(&self) -> bool {
        self.0.xs_want_itup
    }

    /// Returns a row to the server.
    #[inline(always)]
    pub fn set_tid(&mut self, tid: pg_sys::ItemPointerData) {
        self.0.xs_heaptid = tid;
    }

    /// Says whether the server must evaluate the conditions again for the row.
    #[inline(always)]
    pub fn set_recheck(&mut self, recheck: bool) {
        self.0.xs_recheck = recheck;
    }

    /// Returns the row's values in an index-only scan. The server reads the tuple before it asks
    /// for the next row.
    #[inline(always)]
    pub fn set_tuple(&mut self, tuple: pg_sys::IndexTuple) {
        self.0.xs_itup = tuple;
    }

    /// What the processes of a parallel scan share for the access method. None if the scan is not
    /// parallel.
    #[inline(always)]
    pub fn shared(&self) -> Option<*mut std::ffi::c_void> {
        let scan = self.0.parallel_scan;
        if scan.is_null() {
            return None;
        }
        // SAFETY: the offset is that of the memory which the server has reserved for the access
        // method, behind its own part.
        unsafe {
            #[cfg(not(feature = "pg18"))]
            let offset = (*scan).ps_offset;
            #[cfg(feature = "pg18")]
            let offset = (*scan).ps_offset_am;
            Some(scan.cast::<u8>().add(offset).cast())
        }
    }

    /// Counts a search in the statistics and for EXPLAIN ANALYZE.
    pub fn count_search(&self) {
        self.index().count_scan();
        #[cfg(feature = "pg18")]
        // SAFETY: null, or the executor's counters, which outlive the scan.
        if let Some(instrument) = unsafe { self.0.instrument.as_mut() } {
            instrument.nsearches += 1;
        }
    }
}

/// A scan's state and what is needed to drop it.
#[repr(C)]
struct OwnedState<State> {
    state: State,
    context: pg_sys::MemoryContext,
    at_end: pg_sys::MemoryContextCallback,
}

/// Drops a state whose memory context is being deleted. It is not guarded: nothing in a state's
/// destructor raises an ERROR or panics.
unsafe extern "C-unwind" fn drop_state<State>(owned: *mut std::ffi::c_void) {
    // SAFETY: called once, by the context in which set_state() has written the state.
    unsafe { (&raw mut (*owned.cast::<OwnedState<State>>()).state).drop_in_place() };
}

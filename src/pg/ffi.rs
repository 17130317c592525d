//! What PostgreSQL has and pgrx does not offer: ported macros and missing declarations.

// The server's own names.
#![allow(non_snake_case)]

use std::ffi::{c_char, c_void};

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

// Declared again, since pgrx puts a `sigsetjmp` around each call. These raise no error as long as the buffer
// is pinned and fewer than 200 page locks are held.
unsafe extern "C-unwind" {
    /// Locks or unlocks a pinned buffer (storage/bufmgr.h).
    pub fn LockBuffer(buffer: pg_sys::Buffer, mode: i32);
    /// Locks a pinned buffer exclusively, if nobody has it locked.
    pub fn ConditionalLockBuffer(buffer: pg_sys::Buffer) -> bool;
    /// Whether this process may write to the log (access/xlog.h).
    pub fn XLogInsertAllowed() -> bool;
    /// The number of the current subtransaction (access/xact.h).
    pub fn GetCurrentSubTransactionId() -> pg_sys::SubTransactionId;
    /// Gives up a pin.
    pub fn ReleaseBuffer(buffer: pg_sys::Buffer);
    /// Gives up lock and pin.
    pub fn UnlockReleaseBuffer(buffer: pg_sys::Buffer);

    // These are called in critical sections only, where an error ends the process.

    /// Marks a pinned and exclusively locked buffer as changed.
    pub fn MarkBufferDirty(buffer: pg_sys::Buffer);
    /// Begins a record (access/xloginsert.h).
    pub fn XLogBeginInsert();
    /// Adds a page to the record.
    pub fn XLogRegisterBuffer(id: u8, buffer: pg_sys::Buffer, flags: u8);
    /// Adds data for a registered page. The length is a `uint32` from 16 on, an `int` before.
    pub fn XLogRegisterBufData(id: u8, data: *mut u8, len: u32);
    /// Inserts the record into the log and returns the position of its end.
    pub fn XLogInsert(rmid: pg_sys::RmgrId, info: u8) -> pg_sys::XLogRecPtr;
}

// Called by hooks, through which errors pass as they pass through any function of the server.
unsafe extern "C-unwind" {
    /// Runs a statement (executor/executor.h).
    #[cfg(not(feature = "pg18"))]
    pub fn standard_ExecutorRun(
        query: *mut pg_sys::QueryDesc,
        direction: pg_sys::ScanDirection::Type,
        count: u64,
        once: bool,
    );
    /// Runs a statement (executor/executor.h).
    #[cfg(feature = "pg18")]
    pub fn standard_ExecutorRun(
        query: *mut pg_sys::QueryDesc,
        direction: pg_sys::ScanDirection::Type,
        count: u64,
    );
    /// Ends a statement's work (executor/executor.h).
    pub fn standard_ExecutorFinish(query: *mut pg_sys::QueryDesc);
    /// Runs a statement that has no plan (tcop/utility.h).
    pub fn standard_ProcessUtility(
        statement: *mut pg_sys::PlannedStmt,
        text: *const c_char,
        read_only: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        params: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        dest: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );
}

/// A column of a relation, counted from 0 (`TupleDescAttr`).
///
/// # Safety
/// The relation is open as long as the result is used, and has the column.
pub unsafe fn attribute<'r>(
    rel: pg_sys::Relation,
    number: usize,
) -> &'r pg_sys::FormData_pg_attribute {
    // SAFETY: the caller's contract. From 18 on a short form of all columns comes first.
    unsafe {
        let description = (*rel).rd_att;
        #[cfg(not(feature = "pg18"))]
        let first = (*description).attrs.as_ptr();
        #[cfg(feature = "pg18")]
        let first = {
            let short = (*description).compact_attrs.as_ptr();
            let count = usize::try_from((*description).natts).unwrap_or(0);
            short.add(count).cast::<pg_sys::FormData_pg_attribute>()
        };
        &*first.add(number)
    }
}

/// `#define NoLock 0`: the relation is locked already.
pub const NO_LOCK: pg_sys::LOCKMODE = 0;

/// `#define InvalidSubTransactionId ((SubTransactionId) 0)`
const NO_SUBTRANSACTION: pg_sys::SubTransactionId = 0;

/// Starts a critical section: until its end any ERROR becomes a PANIC.
///
/// ```c
/// #define START_CRIT_SECTION()  (CritSectionCount++)
/// ```
#[inline(always)]
pub fn start_crit_section() {
    // SAFETY: a backend is single-threaded, and only this pair of functions and the server's own
    // macros touch the counter, always in nested pairs.
    unsafe { pg_sys::CritSectionCount += 1 };
}

/// Ends a critical section.
///
/// ```c
/// #define END_CRIT_SECTION() do { Assert(CritSectionCount > 0); CritSectionCount--; } while(0)
/// ```
#[inline(always)]
pub fn end_crit_section() {
    // SAFETY: as above; wrapping, since nothing in here may panic.
    unsafe { pg_sys::CritSectionCount = pg_sys::CritSectionCount.wrapping_sub(1) };
}

/// Whether changes of the relation's main fork are logged.
///
/// ```c
/// #define RelationNeedsWAL(relation) \
///     (RelationIsPermanent(relation) && (XLogIsNeeded() || \
///       (relation->rd_createSubid == InvalidSubTransactionId && \
///        relation->rd_firstRelfilenodeSubid == InvalidSubTransactionId)))
/// ```
///
/// # Safety
/// `rel` is an open relation.
pub unsafe fn relation_needs_wal(rel: pg_sys::Relation) -> bool {
    // SAFETY: the caller has the relation open, so its relcache entry and rd_rel are there;
    // wal_level is set at server start.
    unsafe {
        let permanent = (*(*rel).rd_rel).relpersistence == pg_sys::RELPERSISTENCE_PERMANENT as i8;
        #[cfg(feature = "pg15")]
        let first_file = (*rel).rd_firstRelfilenodeSubid;
        #[cfg(not(feature = "pg15"))]
        let first_file = (*rel).rd_firstRelfilelocatorSubid;
        permanent
            && (pg_sys::wal_level >= pg_sys::WalLevel::WAL_LEVEL_REPLICA as i32
                || ((*rel).rd_createSubid == NO_SUBTRANSACTION && first_file == NO_SUBTRANSACTION))
    }
}

/// Where the relation's file is: tablespace, database, number.
///
/// # Safety
/// `rel` is an open relation.
pub unsafe fn file_of(rel: pg_sys::Relation) -> [u32; 3] {
    // SAFETY: the caller has the relation open.
    unsafe {
        #[cfg(feature = "pg15")]
        let numbers = {
            let node = (*rel).rd_node;
            [node.spcNode, node.dbNode, node.relNode]
        };
        #[cfg(not(feature = "pg15"))]
        let numbers = {
            let locator = (*rel).rd_locator;
            [locator.spcOid, locator.dbOid, locator.relNumber]
        };
        numbers.map(Into::into)
    }
}

/// Whether logical decoding may look at the table (which is none of the system's) as at a catalog.
///
/// ```c
/// #define RelationIsAccessibleInLogicalDecoding(relation) \
///     (XLogLogicalInfoActive() && RelationNeedsWAL(relation) && \
///      (IsCatalogRelation(relation) || RelationIsUsedAsCatalogTable(relation)))
/// #define RelationIsUsedAsCatalogTable(relation) \
///     ((relation)->rd_options && \
///      ((relation)->rd_rel->relkind == RELKIND_RELATION || \
///       (relation)->rd_rel->relkind == RELKIND_MATVIEW) ? \
///      ((StdRdOptions *) (relation)->rd_options)->user_catalog_table : false)
/// ```
///
/// # Safety
/// `rel` is an open table.
#[cfg(not(feature = "pg15"))]
pub unsafe fn is_accessible_in_logical_decoding(rel: pg_sys::Relation) -> bool {
    // SAFETY: the caller has the table open; the options of tables and materialized views are these.
    unsafe {
        let options = (*rel).rd_options.cast::<pg_sys::StdRdOptions>();
        let kind = (*(*rel).rd_rel).relkind as u8;
        pg_sys::wal_level >= pg_sys::WalLevel::WAL_LEVEL_LOGICAL as i32
            && relation_needs_wal(rel)
            && matches!(kind, pg_sys::RELKIND_RELATION | pg_sys::RELKIND_MATVIEW)
            && !options.is_null()
            && (*options).user_catalog_table
    }
}

/// Sets a page's LSN: two 32-bit halves, the high one first.
///
/// ```c
/// #define PageXLogRecPtrSet(ptr, lsn) \
///     ((ptr).xlogid = (uint32) ((lsn) >> 32), (ptr).xrecoff = (uint32) (lsn))
/// ```
///
/// # Safety
/// `page` is a page in a buffer that the caller has locked exclusively.
#[inline(always)]
pub unsafe fn page_set_lsn(page: *mut u8, lsn: pg_sys::XLogRecPtr) {
    // SAFETY: the caller vouches for the page; buffers are aligned for their header, in which the
    // LSN stands first.
    unsafe {
        page.cast::<u32>().write((lsn >> 32) as u32);
        page.add(4).cast::<u32>().write(lsn as u32);
    }
}

/// Whether no other backend can see the relation's file yet, or ever.
///
/// ```c
/// #define RELATION_IS_LOCAL(relation) \
///     ((relation)->rd_islocaltemp || (relation)->rd_createSubid != InvalidSubTransactionId)
/// ```
///
/// # Safety
/// `rel` is an open relation.
#[cfg(feature = "pg15")]
pub unsafe fn relation_is_local(rel: pg_sys::Relation) -> bool {
    // SAFETY: the caller has the relation open.
    unsafe { (*rel).rd_islocaltemp || (*rel).rd_createSubid != NO_SUBTRANSACTION }
}

/// Scans a table for the rows to index and hands them to `callback`; returns their number.
/// With a `scan` of the caller's own, its snapshot decides and the scan is ended here.
///
/// ```c
/// return table_rel->rd_tableam->index_build_range_scan(table_rel, index_rel, index_info,
///     allow_sync, false, progress, 0, InvalidBlockNumber, callback, callback_state, scan);
/// ```
///
/// # Safety
/// The relations are open, `info` is the index's, `state` what `callback` expects, and `scan` null
/// or a scan of the table.
pub unsafe fn table_index_build_scan(
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
    progress: bool,
    callback: pg_sys::IndexBuildCallback,
    state: *mut c_void,
    scan: pg_sys::TableScanDesc,
) -> f64 {
    // SAFETY: the caller's contract; a table has the routines of its access method. A scan of
    // the caller's own must allow synchronization, ours should not: it would begin anywhere.
    unsafe {
        let Some(routine) = (*(*heap).rd_tableam).index_build_range_scan else {
            return 0.0;
        };
        let sync = !scan.is_null();
        let all = pg_sys::InvalidBlockNumber;
        pg_guard_ffi_boundary(|| {
            routine(
                heap, index, info, sync, false, progress, 0, all, callback, state, scan,
            )
        })
    }
}

/// Begins a sequential scan of a table under a registered snapshot.
///
/// ```c
/// uint32 flags = SO_TYPE_SEQSCAN | SO_ALLOW_PAGEMODE | SO_ALLOW_STRAT | SO_ALLOW_SYNC;
/// return rel->rd_tableam->scan_begin(rel, snapshot, nkeys, key, NULL, flags);
/// ```
///
/// # Safety
/// The table is open and the snapshot registered.
pub unsafe fn table_beginscan_strat(
    heap: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
) -> pg_sys::TableScanDesc {
    let flags = pg_sys::ScanOptions::SO_TYPE_SEQSCAN
        | pg_sys::ScanOptions::SO_ALLOW_PAGEMODE
        | pg_sys::ScanOptions::SO_ALLOW_STRAT
        | pg_sys::ScanOptions::SO_ALLOW_SYNC;
    let none = std::ptr::null_mut();
    // SAFETY: the caller's contract; a table has the routines of its access method.
    unsafe {
        match (*(*heap).rd_tableam).scan_begin {
            Some(routine) => pg_guard_ffi_boundary(|| {
                routine(heap, snapshot, 0, none, std::ptr::null_mut(), flags)
            }),
            None => std::ptr::null_mut(),
        }
    }
}

/// Microseconds since the Unix epoch.
pub fn now_micros() -> i64 {
    /// From the Unix epoch to PostgreSQL's, 2000-01-01.
    const EPOCH: i64 = 946_684_800_000_000;
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }.saturating_add(EPOCH)
}

/// The relation's statistics of this session, if they are kept.
///
/// ```c
/// #define pgstat_should_count_relation(rel) \
///     (likely((rel)->pgstat_info != NULL) ? true : \
///      ((rel)->pgstat_enabled ? pgstat_assoc_relation(rel), true : false))
/// ```
#[inline(always)]
unsafe fn statistics<'a>(rel: pg_sys::Relation) -> Option<&'a mut pg_sys::PgStat_TableCounts> {
    // SAFETY: the callers have the relation open; pgstat_assoc_relation sets pgstat_info.
    unsafe {
        if (*rel).pgstat_info.is_null() {
            if !(*rel).pgstat_enabled {
                return None;
            }
            pg_sys::pgstat_assoc_relation(rel);
        }
        let info = (*rel).pgstat_info.as_mut()?;
        #[cfg(feature = "pg15")]
        let counts = &mut info.t_counts;
        #[cfg(not(feature = "pg15"))]
        let counts = &mut info.counts;
        Some(counts)
    }
}

/// How many rows of a table are live and how many dead, as the server's statistics know, which are late by a second, and those
/// that this session has not handed in yet. None where rows are not counted.
///
/// # Safety
/// `rel` is an open table; nothing is locked.
pub unsafe fn live_and_dead(rel: pg_sys::Relation) -> Option<[i64; 2]> {
    // SAFETY: the caller's contract; the functions take any table's number and look at no catalog.
    unsafe {
        let counts = statistics(rel)?;
        #[cfg(feature = "pg15")]
        let pending = [counts.t_delta_live_tuples, counts.t_delta_dead_tuples];
        #[cfg(not(feature = "pg15"))]
        let pending = [counts.delta_live_tuples, counts.delta_dead_tuples];
        let table = [Some(pg_sys::Datum::from((*rel).rd_id))];
        let known = |count| pgrx::direct_function_call::<i64>(count, &table).unwrap_or(0);
        let live = known(pg_sys::pg_stat_get_live_tuples);
        let dead = known(pg_sys::pg_stat_get_dead_tuples);
        let [more_live, more_dead] = pending;
        Some([
            live.saturating_add(more_live),
            dead.saturating_add(more_dead),
        ])
    }
}

/// Counts an index scan in the statistics.
///
/// ```c
/// #define pgstat_count_index_scan(rel) \
///     do { if (pgstat_should_count_relation(rel)) (rel)->pgstat_info->t_counts.t_numscans++; } while (0)
/// ```
///
/// # Safety
/// `rel` is an open index.
#[inline(always)]
pub unsafe fn count_index_scan(rel: pg_sys::Relation) {
    // SAFETY: the caller's contract.
    if let Some(counts) = unsafe { statistics(rel) } {
        #[cfg(feature = "pg15")]
        let count = &mut counts.t_numscans;
        #[cfg(not(feature = "pg15"))]
        let count = &mut counts.numscans;
        *count += 1;
    }
}

/// Counts a page that was found in shared buffers.
///
/// ```c
/// pgstat_count_buffer_read(rel);  /* t_counts.t_blocks_fetched++ */
/// pgstat_count_buffer_hit(rel);   /* t_counts.t_blocks_hit++ */
/// ```
///
/// # Safety
/// `rel` is open.
#[inline(always)]
pub unsafe fn count_buffer_hit(rel: pg_sys::Relation) {
    // SAFETY: the caller's contract.
    if let Some(counts) = unsafe { statistics(rel) } {
        #[cfg(feature = "pg15")]
        let (fetched, hit) = (&mut counts.t_blocks_fetched, &mut counts.t_blocks_hit);
        #[cfg(not(feature = "pg15"))]
        let (fetched, hit) = (&mut counts.blocks_fetched, &mut counts.blocks_hit);
        *fetched += 1;
        *hit += 1;
    }
}

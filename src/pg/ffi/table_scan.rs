//! The table scans of an index build.

use std::ffi::c_void;

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

/// Scans a table for the rows to index, calls `callback` with each, and returns their number.
///
/// With a null `scan` the table's access method begins a scan of its own. A given `scan` decides by
/// its snapshot, and is ended here.
///
/// ```c
/// return table_rel->rd_tableam->index_build_range_scan(table_rel, index_rel, index_info,
///     allow_sync, false, progress, 0, InvalidBlockNumber, callback, callback_state, scan);
/// ```
///
/// # Safety
/// The relations are open, `info` is the index's, `state` is what `callback` expects, and `scan` is
/// null or a scan of the table.
pub unsafe fn table_index_build_scan(
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
    progress: bool,
    callback: pg_sys::IndexBuildCallback,
    state: *mut c_void,
    scan: pg_sys::TableScanDesc,
) -> f64 {
    // SAFETY: an open table has the routines of its access method. The routine is a function
    // pointer without pgrx's guard, so it is called through the boundary, with nothing to drop in
    // the closure. A given scan allows synchronization; without one it is not allowed, since the
    // scan would begin at any page.
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
    // SAFETY: an open table has the routines of its access method. The routine is called through
    // the boundary, with nothing to drop in the closure.
    unsafe {
        match (*(*heap).rd_tableam).scan_begin {
            Some(routine) => pg_guard_ffi_boundary(|| {
                routine(heap, snapshot, 0, none, std::ptr::null_mut(), flags)
            }),
            None => std::ptr::null_mut(),
        }
    }
}

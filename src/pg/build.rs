//! What an index build gets from the server and returns to it.

use std::ffi::c_void;
use std::ptr::NonNull;

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::codec::EntryCodec;
use super::ffi;
use super::index::Index;
use super::row::IndexRow;
use super::table::Table;

/// What is to be indexed: columns, expressions, predicate.
#[derive(Clone, Copy)]
pub struct BuildInfo(NonNull<pg_sys::IndexInfo>);

impl BuildInfo {
    /// # Safety
    /// `info` is the server's, for as long as the handle is used.
    pub unsafe fn from_raw(info: *mut pg_sys::IndexInfo) -> Self {
        // SAFETY: not null, as demanded.
        Self(unsafe { NonNull::new_unchecked(info) })
    }

    /// The info of an open index for a scan that reads the rows that a snapshot sees, and checks no
    /// constraints.
    fn for_check(index: Index) -> Self {
        // SAFETY: the index is open. The result is new, and in the current memory context.
        // "Concurrent" makes the scan use the snapshot.
        unsafe {
            let info = pg_sys::BuildIndexInfo(index.raw());
            (*info).ii_Concurrent = true;
            (*info).ii_Unique = false;
            (*info).ii_ExclusionOps = std::ptr::null_mut();
            (*info).ii_ExclusionProcs = std::ptr::null_mut();
            (*info).ii_ExclusionStrats = std::ptr::null_mut();
            Self::from_raw(info)
        }
    }

    /// Whether the index is unique.
    pub fn is_unique(self) -> bool {
        // SAFETY: valid as long as the handle is used.
        unsafe { (*self.0.as_ptr()).ii_Unique }
    }
}

/// Calls `visit` with each row that a new index of the table must have, and with whether the row is
/// alive: rows that are dead to some transactions only must be indexed, too. Returns the number of
/// live rows. The rows come in the order of the table's blocks, so that a table filled in key order
/// is read in key order.
pub fn scan_for_build<F: FnMut(IndexRow<'_>, bool)>(
    table: Table,
    index: Index,
    info: BuildInfo,
    codec: &EntryCodec,
    visit: F,
) -> f64 {
    let mut visitor = Visitor { codec, visit };
    let state = (&raw mut visitor).cast();
    let no_scan = std::ptr::null_mut();
    // SAFETY: both relations are open, and the info is the server's for this build. The visitor
    // outlives the scan and is what the callback expects.
    unsafe {
        ffi::table_index_build_scan(
            table.raw(),
            index.raw(),
            info.0.as_ptr(),
            true,
            Some(visit_row::<F>),
            state,
            no_scan,
        )
    }
}

/// Calls `visit` with each row of the table that a new snapshot sees and that the index must have.
pub fn scan_for_check<F: FnMut(IndexRow<'_>)>(
    table: Table,
    index: Index,
    codec: &EntryCodec,
    mut visit: F,
) {
    scan_with_latest_snapshot(table, index, codec, |row, _| visit(row));
}

fn scan_with_latest_snapshot<F: FnMut(IndexRow<'_>, bool)>(
    table: Table,
    index: Index,
    codec: &EntryCodec,
    visit: F,
) {
    let mut visitor = Visitor { codec, visit };
    let state = (&raw mut visitor).cast();
    let info = BuildInfo::for_check(index);
    // SAFETY: both relations are open. The snapshot is registered until the scan has ended, and the
    // function that scans ends the scan. After an ERROR the transaction's abort does both.
    unsafe {
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let scan = ffi::table_beginscan_strat(table.raw(), snapshot);
        ffi::table_index_build_scan(
            table.raw(),
            index.raw(),
            info.0.as_ptr(),
            false,
            Some(visit_row::<F>),
            state,
            scan,
        );
        pg_sys::UnregisterSnapshot(snapshot);
    }
}

/// What [`visit_row`] gets as its state.
struct Visitor<'a, F> {
    codec: &'a EntryCodec,
    visit: F,
}

/// Receives one row of the table from the server's scan.
///
/// # Safety
/// Called by the server with the state that was given to the scan.
#[pg_guard]
unsafe extern "C-unwind" fn visit_row<F: FnMut(IndexRow<'_>, bool)>(
    _index: pg_sys::Relation,
    tid: pg_sys::ItemPointer,
    values: *mut pg_sys::Datum,
    isnull: *mut bool,
    alive: bool,
    state: *mut c_void,
) {
    // SAFETY: the state is a visitor with this function, used by one scan. The codec is that of the
    // index, for whose columns the server passes values.
    unsafe {
        let Visitor { codec, visit } = &mut *state.cast::<Visitor<'_, F>>();
        visit(IndexRow::new(codec, values, isnull, *tid), alive);
    }
}

/// What `ambuild` returns: the numbers of rows of the table and of entries of the index.
pub fn build_result(rows: f64, entries: u64) -> *mut pg_sys::IndexBuildResult {
    // SAFETY: palloc0() returns zeroed memory of this size, or raises an ERROR.
    unsafe {
        let result = pg_sys::palloc0(size_of::<pg_sys::IndexBuildResult>())
            .cast::<pg_sys::IndexBuildResult>();
        (*result).heap_tuples = rows;
        (*result).index_tuples = entries as f64;
        result
    }
}

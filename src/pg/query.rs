//! What scans, cost estimates and serializable transactions need of PostgreSQL that pgrx does not offer.

// The server's own names and signatures.
#![allow(non_snake_case, clippy::too_many_arguments)]

use pgrx::pg_sys;
use pgrx::prelude::*;

#[pg_guard]
unsafe extern "C-unwind" {
    /// nbtree's cost estimate (utils/index_selfuncs.h).
    pub fn btcostestimate(
        root: *mut pg_sys::PlannerInfo,
        path: *mut pg_sys::IndexPath,
        loop_count: f64,
        startup: *mut pg_sys::Cost,
        total: *mut pg_sys::Cost,
        selectivity: *mut pg_sys::Selectivity,
        correlation: *mut f64,
        pages: *mut f64,
    );

    /// Notes that a serializable transaction has read a page (storage/predicate.h).
    pub fn PredicateLockPage(
        relation: pg_sys::Relation,
        block: pg_sys::BlockNumber,
        snapshot: pg_sys::Snapshot,
    );

    /// Whoever has read the old page has read the new one, too, to which rows of it were moved.
    pub fn PredicateLockPageSplit(
        relation: pg_sys::Relation,
        old: pg_sys::BlockNumber,
        new: pg_sys::BlockNumber,
    );

    /// Whoever has read the old page has read the new one, too, to which all rows of it were moved.
    pub fn PredicateLockPageCombine(
        relation: pg_sys::Relation,
        old: pg_sys::BlockNumber,
        new: pg_sys::BlockNumber,
    );

    /// A serializable transaction is about to write to a page: raises an error if it must not, for what others have read.
    pub fn CheckForSerializableConflictIn(
        relation: pg_sys::Relation,
        tid: pg_sys::ItemPointer,
        block: pg_sys::BlockNumber,
    );
}

/// Whether the transaction is serializable, so that what it reads and writes is noted.
#[inline(always)]
pub fn is_serializable() -> bool {
    // SAFETY: a variable of this backend.
    unsafe { pg_sys::XactIsoLevel == pg_sys::XACT_SERIALIZABLE as i32 }
}

/// Whether a snapshot sees rows as of one moment, so that rows that come and go meanwhile do not matter.
///
/// ```c
/// #define IsMVCCSnapshot(snapshot)  \
///     ((snapshot)->snapshot_type == SNAPSHOT_MVCC || \
///      (snapshot)->snapshot_type == SNAPSHOT_HISTORIC_MVCC)
/// ```
///
/// # Safety
/// `snapshot` is null (then the answer is no) or a snapshot.
#[inline(always)]
pub unsafe fn is_mvcc_snapshot(snapshot: pg_sys::Snapshot) -> bool {
    // SAFETY: the caller's contract.
    let Some(snapshot) = (unsafe { snapshot.as_ref() }) else {
        return false;
    };
    snapshot.snapshot_type == pg_sys::SnapshotType::SNAPSHOT_MVCC
        || snapshot.snapshot_type == pg_sys::SnapshotType::SNAPSHOT_HISTORIC_MVCC
}

/// Raises "snapshot too old" if `old_snapshot_threshold` let rows that the snapshot sees be removed
/// and this page has changed since. Up to 16, index scans have to ask: the heap does not, where an
/// entry is gone.
///
/// ```c
/// if (old_snapshot_threshold >= 0 && snapshot != NULL
///     && (snapshot->snapshot_type == SNAPSHOT_MVCC || snapshot->snapshot_type == SNAPSHOT_TOAST)
///     && !XLogRecPtrIsInvalid(snapshot->lsn) && PageGetLSN(page) > snapshot->lsn)
///     TestForOldSnapshot_impl(snapshot, relation);
/// ```
///
/// # Safety
/// `index` is open; `snapshot` is null or a snapshot; `page` is locked.
#[inline(always)]
pub unsafe fn check_snapshot_age(
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    page: &learned::Page,
) {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    // SAFETY: a setting; the rest is the caller's contract. An ERROR lets go of the page.
    unsafe {
        if pg_sys::old_snapshot_threshold < 0 || !is_mvcc_snapshot(snapshot) {
            return;
        }
        let lsn = (*snapshot).lsn;
        if lsn != 0 && learned::page::lsn(page) > lsn {
            pg_sys::TestForOldSnapshot_impl(snapshot, index);
        }
    }
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    let _ = (index, snapshot, page);
}

//! Kinds and ages of snapshots.

use pgrx::pg_sys;

/// Whether a snapshot sees rows as of one moment. Rows that come and go during the scan then do not
/// matter.
///
/// ```c
/// #define IsMVCCSnapshot(snapshot)  \
///     ((snapshot)->snapshot_type == SNAPSHOT_MVCC || \
///      (snapshot)->snapshot_type == SNAPSHOT_HISTORIC_MVCC)
/// ```
///
/// # Safety
/// `snapshot` is null (the answer is no) or a snapshot.
#[inline(always)]
pub unsafe fn is_mvcc_snapshot(snapshot: pg_sys::Snapshot) -> bool {
    // SAFETY: not null here, so it is a snapshot; only its type is read.
    let Some(snapshot) = (unsafe { snapshot.as_ref() }) else {
        return false;
    };
    snapshot.snapshot_type == pg_sys::SnapshotType::SNAPSHOT_MVCC
        || snapshot.snapshot_type == pg_sys::SnapshotType::SNAPSHOT_HISTORIC_MVCC
}

/// Raises "snapshot too old" if `old_snapshot_threshold` allowed rows to be removed that the
/// snapshot sees, and this page has changed since the snapshot was taken.
///
/// Up to PostgreSQL 16, index scans have to ask: where an entry is gone, the heap is not read, so
/// it does not ask.
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
    // SAFETY: the threshold is a setting; is_mvcc_snapshot() excludes a null snapshot. An ERROR
    // releases the page through its guard or by transaction abort.
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

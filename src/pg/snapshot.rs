//! Snapshots.

use pgrx::pg_sys;

use super::ffi;

/// The snapshot of a scan, or none.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct SnapshotRef(pg_sys::Snapshot);

impl SnapshotRef {
    /// # Safety
    /// `snapshot` is null, or a snapshot that lives as long as the handle is used.
    #[inline(always)]
    pub(super) unsafe fn from_raw(snapshot: pg_sys::Snapshot) -> Self {
        Self(snapshot)
    }

    #[inline(always)]
    pub(super) fn raw(self) -> pg_sys::Snapshot {
        self.0
    }

    /// Whether the snapshot sees rows as of one moment. No for no snapshot.
    #[inline(always)]
    pub fn is_mvcc(self) -> bool {
        // SAFETY: null or a snapshot, as from_raw() demands.
        unsafe { ffi::is_mvcc_snapshot(self.0) }
    }
}

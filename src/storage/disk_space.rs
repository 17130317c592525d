//! Whether the disk has space for pages that the index can do without.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use pgrx::pg_sys;

use crate::pg::ffi;

/// Free bytes from which on the disk is not considered full. A model takes about a thousandth of
/// this; with less, it is trained by a later VACUUM.
const AMPLE_BYTES: u64 = 64 << 20;

/// Whether the file system of an open relation has at least [`AMPLE_BYTES`] free, so that extending
/// the relation will not fail. That would be an ERROR, which cannot be caught without a
/// subtransaction.
pub(super) fn is_ample(rel: pg_sys::Relation) -> bool {
    let mut found = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the relation is open. The path is a string allocated by the server, relative to the
    // data directory, which is every backend's working directory. statvfs() fills `found` if it
    // returns 0.
    unsafe {
        let [tablespace, database, _] = ffi::file_of(rel);
        let path = pg_sys::GetDatabasePath(database.into(), tablespace.into());
        let result = libc::statvfs(CStr::from_ptr(path).as_ptr(), found.as_mut_ptr());
        pg_sys::pfree(path.cast());
        if result != 0 {
            return false;
        }
        let found = found.assume_init();
        found.f_bavail.saturating_mul(found.f_frsize) >= AMPLE_BYTES
    }
}

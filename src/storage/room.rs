//! Whether the disk has room for what can be done without.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use pgrx::pg_sys;

/// So many bytes free are ample: a model takes a thousandth of them, or waits for VACUUM.
const AMPLE: u64 = 64 << 20;

/// Whether the file system of an open relation has ample room, so that extending it will not fail. An ERROR there
/// could not be caught without a subtransaction.
pub(super) fn is_ample(rel: pg_sys::Relation) -> bool {
    let mut found = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the relation is open. The path is a string in the server's memory, relative to the
    // data directory, which is every backend's working directory. The system fills `found` if it
    // returns 0.
    unsafe {
        #[cfg(feature = "pg15")]
        let (database, tablespace) = ((*rel).rd_node.dbNode, (*rel).rd_node.spcNode);
        #[cfg(not(feature = "pg15"))]
        let (database, tablespace) = ((*rel).rd_locator.dbOid, (*rel).rd_locator.spcOid);
        let path = pg_sys::GetDatabasePath(database, tablespace);
        let done = libc::statvfs(CStr::from_ptr(path).as_ptr(), found.as_mut_ptr());
        pg_sys::pfree(path.cast());
        if done != 0 {
            return false;
        }
        let found = found.assume_init();
        found.f_bavail.saturating_mul(found.f_frsize) >= AMPLE
    }
}

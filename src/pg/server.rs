//! Variables of the server and of this backend.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid, SubTransactionId};

use super::ffi;

/// Whether the server is a standby, or has not finished recovery.
pub fn is_in_recovery() -> bool {
    // SAFETY: the function reads a variable of this backend, or shared memory.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Whether this process is a worker of a parallel query or of a parallel VACUUM.
pub fn is_parallel_worker() -> bool {
    // SAFETY: a variable that is set when the process starts.
    unsafe { pg_sys::ParallelWorkerNumber >= 0 }
}

/// The database of this backend.
pub fn database() -> Oid {
    // SAFETY: a variable that is set when the backend starts.
    unsafe { pg_sys::MyDatabaseId }
}

/// The number of the current subtransaction.
pub fn current_subtransaction() -> SubTransactionId {
    // SAFETY: the function reads a variable of this backend. It raises no error.
    unsafe { ffi::GetCurrentSubTransactionId() }
}

/// The setting `maintenance_work_mem`, in bytes.
pub fn maintenance_memory() -> usize {
    // SAFETY: a setting in kilobytes, at least 1024 of them.
    unsafe { pg_sys::maintenance_work_mem as usize * 1024 }
}

/// The number of pages that this backend has read so far, from shared buffers or disk.
pub fn pages_read() -> i64 {
    // SAFETY: counters of this backend, which only this thread changes.
    unsafe {
        let usage = &raw const pg_sys::pgBufferUsage;
        (*usage).shared_blks_hit
            + (*usage).shared_blks_read
            + (*usage).local_blks_hit
            + (*usage).local_blks_read
    }
}

/// Sets a parameter of this backend's progress view.
pub fn report_progress(parameter: u32, value: i64) {
    // SAFETY: the function writes to this backend's own status entry.
    unsafe { pg_sys::pgstat_progress_update_param(parameter as i32, value) };
}

/// The current user is the owner of a table, or a superuser.
pub fn owns_table(table: Oid) -> bool {
    // SAFETY: look-ups in the catalogs.
    unsafe {
        let user = pg_sys::GetUserId();
        #[cfg(feature = "pg15")]
        return pg_sys::pg_class_ownercheck(table, user);
        #[cfg(not(feature = "pg15"))]
        return pg_sys::object_ownercheck(pg_sys::RelationRelationId, table, user);
    }
}

/// Whether the current user has the privileges of pg_monitor.
pub fn is_monitor() -> bool {
    // SAFETY: look-ups in the catalogs.
    unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), Oid::from(pg_sys::ROLE_PG_MONITOR)) }
}

/// Runs `work` as another user, so that functions of index expressions cannot do what only the
/// current user may. After an ERROR the transaction's abort restores the user and the settings.
pub fn as_user(user: Oid, work: impl FnOnce()) {
    let (mut caller, mut context) = (pg_sys::InvalidOid, 0);
    // SAFETY: variables of this backend, which are set back in the opposite order.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&raw mut caller, &raw mut context);
        let restricted = context | pg_sys::SECURITY_RESTRICTED_OPERATION as i32;
        pg_sys::SetUserIdAndSecContext(user, restricted);
        let level = pg_sys::NewGUCNestLevel();
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        pg_sys::RestrictSearchPath();
        work();
        pg_sys::AtEOXact_GUC(false, level);
        pg_sys::SetUserIdAndSecContext(caller, context);
    }
}

/// The name of a relation without its schema. None if there is no such relation.
pub fn relation_name(relation: Oid) -> Option<String> {
    // SAFETY: the function returns null or a C string.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

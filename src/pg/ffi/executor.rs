//! What hooks of the executor call, the current subtransaction, and the clock.

// The server's own names.
#![allow(non_snake_case)]

use std::ffi::c_char;

use pgrx::pg_sys;

// Declared without pgrx's guard: hooks call these, and errors pass through a hook as they pass
// through any function of the server.
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
    /// The number of the current subtransaction (access/xact.h). Raises no error.
    pub fn GetCurrentSubTransactionId() -> pg_sys::SubTransactionId;
}

/// Microseconds since the Unix epoch.
pub fn now_micros() -> i64 {
    /// Microseconds from the Unix epoch to PostgreSQL's, 2000-01-01.
    const EPOCH: i64 = 946_684_800_000_000;
    // SAFETY: the function reads the system's clock and nothing else.
    unsafe { pg_sys::GetCurrentTimestamp() }.saturating_add(EPOCH)
}

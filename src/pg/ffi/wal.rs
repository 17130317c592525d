//! WAL records assembled by hand, and critical sections.

// The server's own names.
#![allow(non_snake_case)]

use pgrx::pg_sys;

// Declared without pgrx's guard. All but the first are called in critical sections only, where an
// error ends the process.
unsafe extern "C-unwind" {
    /// Whether this process may write WAL: not during recovery (access/xlog.h).
    pub fn XLogInsertAllowed() -> bool;
    /// Begins a record (access/xloginsert.h).
    pub fn XLogBeginInsert();
    /// Adds a page to the record.
    pub fn XLogRegisterBuffer(id: u8, buffer: pg_sys::Buffer, flags: u8);
    /// Adds data for a registered page. The length is a `uint32` from PostgreSQL 16 on, an `int`
    /// before.
    pub fn XLogRegisterBufData(id: u8, data: *mut u8, len: u32);
    /// Inserts the record and returns the position of its end.
    pub fn XLogInsert(rmid: pg_sys::RmgrId, info: u8) -> pg_sys::XLogRecPtr;
}

/// Starts a critical section. Until its end any ERROR becomes a PANIC.
///
/// ```c
/// #define START_CRIT_SECTION()  (CritSectionCount++)
/// ```
#[inline(always)]
pub fn start_crit_section() {
    // SAFETY: a backend is single-threaded. Only this function, the next one and the server's own
    // macros change the counter, always in nested pairs.
    unsafe { pg_sys::CritSectionCount += 1 };
}

/// Ends a critical section.
///
/// ```c
/// #define END_CRIT_SECTION() do { Assert(CritSectionCount > 0); CritSectionCount--; } while(0)
/// ```
#[inline(always)]
pub fn end_crit_section() {
    // SAFETY: start_crit_section() has counted up. The subtraction wraps, since an overflow check
    // could panic in the critical section.
    unsafe { pg_sys::CritSectionCount = pg_sys::CritSectionCount.wrapping_sub(1) };
}

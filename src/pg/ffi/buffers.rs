//! Locks and pins of buffers, and the LSN of a page.

// The server's own names.
#![allow(non_snake_case)]

use pgrx::pg_sys;

// Declared without pgrx's guard, which is a `sigsetjmp` around each call. These functions raise no
// error as long as the buffer is pinned and fewer than 200 page locks are held.
unsafe extern "C-unwind" {
    /// Locks or unlocks a pinned buffer (storage/bufmgr.h).
    pub fn LockBuffer(buffer: pg_sys::Buffer, mode: i32);
    /// Locks a pinned buffer exclusively if no process has it locked. Returns whether it did.
    pub fn ConditionalLockBuffer(buffer: pg_sys::Buffer) -> bool;
    /// Gives up a pin.
    pub fn ReleaseBuffer(buffer: pg_sys::Buffer);
    /// Gives up the lock and the pin.
    pub fn UnlockReleaseBuffer(buffer: pg_sys::Buffer);
    /// Marks a pinned and exclusively locked buffer as changed. Called in critical sections only,
    /// where an error ends the process.
    pub fn MarkBufferDirty(buffer: pg_sys::Buffer);
}

/// Sets a page's LSN: two 32-bit halves, the high one first.
///
/// ```c
/// #define PageXLogRecPtrSet(ptr, lsn) \
///     ((ptr).xlogid = (uint32) ((lsn) >> 32), (ptr).xrecoff = (uint32) (lsn))
/// ```
///
/// # Safety
/// `page` is a page in a buffer that the caller has locked exclusively.
#[inline(always)]
pub unsafe fn page_set_lsn(page: *mut u8, lsn: pg_sys::XLogRecPtr) {
    // SAFETY: the LSN is the first field of the page header, and pages in buffers are aligned for
    // that header. The exclusive lock keeps readers of the LSN away.
    unsafe {
        page.cast::<u32>().write((lsn >> 32) as u32);
        page.add(4).cast::<u32>().write(lsn as u32);
    }
}

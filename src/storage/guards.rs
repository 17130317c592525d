//! Locks and pins of buffers as guards.

use std::ops::Deref;
use std::ptr::NonNull;

use learned::page::{Block, Page};
use learned::store::Guard;
use pgrx::pg_sys;

use crate::pg::ffi;
#[cfg(feature = "testing")]
use crate::storage::lock_order;

/// A buffer that is pinned and locked. Dropping it gives up the lock and the pin.
struct LockedBuffer {
    buffer: pg_sys::Buffer,
    page: NonNull<Page>,
    block: Block,
}

impl LockedBuffer {
    /// # Safety
    /// The buffer is pinned and locked, and nothing else will release it.
    #[inline(always)]
    unsafe fn new(buffer: pg_sys::Buffer, block: Block) -> Self {
        #[cfg(feature = "testing")]
        lock_order::note_locked(buffer, block);
        Self {
            buffer,
            // SAFETY: a pinned buffer has a page, whose address is not null.
            page: unsafe { NonNull::new_unchecked(pg_sys::BufferGetPage(buffer).cast()) },
            block,
        }
    }
}

impl Drop for LockedBuffer {
    #[inline]
    fn drop(&mut self) {
        #[cfg(feature = "testing")]
        lock_order::note_unlocked(self.buffer);
        // After an ERROR, while the stack unwinds, nothing is released here: the server has zeroed
        // InterruptHoldoffCount, and transaction abort releases locks and pins itself.
        if !std::thread::panicking() {
            // SAFETY: the buffer is pinned and locked since new().
            unsafe { ffi::UnlockReleaseBuffer(self.buffer) };
        }
    }
}

/// A page under a share lock, read in place.
pub struct ReadGuard(LockedBuffer);

impl ReadGuard {
    /// # Safety
    /// The buffer holds `block`, is pinned and share-locked, and nothing else will release it.
    #[inline(always)]
    pub(super) unsafe fn new(buffer: pg_sys::Buffer, block: Block) -> Self {
        // SAFETY: the pin and the share lock pass to the new guard.
        Self(unsafe { LockedBuffer::new(buffer, block) })
    }

    /// Gives up the lock and keeps the pin, which holds off VACUUM (see [`PinnedBuffer`]).
    pub fn unlock(self) -> PinnedBuffer {
        let locked = std::mem::ManuallyDrop::new(self.0);
        #[cfg(feature = "testing")]
        lock_order::note_unlocked(locked.buffer);
        // SAFETY: the buffer is locked since new(). ManuallyDrop keeps the pin, which passes to the
        // result.
        unsafe { ffi::LockBuffer(locked.buffer, pg_sys::BUFFER_LOCK_UNLOCK as i32) };
        PinnedBuffer(locked.buffer)
    }
}

impl Deref for ReadGuard {
    type Target = Page;

    #[inline(always)]
    fn deref(&self) -> &Page {
        // SAFETY: the pin keeps the page at its address; under the share lock no process writes.
        unsafe { self.0.page.as_ref() }
    }
}

impl Guard for ReadGuard {
    #[inline(always)]
    fn block(&self) -> Block {
        self.0.block
    }
}

/// A page under an exclusive lock. Only `Store::commit` changes it.
pub struct WriteGuard(LockedBuffer);

impl WriteGuard {
    /// # Safety
    /// The buffer holds `block`, is pinned and exclusively locked, and nothing else will release
    /// it.
    #[inline(always)]
    pub(super) unsafe fn new(buffer: pg_sys::Buffer, block: Block) -> Self {
        // SAFETY: the pin and the exclusive lock pass to the new guard.
        Self(unsafe { LockedBuffer::new(buffer, block) })
    }

    pub(super) fn buffer(&self) -> pg_sys::Buffer {
        self.0.buffer
    }

    /// The page's address, for writing.
    pub(super) fn page_mut(&mut self) -> *mut u8 {
        self.0.page.as_ptr().cast()
    }
}

impl Deref for WriteGuard {
    type Target = Page;

    #[inline(always)]
    fn deref(&self) -> &Page {
        // SAFETY: the pin keeps the page at its address. The lock is exclusive, and this process
        // writes through `&mut self` only.
        unsafe { self.0.page.as_ref() }
    }
}

impl Guard for WriteGuard {
    #[inline(always)]
    fn block(&self) -> Block {
        self.0.block
    }
}

/// A pin without a lock. As long as it is held, VACUUM removes neither an entry of the page nor the
/// entry's row.
///
/// It is held between callbacks, so it has no destructor: after an ERROR transaction abort gives
/// the pin back, and a destructor that ran later would release another holder's pin.
#[must_use]
#[derive(Debug)]
pub struct PinnedBuffer(pg_sys::Buffer);

impl PinnedBuffer {
    /// Gives the pin back.
    pub fn release(self) {
        // SAFETY: ReadGuard::unlock has left the pin to this value, in the same transaction.
        unsafe { ffi::ReleaseBuffer(self.0) };
    }
}

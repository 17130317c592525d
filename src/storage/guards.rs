//! Pins and locks of buffers as guards.

use std::ops::Deref;
use std::ptr::NonNull;

use learned::page::{Block, Page};
use learned::store::Guard;
use pgrx::pg_sys;

use crate::pg::ffi;
#[cfg(feature = "testing")]
use crate::storage::order;

/// A buffer that is pinned and locked; dropping it gives up both.
struct Held {
    buffer: pg_sys::Buffer,
    page: NonNull<Page>,
    block: Block,
}

impl Held {
    /// # Safety
    /// The buffer is pinned and locked, and nobody else will release it.
    #[inline(always)]
    unsafe fn new(buffer: pg_sys::Buffer, block: Block) -> Self {
        #[cfg(feature = "testing")]
        order::locked(buffer, block);
        Self {
            buffer,
            // SAFETY: a pinned buffer has a page, at an address that is not null.
            page: unsafe { NonNull::new_unchecked(pg_sys::BufferGetPage(buffer).cast()) },
            block,
        }
    }
}

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        #[cfg(feature = "testing")]
        order::unlocked(self.buffer);
        // Unwinding out of an ERROR: the server forgets about locks by zeroing
        // InterruptHoldoffCount, and transaction abort releases locks and pins itself.
        if !std::thread::panicking() {
            // SAFETY: pinned and locked since new.
            unsafe { ffi::UnlockReleaseBuffer(self.buffer) };
        }
    }
}

/// A page under a share lock, read in place.
pub struct Read(Held);

impl Read {
    /// # Safety
    /// The buffer holds `block`, is pinned and share-locked, and nobody else will release it.
    #[inline(always)]
    pub(super) unsafe fn new(buffer: pg_sys::Buffer, block: Block) -> Self {
        // SAFETY: the caller's contract.
        Self(unsafe { Held::new(buffer, block) })
    }

    /// Gives up the lock and keeps the pin, which holds off VACUUM (see [`Pinned`]).
    pub fn unlock(self) -> Pinned {
        let held = std::mem::ManuallyDrop::new(self.0);
        #[cfg(feature = "testing")]
        order::unlocked(held.buffer);
        // SAFETY: locked since new; the pin moves into the result.
        unsafe { ffi::LockBuffer(held.buffer, pg_sys::BUFFER_LOCK_UNLOCK as i32) };
        Pinned(held.buffer)
    }
}

impl Deref for Read {
    type Target = Page;

    #[inline(always)]
    fn deref(&self) -> &Page {
        // SAFETY: pinned, so the address is valid; share-locked, so nobody writes to it.
        unsafe { self.0.page.as_ref() }
    }
}

impl Guard for Read {
    #[inline(always)]
    fn block(&self) -> Block {
        self.0.block
    }
}

/// A page under an exclusive lock, changed by [`Store::commit`] only.
pub struct Write(Held);

impl Write {
    /// # Safety
    /// The buffer holds `block`, is pinned and exclusively locked, and nobody else will release it.
    #[inline(always)]
    pub(super) unsafe fn new(buffer: pg_sys::Buffer, block: Block) -> Self {
        // SAFETY: the caller's contract.
        Self(unsafe { Held::new(buffer, block) })
    }

    pub(super) fn buffer(&self) -> pg_sys::Buffer {
        self.0.buffer
    }

    /// The page's address, for writing.
    pub(super) fn page_mut(&mut self) -> *mut u8 {
        self.0.page.as_ptr().cast()
    }
}

impl Deref for Write {
    type Target = Page;

    #[inline(always)]
    fn deref(&self) -> &Page {
        // SAFETY: pinned and exclusively locked; commit writes through `&mut self` only.
        unsafe { self.0.page.as_ref() }
    }
}

impl Guard for Write {
    #[inline(always)]
    fn block(&self) -> Block {
        self.0.block
    }
}

/// A pin without a lock: no entry of the page can be removed by VACUUM, nor its heap tuple.
///
/// It is held between callbacks, so it has no destructor: after an ERROR the transaction's abort
/// gives the pin back, and a destructor run later would give back somebody else's.
#[must_use]
#[derive(Debug)]
pub struct Pinned(pg_sys::Buffer);

impl Pinned {
    /// Gives the pin back.
    pub fn release(self) {
        // SAFETY: pinned by Read::unlock, in this transaction.
        unsafe { ffi::ReleaseBuffer(self.0) };
    }
}

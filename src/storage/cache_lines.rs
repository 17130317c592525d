//! Prefetching cache lines of shared buffers into the CPU's cache.
//!
//! Whether a buffer still holds the expected page does not matter: fetching a wrong line costs the
//! fetch, and what is read here is used for further fetches only.

use learned::page::{PAGE_SIZE, pd};
use pgrx::pg_sys;

/// Whether a buffer is a shared one.
#[inline(always)]
pub fn is_shared(buffer: pg_sys::Buffer) -> bool {
    // SAFETY: NBuffers is a setting that does not change while the server runs.
    buffer > 0 && buffer <= unsafe { pg_sys::NBuffers }
}

/// The byte of a table's page where the line pointer of an offset begins.
const fn line_pointer(offset: u16) -> usize {
    const BYTES: usize = 4;
    let at = pd::BYTES + BYTES * (offset as usize).saturating_sub(1);
    // A damaged entry may have an offset that no page has.
    at % PAGE_SIZE
}

#[cfg(target_arch = "x86_64")]
mod cpu {
    use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch};
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use learned::page::PAGE_SIZE;
    use pgrx::pg_sys;

    use super::{is_shared, line_pointer};

    /// The page in a shared buffer.
    #[inline(always)]
    fn page(buffer: pg_sys::Buffer) -> *const i8 {
        // SAFETY: the callers have checked that the buffer is a shared one. BufferBlocks has a page
        // for each of them; buffers are numbered from 1.
        unsafe { pg_sys::BufferBlocks.add((buffer as usize - 1) * PAGE_SIZE) }.cast()
    }

    /// Fetches the cache lines at these bytes of a page.
    #[inline(always)]
    pub fn fetch(buffer: pg_sys::Buffer, bytes: impl Iterator<Item = usize>) {
        if is_shared(buffer) {
            for at in bytes {
                // SAFETY: a prefetch reads nothing, and the address lies within the page.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(page(buffer).add(at % PAGE_SIZE)) };
            }
        }
    }

    /// Fetches what the server accesses first to fetch a row: the buffer's descriptor, which it
    /// writes to, the page's header and the line pointer.
    #[inline(always)]
    pub fn fetch_page(buffer: pg_sys::Buffer, offset: u16) {
        if is_shared(buffer) {
            // SAFETY: BufferDescriptors has an element for each shared buffer, and a prefetch reads
            // nothing.
            unsafe {
                let descriptor = pg_sys::BufferDescriptors.add(buffer as usize - 1);
                _mm_prefetch::<_MM_HINT_ET0>(descriptor.cast());
            }
            fetch(buffer, [0, line_pointer(offset)].into_iter());
        }
    }

    /// Fetches the beginning of the row to which the line pointer refers.
    #[inline(always)]
    pub fn fetch_tuple(buffer: pg_sys::Buffer, offset: u16) {
        /// `lp_off`, the first bits of an `ItemIdData`.
        const OFFSET: u32 = 0x7FFF;
        if is_shared(buffer) {
            // SAFETY: the line pointer is an aligned word within the page. Other processes may
            // change it at any time, so it is read as an atomic.
            let pointer = unsafe {
                let pointer = page(buffer).add(line_pointer(offset));
                (*pointer.cast::<AtomicU32>()).load(Relaxed)
            };
            fetch(buffer, std::iter::once((pointer & OFFSET) as usize));
        }
    }
}

// Rust has no stable way to prefetch on other CPUs.
#[cfg(not(target_arch = "x86_64"))]
mod cpu {
    use pgrx::pg_sys;

    /// Does nothing.
    #[inline(always)]
    pub fn fetch(_buffer: pg_sys::Buffer, _bytes: impl Iterator<Item = usize>) {}

    /// Does nothing.
    #[inline(always)]
    pub fn fetch_page(_buffer: pg_sys::Buffer, offset: u16) {
        let _ = super::line_pointer(offset);
    }

    /// Does nothing.
    #[inline(always)]
    pub fn fetch_tuple(_buffer: pg_sys::Buffer, _offset: u16) {}
}

pub use cpu::{fetch, fetch_page, fetch_tuple};

//! Cache lines of shared buffers on their way to the CPU. Whether a buffer still holds what it is thought to hold does not
//! matter: a wrong line costs its fetch, and nothing here reads for more than that.

use learned::page::PAGE_SIZE;
use pgrx::pg_sys;

/// Whether a buffer is a shared one.
#[inline(always)]
pub fn is_shared(buffer: pg_sys::Buffer) -> bool {
    // SAFETY: a setting that never changes.
    buffer > 0 && buffer <= unsafe { pg_sys::NBuffers }
}

/// The byte of a page of the table where the line pointer of an offset is.
const fn line_pointer(offset: u16) -> usize {
    const HEADER: usize = 24;
    const LENGTH: usize = 4;
    let at = HEADER + LENGTH * (offset as usize).saturating_sub(1);
    // Of a damaged entry, perhaps.
    at % PAGE_SIZE
}

#[cfg(target_arch = "x86_64")]
mod of_cpu {
    use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch};
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use learned::page::PAGE_SIZE;
    use pgrx::pg_sys;

    use super::{is_shared, line_pointer};

    /// The page in a shared buffer.
    #[inline(always)]
    fn page(buffer: pg_sys::Buffer) -> *const i8 {
        // SAFETY: there are as many pages as buffers, numbered from 1 on.
        unsafe { pg_sys::BufferBlocks.add((buffer as usize - 1) * PAGE_SIZE) }.cast()
    }

    /// Fetches the lines at these bytes of a page.
    #[inline(always)]
    pub fn fetch(buffer: pg_sys::Buffer, bytes: impl Iterator<Item = usize>) {
        if is_shared(buffer) {
            for at in bytes {
                // SAFETY: a prefetch reads nothing, and the address lies within the page.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(page(buffer).add(at % PAGE_SIZE)) };
            }
        }
    }

    /// Fetches what the server reads first to fetch a row: the buffer's descriptor, which it changes, the page's header and the line pointer.
    #[inline(always)]
    pub fn fetch_page(buffer: pg_sys::Buffer, offset: u16) {
        if is_shared(buffer) {
            // SAFETY: there are as many descriptors as buffers; and as in `fetch`.
            unsafe {
                let descriptor = pg_sys::BufferDescriptors.add(buffer as usize - 1);
                _mm_prefetch::<_MM_HINT_ET0>(descriptor.cast());
            }
            fetch(buffer, [0, line_pointer(offset)].into_iter());
        }
    }

    /// Fetches the beginning of the row to which the line pointer leads.
    #[inline(always)]
    pub fn fetch_tuple(buffer: pg_sys::Buffer, offset: u16) {
        /// `lp_off`, the first bits of an `ItemIdData`.
        const OFFSET: u32 = 0x7FFF;
        if is_shared(buffer) {
            // SAFETY: an aligned word within the page, which others may change at any time, so it is read as atomic.
            let pointer = unsafe {
                let pointer = page(buffer).add(line_pointer(offset));
                (*pointer.cast::<AtomicU32>()).load(Relaxed)
            };
            fetch(buffer, std::iter::once((pointer & OFFSET) as usize));
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod of_cpu {
    use pgrx::pg_sys;

    /// There is no stable way to ask this CPU.
    #[inline(always)]
    pub fn fetch(_buffer: pg_sys::Buffer, _bytes: impl Iterator<Item = usize>) {}

    #[inline(always)]
    pub fn fetch_page(_buffer: pg_sys::Buffer, offset: u16) {
        let _ = super::line_pointer(offset);
    }

    #[inline(always)]
    pub fn fetch_tuple(_buffer: pg_sys::Buffer, _offset: u16) {}
}

pub use of_cpu::{fetch, fetch_page, fetch_tuple};

//! Hints in which buffer this backend last found each block.
//!
//! They serve two purposes: to fetch a page's bytes into the CPU's cache while the server still
//! pins and locks the page, and to pin the page without a search of the buffer table.
//!
//! A lookup by the model touches two or three cache lines of a page. In an index larger than the
//! cache these misses are a fifth of the time of an index-only lookup, and the search of the buffer
//! table is another eighth. All of this is advice: an out-of-date hint costs a useless prefetch,
//! and the server checks what it pins.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use learned::leaf::data_span;
use learned::page::{PAGE_SIZE, Page};
use pgrx::pg_sys;

use super::cache_lines::{self, is_shared};
use super::index_store::IndexStore;
use crate::pg::ffi;

/// The number of hints, 8 bytes each: 128 kB, of which only touched pages take memory.
const HINTS: usize = 1 << 14;
/// Bytes of a cache line.
const LINE_BYTES: usize = 64;
/// The largest number of cache lines that are fetched of a page's header and run directory.
const MAX_HEAD_LINES: usize = 5;
/// The number of cache lines that are fetched of a page's data.
const DATA_LINES: usize = 5;

/// One read in this many searches the buffer table in spite of a hint: pinning a buffer by a hint
/// does not raise its usage count, by which the server chooses which buffers to evict.
const READS_PER_SEARCH: u32 = 32;

static READS: AtomicU32 = AtomicU32::new(0);

/// For each hint the buffer number in the low half; above it the end and the beginning of the
/// page's data, in bytes.
static TABLE: [AtomicU64; HINTS] = [const { AtomicU64::new(0) }; HINTS];

/// The hint of a block. Neighbouring blocks have neighbouring hints.
#[inline(always)]
fn hint(rel: pg_sys::Relation, block: u32) -> &'static AtomicU64 {
    // SAFETY: the callers have the relation open, and rd_id is a field of its relcache entry.
    let oid = unsafe { (*rel).rd_id }.to_u32();
    let at = oid.wrapping_mul(0x9E37_79B9).wrapping_add(block) as usize % HINTS;
    &TABLE[at]
}

/// Remembers the buffer of a page that was just locked.
#[inline(always)]
pub(super) fn remember(store: &IndexStore, block: u32, buffer: pg_sys::Buffer, page: &Page) {
    let (begin, end) = data_span(page, store.words());
    let found = u64::from(begin) << 48 | u64::from(end) << 32 | u64::from(buffer as u32);
    let hint = hint(store.raw(), block);
    if hint.load(Relaxed) != found {
        hint.store(found, Relaxed);
    }
}

/// Pins a block of the main fork in the buffer where it was last found. None if the block is no
/// longer there, if its buffer is not known, or if the buffer table is to be searched.
///
/// # Safety
/// The relation is open.
#[inline(always)]
pub(super) unsafe fn pin(rel: pg_sys::Relation, block: u32) -> Option<pg_sys::Buffer> {
    let reads = READS.load(Relaxed);
    READS.store(reads.wrapping_add(1), Relaxed);
    let buffer = hint(rel, block).load(Relaxed) as u32 as pg_sys::Buffer;
    if reads.is_multiple_of(READS_PER_SEARCH) || !is_shared(buffer) {
        return None;
    }
    // SAFETY: the buffer exists, and the server pins it only if it holds this block of this file.
    unsafe {
        #[cfg(feature = "pg15")]
        let file = (*rel).rd_node;
        #[cfg(not(feature = "pg15"))]
        let file = (*rel).rd_locator;
        if !pg_sys::ReadRecentBuffer(file, pg_sys::ForkNumber::MAIN_FORKNUM, block, buffer) {
            return None;
        }
        ffi::count_buffer_hit(rel);
    }
    Some(buffer)
}

/// Fetches a block's header and the cache lines around `within` of its data. `within` is a fraction
/// from 0 to 1.
#[inline(always)]
pub(super) fn prefetch(rel: pg_sys::Relation, block: u32, within: f32) {
    let found = hint(rel, block).load(Relaxed);
    let buffer = found as u32 as pg_sys::Buffer;
    if !is_shared(buffer) {
        return;
    }
    let (begin, end) = ((found >> 48) as u16, (found >> 32) as u16);
    // The cast saturates, and NaN gives 0.
    let at = (f32::from(begin) + within * (f32::from(end) - f32::from(begin))) as usize;
    let first = at.saturating_sub(LINE_BYTES * DATA_LINES / 2);
    let first = first.min(PAGE_SIZE - LINE_BYTES * DATA_LINES);
    let head = (usize::from(begin) / LINE_BYTES + 1).min(MAX_HEAD_LINES);
    let head = (0..head).map(|i| i * LINE_BYTES);
    let data = (0..DATA_LINES).map(|i| first + i * LINE_BYTES);
    cache_lines::fetch(buffer, head.chain(data));
}

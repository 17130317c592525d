//! In which buffer a block was when this backend last read it: to have its bytes on their way to the
//! CPU's cache while the server still pins and locks it, and to pin it without a search of the buffer table.
//!
//! A lookup by the model touches two or three cache lines of a page. In an index larger than the
//! cache these misses are a fifth of the time of an index-only lookup, and the buffer table is another eighth. All
//! of this is advice: a stale place costs a useless prefetch, and the server checks what it pins.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use learned::leaf::data_span;
use learned::page::{PAGE_SIZE, Page};
use pgrx::pg_sys;

use super::index::IndexStore;
use super::lines::{self, is_shared};
use crate::pg::ffi;

/// Entries of the table: 128 kB, of which only what is used becomes memory.
const PLACES: usize = 1 << 14;
const LINE: usize = 64;
/// No more lines of header and run directory than this, and so many of data.
const HEAD: usize = 5;
const DATA: usize = 5;

/// Every so many reads go by the buffer table: pinning a buffer where it was does not raise its usage count, by
/// which the server chooses what to evict.
const SEEN_EVERY: u32 = 32;

static READS: AtomicU32 = AtomicU32::new(0);

/// Buffer number in the low half, end and beginning of the data above.
static TABLE: [AtomicU64; PLACES] = [const { AtomicU64::new(0) }; PLACES];

/// The place of a block. Neighbouring blocks have neighbouring places.
#[inline(always)]
fn place(rel: pg_sys::Relation, block: u32) -> &'static AtomicU64 {
    // SAFETY: the callers have the relation open.
    let oid = unsafe { (*rel).rd_id }.to_u32();
    let at = oid.wrapping_mul(0x9E37_79B9).wrapping_add(block) as usize % PLACES;
    &TABLE[at]
}

/// Remembers where a page is that was just locked.
#[inline(always)]
pub(super) fn remember(store: &IndexStore, block: u32, buffer: pg_sys::Buffer, page: &Page) {
    let (begin, end) = data_span(page, store.words());
    let found = u64::from(begin) << 48 | u64::from(end) << 32 | u64::from(buffer as u32);
    let place = place(store.raw(), block);
    if place.load(Relaxed) != found {
        place.store(found, Relaxed);
    }
}

/// Pins a block of the main fork in the buffer where it was last met. None: it is not there any
/// more, or not known, or the buffer table's turn has come.
///
/// # Safety
/// The relation is open.
#[inline(always)]
pub(super) unsafe fn pin(rel: pg_sys::Relation, block: u32) -> Option<pg_sys::Buffer> {
    let reads = READS.load(Relaxed);
    READS.store(reads.wrapping_add(1), Relaxed);
    let buffer = place(rel, block).load(Relaxed) as u32 as pg_sys::Buffer;
    if reads.is_multiple_of(SEEN_EVERY) || !is_shared(buffer) {
        return None;
    }
    // SAFETY: the buffer exists; the server pins it only if it holds this very block.
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

/// Fetches a block's header and the lines around `within` (0 to 1) of its data into the cache.
#[inline(always)]
pub(super) fn prefetch(rel: pg_sys::Relation, block: u32, within: f32) {
    let found = place(rel, block).load(Relaxed);
    let buffer = found as u32 as pg_sys::Buffer;
    if !is_shared(buffer) {
        return;
    }
    let (begin, end) = ((found >> 48) as u16, (found >> 32) as u16);
    // The cast saturates, and NaN gives 0.
    let at = (f32::from(begin) + within * (f32::from(end) - f32::from(begin))) as usize;
    let first = at.saturating_sub(LINE * DATA / 2);
    let first = first.min(PAGE_SIZE - LINE * DATA);
    let head = (usize::from(begin) / LINE + 1).min(HEAD);
    let head = (0..head).map(|i| i * LINE);
    lines::fetch(buffer, head.chain((0..DATA).map(|i| first + i * LINE)));
}

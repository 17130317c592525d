//! Removing the entries of dead rows from a leaf that an insert would have to split.
//!
//! nbtree's simple deletion, without its hints: where a sample says that it is worth while, the table is asked about all rows of the leaf. What is
//! removed may be visible to queries on standbys still; so a record of what they have to forget goes before.
//! ARCHITECTURE.md has the argument.

use learned::Tree;
use learned::page::Block;
use learned::store::Store;
use pgrx::pg_sys;

use crate::error::OrRaise;
use crate::pg::ffi::live_and_dead;
use crate::reclaim::removable::ask;
use crate::storage::IndexStore;

/// Rows of the leaf that are asked about first.
const SAMPLE: usize = 32;
/// One in so many rows of the sample must be dead.
const SHARE: usize = 10;
/// Where fewer than one in so many rows of the table are dead, no leaf is asked about.
const FEW: i64 = 100;
/// No more pages of the table are asked about the leaf's rows, and no more that are not in memory: an insert is not to wait for a thousand reads.
const MOST_PAGES: usize = 2048;
const MOST_READ: usize = 32;

/// Whether so many of the table's rows are dead that it may be worth while to ask about a leaf's: a sample of these looks at up to [`SAMPLE`] pages of
/// the table, this at none.
///
/// # Safety
/// The table is open, and nothing is locked.
pub unsafe fn may_be_worth(heap: pg_sys::Relation) -> bool {
    // SAFETY: the caller's contract.
    match unsafe { live_and_dead(heap) } {
        Some([live, dead]) => live <= 0 || dead.saturating_mul(FEW) >= live,
        None => true,
    }
}

/// Removes the dead entries of a full leaf, if they seem to be many; returns whether they did.
///
/// # Safety
/// `index` and its table `heap` are open, keys have `W` words, nothing is locked, and nothing refers to the index's cache: asking the
/// table may look at catalogs.
#[inline(never)]
pub unsafe fn make_room<const W: usize>(
    index: pg_sys::Relation,
    heap: pg_sys::Relation,
    leaf: Block,
) -> bool {
    // SAFETY: the index is open.
    let store = unsafe { IndexStore::new(index, W) };
    let tree = Tree::<_, W>::new(&store);
    let page = store.read(leaf).or_raise(index);
    let mut ties = tree.ties(&page).or_raise(index);
    // The pin keeps VACUUM from removing these entries, hence their line pointers from being used for other rows.
    let pinned = page.unlock();
    let step = ties.len().div_ceil(SAMPLE).max(1);
    let mut sample: Vec<u64> = ties.iter().copied().step_by(step).collect();
    sample.sort_unstable();
    // All of the sample is; its pages are read ahead.
    // SAFETY: the table is open.
    sample.truncate(unsafe { within_reach(heap, &sample) });
    // SAFETY: both are open, nothing is locked, and the leaf is pinned.
    let found = unsafe { ask(index, heap, leaf, &sample) };
    let many = found.iter().flatten().count() * SHARE >= sample.len().max(1);
    if many {
        ties.sort_unstable();
        // SAFETY: as above.
        ties.truncate(unsafe { within_reach(heap, &ties) });
        // SAFETY: as above.
        let found = unsafe { ask(index, heap, leaf, &ties) };
        // SAFETY: the index and its table are open.
        unsafe { store.log_conflict(heap, leaf, found.iter().flatten().copied()) };
        let mut found = found.into_iter();
        ties.retain(|_| found.next().flatten().is_some());
        tree.delete_dead(leaf, &mut |tie| ties.binary_search(&tie).is_ok())
            .or_raise(index);
    }
    pinned.release();
    many
}

/// How many of the rows, which are in order, to ask about: those on the first pages of the table, up to where too many of these are not in shared
/// buffers. Those few are being read from now on.
///
/// # Safety
/// The table is open.
unsafe fn within_reach(heap: pg_sys::Relation, ties: &[u64]) -> usize {
    let (main, mut rows, mut read) = (pg_sys::ForkNumber::MAIN_FORKNUM, 0, 0);
    for page in ties.chunk_by(|a, b| a >> 16 == b >> 16).take(MOST_PAGES) {
        let block = page.first().map_or(0, |tie| (tie >> 16) as Block);
        // SAFETY: the table is open.
        let found = unsafe { pg_sys::PrefetchBuffer(heap, main, block) };
        read += usize::from(found.recent_buffer == pg_sys::InvalidBuffer as pg_sys::Buffer);
        if read > MOST_READ {
            break;
        }
        rows += page.len();
    }
    rows
}

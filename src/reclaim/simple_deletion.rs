//! Deleting the entries of dead rows from a leaf that an insert would have to split.
//!
//! This is nbtree's simple deletion without its hint bits: a sample of the leaf's rows decides
//! whether the table is asked about all of them. Queries on standbys may still see the rows, so a
//! record of the recovery conflict comes before the deletion. docs/concurrency.md has the argument.

use learned::Tree;
use learned::page::Block;
use learned::store::Store;
use pgrx::pg_sys;

use crate::error::OrRaise;
use crate::pg::index::Index;
use crate::pg::table::Table;
use crate::reclaim::deletable_rows::deletable_rows;
use crate::storage::IndexStore;

/// The number of rows of the leaf in the sample, which are spread evenly over it.
const SAMPLE_ROWS: usize = 32;
/// At least one in this many rows of the sample must be dead.
const SAMPLE_ROWS_PER_DEAD: usize = 10;
/// If fewer than one in this many rows of the table are dead, no sample is taken.
const TABLE_ROWS_PER_DEAD: i64 = 100;
/// The number of pages of the table that are read for one leaf.
const MAX_PAGES: usize = 2048;
/// The number of them that may be read from outside shared buffers. An insert should not wait for
/// a thousand reads.
const MAX_READS: usize = 32;

/// Whether the table has enough dead rows for a sample to be worth its cost. A sample reads up to
/// [`SAMPLE_ROWS`] pages of the table, this function reads none.
pub fn has_dead_rows(table: Table) -> bool {
    match table.live_and_dead() {
        Some([live, dead]) => live <= 0 || dead.saturating_mul(TABLE_ROWS_PER_DEAD) >= live,
        None => true,
    }
}

/// Deletes the dead entries of a full leaf if a sample says that they are many. Returns whether it
/// says so. Keys have `W` words.
///
/// No page is locked, and nothing refers to the index's cache: the table may look at catalogs.
#[inline(never)]
pub fn delete_dead_entries<const W: usize>(index: Index, table: Table, leaf: Block) -> bool {
    let store = IndexStore::new(index, W);
    let tree = Tree::<_, W>::new(&store);
    let page = store.read(leaf).or_raise(index);
    let mut ties = tree.ties(&page).or_raise(index);
    // The pin keeps VACUUM from deleting these entries, and so their line pointers from being
    // reused for other rows.
    let pinned = page.unlock();
    let step = ties.len().div_ceil(SAMPLE_ROWS).max(1);
    let mut sample: Vec<u64> = ties.iter().copied().step_by(step).collect();
    sample.sort_unstable();
    // A sample has at most as many pages as may be read. The call starts reading them.
    sample.truncate(rows_within_limits(table, &sample));
    let found = deletable_rows(index, table, leaf, &sample);
    let are_many = found.iter().flatten().count() * SAMPLE_ROWS_PER_DEAD >= sample.len().max(1);
    if are_many {
        ties.sort_unstable();
        ties.truncate(rows_within_limits(table, &ties));
        let found = deletable_rows(index, table, leaf, &ties);
        store.log_conflict(table, leaf, found.iter().flatten().copied());
        let mut found = found.into_iter();
        ties.retain(|_| found.next().flatten().is_some());
        tree.delete_dead(leaf, &mut |tie| ties.binary_search(&tie).is_ok())
            .or_raise(index);
    }
    pinned.release();
    are_many
}

/// The number of rows at the beginning of `ties`, which are sorted, that are on the first
/// [`MAX_PAGES`] pages, and before the page that exceeds [`MAX_READS`]. Starts reading the pages
/// that are not in shared buffers.
fn rows_within_limits(table: Table, ties: &[u64]) -> usize {
    let (mut rows, mut reads) = (0, 0);
    for page in ties.chunk_by(|a, b| a >> 16 == b >> 16).take(MAX_PAGES) {
        let block = page.first().map_or(0, |tie| (tie >> 16) as Block);
        let found = table.prefetch(block);
        reads += usize::from(found.recent_buffer == pg_sys::InvalidBuffer as pg_sys::Buffer);
        if reads > MAX_READS {
            break;
        }
        rows += page.len();
    }
    rows
}

//! VACUUM: deleting the entries of dead rows, and finding pages to reuse.

use std::ffi::c_void;

use learned::Tree;
use learned::page::{Block, META};
use learned::store::Store;
use learned::tree::{Dead, Offsets, Suspect, SweepReport, VacuumReport};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error::OrRaise;
use crate::pg::codec::{EntryCodec, for_words};
use crate::pg::ffi::now_micros;
use crate::pg::server;
use crate::pg::vacuum::{DeadRowTest, VacuumInfo, statistics};
use crate::storage::{DeadLinePointers, IndexStore};

/// The access method's `ambulkdelete`. The validation of a concurrently built index calls it, too.
/// Its callback collects the heap TIDs, and calls no row dead.
///
/// # Safety
/// Called by the server with an open index and a callback that knows the dead rows.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambulkdelete(
    info: *mut pg_sys::IndexVacuumInfo,
    stats: *mut pg_sys::IndexBulkDeleteResult,
    callback: pg_sys::IndexBulkDeleteCallback,
    state: *mut c_void,
) -> *mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: VACUUM's info and callback are valid during the call.
    let (info, test) = unsafe {
        (
            VacuumInfo::from_raw(info),
            DeadRowTest::from_raw(callback, state),
        )
    };
    let index = info.index();
    let store = IndexStore::vacuum(index, EntryCodec::of(index).words(), info.buffer_ring());
    let mut dead = VacuumedRows {
        test,
        line_pointers: DeadLinePointers::of(info),
        rows: Vec::new(),
    };
    // An index that is not valid is being validated, or is of no use. Its leaves are not joined.
    let joins_leaves = index.is_valid();
    let done = for_words!(store.words(), delete(&store, &mut dead, joins_leaves)).or_raise(index);
    if done.freed > 0 {
        index.vacuum_free_space_map();
    }
    // SAFETY: `stats` is what an earlier pass of this VACUUM has returned, or null.
    let stats = unsafe { statistics(stats) };
    stats.pages_newly_deleted += u32::try_from(done.freed).unwrap_or(u32::MAX);
    stats.estimated_count = false;
    stats.num_index_tuples = done.live as f64;
    stats.tuples_removed += done.deleted as f64;
    stats
}

/// The rows that VACUUM's callback calls dead.
struct VacuumedRows {
    test: Option<DeadRowTest>,
    line_pointers: Option<DeadLinePointers>,
    /// For each suspect, its row's block and offset in the high 48 bits and its place among the
    /// suspects in the low 16.
    rows: Vec<u64>,
}

impl Dead for VacuumedRows {
    fn offsets(&self, block: Block) -> Option<&Offsets> {
        self.line_pointers.as_ref()?.offsets(block)
    }

    fn find(&mut self, suspects: &[Suspect], places: &mut Vec<usize>) {
        let Some(test) = self.test else {
            return;
        };
        self.rows.clear();
        let rows = suspects.iter().map(|one| one.tie << 16 | one.place as u64);
        self.rows.extend(rows);
        // The callback searches a sorted array. In the table's order, its searches take similar
        // ways.
        if self.line_pointers.is_some() && !self.rows.is_sorted() {
            self.rows.sort_unstable();
        }
        // An ERROR unwinds through the core, which holds only guards.
        test.test(&mut self.rows);
        let found = self.rows.iter().filter(|row| **row != u64::MAX);
        places.extend(found.map(|row| *row as usize));
        places.sort_unstable();
    }
}

fn delete<const W: usize>(
    store: &IndexStore,
    dead: &mut dyn Dead,
    joins_leaves: bool,
) -> learned::Result<VacuumReport> {
    Tree::<_, W>::new(store).vacuum(dead, joins_leaves)
}

/// The access method's `amvacuumcleanup`.
///
/// The free space map is not crash-safe, and a crash can leave pages to which nothing refers. So
/// every VACUUM looks at each page.
///
/// # Safety
/// Called by the server with an open index, after all of VACUUM's passes.
#[pg_guard]
pub unsafe extern "C-unwind" fn amvacuumcleanup(
    info: *mut pg_sys::IndexVacuumInfo,
    stats: *mut pg_sys::IndexBulkDeleteResult,
) -> *mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: VACUUM's info is valid during the call.
    let info = unsafe { VacuumInfo::from_raw(info) };
    if info.is_analyze() {
        return stats;
    }
    let index = info.index();
    let store = IndexStore::vacuum(index, EntryCodec::of(index).words(), info.buffer_ring());
    let swept = for_words!(store.words(), sweep_and_retrain(&store));
    let is_only_pass = stats.is_null();
    // SAFETY: `stats` is what the passes of this VACUUM have returned, or null if there were none.
    let stats = unsafe { statistics(stats) };
    if is_only_pass {
        stats.num_index_tuples = swept.entries as f64;
        // Leaves may have been split during the sweep.
        stats.estimated_count = true;
    }
    stats.num_pages = store.blocks().or_raise(index);
    let free = swept.free + swept.new + swept.stale;
    stats.pages_free = u32::try_from(free).unwrap_or(u32::MAX);
    stats.pages_deleted = u32::try_from(free + swept.waiting).unwrap_or(u32::MAX);
    stats
}

/// Records the pages that can be reused, and trains a new model if that is due. The lock keeps
/// other sessions from training meanwhile.
fn sweep_and_retrain<const W: usize>(store: &IndexStore) -> SweepReport {
    let index = store.index();
    let tree = Tree::<_, W>::new(store);
    let swept = index.with_page_lock(META, || {
        let swept = tree
            .sweep(&mut |block| index.record_free_page(block))
            .or_raise(index);
        // VACUUM must not fail because there is no space for a model.
        let is_new = tree.is_model_stale().or_raise(index)
            && tree.retrain_if_room(now_micros()).or_raise(index);
        if is_new && !server::is_parallel_worker() {
            index.invalidate();
        }
        swept
    });
    index.vacuum_free_space_map();
    swept
}

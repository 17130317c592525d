//! VACUUM: removing the entries of dead rows, and finding pages to reuse.

use std::ffi::c_void;

use learned::Tree;
use learned::page::{Block, META};
use learned::store::Store;
use learned::tree::{Dead, Offsets, Suspect, SweepReport, VacuumReport};
use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::prelude::*;

use crate::error::OrRaise;
use crate::pg::columns::{Columns, for_words, item_pointer};
use crate::pg::ffi::now_micros;
use crate::storage::{IndexStore, Suspects};

/// The access method's `ambulkdelete`. Validation of a concurrently built index comes here, too:
/// its callback collects the heap TIDs and removes nothing.
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
    // SAFETY: info is valid during the call and its index open.
    let (index, store) = unsafe {
        let index = (*info).index;
        let words = Columns::of(index).words();
        (index, IndexStore::vacuum(index, words, (*info).strategy))
    };
    let mut dead = Reaped {
        callback,
        state,
        // SAFETY: the index is open, its table locked by whoever calls, and nothing else is locked.
        suspects: unsafe { Suspects::of(index, (*info).strategy) },
        asked: Vec::new(),
    };
    // SAFETY: the index is open. One that is not valid is being validated (or of no use).
    let merge = unsafe { (*(*index).rd_index).indisvalid };
    let done = for_words!(store.words(), remove(&store, &mut dead, merge)).or_raise(index);
    // SAFETY: stats is null or the result of an earlier pass, which is ours to change.
    unsafe {
        if done.freed > 0 {
            pg_sys::IndexFreeSpaceMapVacuum(index);
        }
        let stats = or_new(stats);
        (*stats).pages_newly_deleted += u32::try_from(done.freed).unwrap_or(u32::MAX);
        (*stats).estimated_count = false;
        (*stats).num_index_tuples = done.live as f64;
        (*stats).tuples_removed += done.deleted as f64;
        stats
    }
}

/// The rows that the server's callback calls dead.
struct Reaped {
    callback: pg_sys::IndexBulkDeleteCallback,
    state: *mut c_void,
    suspects: Option<Suspects>,
    /// For each suspect block and offset of the row, and below them its place.
    asked: Vec<u64>,
}

impl Dead for Reaped {
    fn offsets(&self, block: Block) -> Option<&Offsets> {
        self.suspects.as_ref()?.offsets(block)
    }

    fn find(&mut self, suspects: &[Suspect], places: &mut Vec<usize>) {
        let Some(callback) = self.callback else {
            return;
        };
        self.asked.clear();
        let asked = suspects.iter().map(|one| one.tie << 16 | one.place as u64);
        self.asked.extend(asked);
        // In the table's order the callback's searches resemble each other.
        if self.suspects.is_some() && !self.asked.is_sorted() {
            self.asked.sort_unstable();
        }
        let (asked, state) = (self.asked.as_mut_slice(), self.state);
        // SAFETY: a server function with its own state. An ERROR in it passes over this closure, which has nothing to drop, and comes back as
        // a panic that unwinds through the core, which holds nothing but guards.
        unsafe {
            pg_guard_ffi_boundary(|| {
                for row in asked {
                    let mut tid = item_pointer(*row >> 16);
                    *row = if callback(&raw mut tid, state) {
                        *row & 0xFFFF
                    } else {
                        u64::MAX
                    };
                }
            });
        }
        let found = self.asked.iter().filter(|row| **row != u64::MAX);
        places.extend(found.map(|row| *row as usize));
        places.sort_unstable();
    }
}

fn remove<const W: usize>(
    store: &IndexStore,
    dead: &mut dyn Dead,
    merge: bool,
) -> learned::Result<VacuumReport> {
    Tree::<_, W>::new(store).vacuum(dead, merge)
}

/// The access method's `amvacuumcleanup`.
///
/// The free space map is not crash-safe, and pages can be orphaned by a crash, so every VACUUM
/// looks at each page.
///
/// # Safety
/// Called by the server with an open index, after all of VACUUM's passes.
#[pg_guard]
pub unsafe extern "C-unwind" fn amvacuumcleanup(
    info: *mut pg_sys::IndexVacuumInfo,
    stats: *mut pg_sys::IndexBulkDeleteResult,
) -> *mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: info is valid during the call and its index open.
    let (index, store) = unsafe {
        if (*info).analyze_only {
            return stats;
        }
        let index = (*info).index;
        let words = Columns::of(index).words();
        (index, IndexStore::vacuum(index, words, (*info).strategy))
    };
    // SAFETY: the index is open.
    let swept = unsafe { for_words!(store.words(), tidy(index, &store)) };
    // SAFETY: as in ambulkdelete.
    unsafe {
        let first = stats.is_null();
        let stats = or_new(stats);
        if first {
            (*stats).num_index_tuples = swept.entries as f64;
            // Leaves may have been split between two looks.
            (*stats).estimated_count = true;
        }
        (*stats).num_pages = store.blocks().or_raise(index);
        let free = swept.free + swept.new + swept.stale;
        (*stats).pages_free = u32::try_from(free).unwrap_or(u32::MAX);
        (*stats).pages_deleted = u32::try_from(free + swept.waiting).unwrap_or(u32::MAX);
        stats
    }
}

/// Finds the pages to reuse, and trains the model anew if that is due.
///
/// # Safety
/// `store` is of `index`, which is open, and has keys of `W` words.
unsafe fn tidy<const W: usize>(index: pg_sys::Relation, store: &IndexStore) -> SweepReport {
    let tree = Tree::<_, W>::new(store);
    // SAFETY: the index is open. The page lock keeps other trainers of the model out; it is given
    // back here or by transaction abort.
    unsafe {
        let lock = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        pg_sys::LockPage(index, META, lock);
        let swept = tree
            .sweep(&mut |block| pg_sys::RecordFreeIndexPage(index, block))
            .or_raise(index);
        // VACUUM must not fail for want of room for a model.
        let is_new = tree.is_model_stale().or_raise(index)
            && tree.retrain_if_room(now_micros()).or_raise(index);
        if is_new && pg_sys::ParallelWorkerNumber < 0 {
            pg_sys::CacheInvalidateRelcache(index);
        }
        pg_sys::UnlockPage(index, META, lock);
        pg_sys::IndexFreeSpaceMapVacuum(index);
        swept
    }
}

/// `stats`, or a new one where the server has none yet.
///
/// # Safety
/// `stats` is null or valid.
unsafe fn or_new(stats: *mut pg_sys::IndexBulkDeleteResult) -> *mut pg_sys::IndexBulkDeleteResult {
    if stats.is_null() {
        // SAFETY: zeroed memory is a valid result.
        unsafe { pg_sys::palloc0(size_of::<pg_sys::IndexBulkDeleteResult>()).cast() }
    } else {
        stats
    }
}

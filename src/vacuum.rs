//! VACUUM: removing the entries of dead rows, and finding pages to reuse.

use std::ffi::c_void;

use learned::leaf::Leaf;
use learned::model::Loaded;
use learned::page::{self, Block, Kind};
use learned::store::Store;
use learned::tree::Vacuumed;
use learned::{Tree, page::META};
use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::prelude::*;

use crate::error::OrRaise;
use crate::pg::columns::{Columns, for_words, item_pointer};
use crate::pg::ffi::now_micros;
use crate::storage::Relation;

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
        (index, Relation::vacuum(index, words, (*info).strategy))
    };
    let mut dead = |tie: u64| match callback {
        Some(callback) => {
            let mut tid = item_pointer(tie);
            // SAFETY: a server function with its own state. An ERROR in it comes back as a panic
            // that unwinds through the core, which holds nothing but guards.
            unsafe { pg_guard_ffi_boundary(|| callback(&raw mut tid, state)) }
        }
        None => false,
    };
    let done = for_words!(store.words(), remove(&store, &mut dead)).or_raise(index);
    // SAFETY: stats is null or the result of an earlier pass, which is ours to change.
    unsafe {
        let stats = or_new(stats);
        (*stats).estimated_count = false;
        (*stats).num_index_tuples = done.live as f64;
        (*stats).tuples_removed += done.removed as f64;
        stats
    }
}

fn remove<const W: usize>(
    store: &Relation,
    dead: &mut dyn FnMut(u64) -> bool,
) -> learned::Result<Vacuumed> {
    Tree::<_, W>::new(store).vacuum(dead)
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
        (index, Relation::vacuum(index, words, (*info).strategy))
    };
    let counted = for_words!(store.words(), count(&store)).or_raise(index);
    // SAFETY: the index is open.
    let free = unsafe { for_words!(store.words(), tidy(index, &store, counted.is_due())) };
    // SAFETY: as in ambulkdelete.
    unsafe {
        let first = stats.is_null();
        let stats = or_new(stats);
        if first {
            (*stats).num_index_tuples = counted.entries as f64;
            // Leaves may have been split between two looks.
            (*stats).estimated_count = true;
        }
        (*stats).num_pages = store.blocks().or_raise(index);
        (*stats).pages_free = free;
        (*stats).pages_deleted = free;
        stats
    }
}

/// Retrains the model if that is due, and finds the pages to reuse; returns their number.
///
/// # Safety
/// `store` is of `index`, which is open, and has keys of `W` words.
unsafe fn tidy<const W: usize>(index: pg_sys::Relation, store: &Relation, is_due: bool) -> u32 {
    let tree = Tree::<_, W>::new(store);
    let mut free = 0;
    // SAFETY: the index is open. The page lock keeps other trainers of the model out; it is given
    // back here or by transaction abort.
    unsafe {
        let lock = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        pg_sys::LockPage(index, META, lock);
        if is_due {
            tree.retrain(now_micros()).or_raise(index);
            if pg_sys::ParallelWorkerNumber < 0 {
                pg_sys::CacheInvalidateRelcache(index);
            }
        }
        tree.sweep(&mut |block| {
            free += 1;
            pg_sys::RecordFreeIndexPage(index, block);
        })
        .or_raise(index);
        pg_sys::UnlockPage(index, META, lock);
        pg_sys::IndexFreeSpaceMapVacuum(index);
    }
    free
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

#[derive(Default)]
struct Counted {
    leaves: u64,
    /// Leaves that the model does not lead to.
    unknown: u64,
    entries: u64,
}

impl Counted {
    /// Whether it is time for a new model: a tenth of the leaves are not where the present one looks for them.
    fn is_due(&self) -> bool {
        self.leaves > 1 && self.unknown * 10 > self.leaves
    }
}

/// Counts leaves and their entries, from the pages' headers.
fn count<const W: usize>(store: &Relation) -> learned::Result<Counted> {
    let mut counted = Counted::default();
    let model = Tree::<_, W>::new(store).load_model()?;
    let model = model.as_deref().and_then(Loaded::open);
    for block in META + 1..store.blocks()? {
        store.interrupt();
        let page = store.read(block)?;
        if page::kind(&page) == Some(Kind::Leaf) && !page::is_new(&page) {
            let leaf = Leaf::<W>::open(&page, block)?;
            counted.leaves += 1;
            counted.entries += leaf.live() as u64;
            let known = model.is_some_and(|model| knows(&model, &leaf, block));
            counted.unknown += u64::from(!known);
        }
    }
    Ok(counted)
}

/// Whether the model leads to this leaf. One between others of the same key is not its business.
fn knows<const W: usize>(model: &Loaded<'_>, leaf: &Leaf<'_, W>, block: Block) -> bool {
    let low = leaf.low();
    if low.key == leaf.high().key {
        return true;
    }
    // A search for the key of a leaf that begins amid its entries ends one leaf earlier.
    let Some((guess, found)) = model.predict(&low.key) else {
        return false;
    };
    let next = guess.ordinal.saturating_add(1);
    found == block || low.tie > 0 && model.block(next) == Some(block)
}

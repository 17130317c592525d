//! Training in passing: the insert that finds the index grown trains a new model.
//!
//! VACUUM may be far away, and rows that come now are wanted now. A training takes about a
//! millisecond for 10,000 leaves; readers and writers go on meanwhile.

use learned::page::META;
use learned::store::Store;
use learned::{Result, Tree};
use pgrx::pg_sys;

use crate::cache;
use crate::error::OrRaise;
use crate::pg::ffi::now_micros;
use crate::storage::Relation;

/// Trains a new model if that is due after a split by this backend. Called when nothing is locked
/// and nothing refers to the cache.
pub fn after_split<const W: usize>(store: &Relation) {
    let index = store.raw();
    let blocks = store.blocks().or_raise(index);
    let Some(known) = cache::has_split(index, blocks) else {
        return;
    };
    let lock = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
    // SAFETY: the index is open. The page lock keeps other trainers out; who does not get it need
    // not wait, since somebody trains already, or looks for stale models.
    unsafe {
        if !pg_sys::ConditionalLockPage(index, META, lock) {
            return;
        }
    }
    let is_new = train::<W>(store, known).or_raise(index);
    // SAFETY: locked above; after an ERROR the transaction's abort gives it back.
    unsafe { pg_sys::UnlockPage(index, META, lock) };
    if is_new {
        // The pages of the model before are for the next one.
        // SAFETY: the index is open.
        unsafe { pg_sys::IndexFreeSpaceMapVacuum(index) };
        cache::forget(index);
    } else {
        cache::put_off(index, blocks);
    }
}

/// Whether there is now another model than the one `known` here: somebody else's, or a new one. Other sessions
/// look for it when they notice that theirs errs.
fn train<const W: usize>(store: &Relation, known: u64) -> Result<bool> {
    let tree = Tree::<_, W>::new(store);
    Ok(tree.meta()?.model.generation != known || tree.retrain_in_passing(now_micros())?)
}

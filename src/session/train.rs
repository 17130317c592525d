//! Training in passing: the insert that finds the index grown trains a new model.
//!
//! VACUUM may be far away, and rows that come now are wanted now. A training takes about a
//! millisecond for 10,000 leaves; readers and writers go on meanwhile.

use learned::page::META;
use learned::store::Store;
use learned::{Result, Tree};
use pgrx::pg_sys;

use crate::error::OrRaise;
use crate::pg::ffi::now_micros;
use crate::session::cache;
use crate::storage::IndexStore;

/// Trains a new model if that is due after a split by this backend. Called when nothing is locked
/// and nothing refers to the cache.
pub fn after_split<const W: usize>(store: &IndexStore) {
    let index = store.raw();
    let blocks = store.blocks().or_raise(index);
    let Some(known) = cache::has_split(index, blocks) else {
        return;
    };
    let is_new = alone(store, |tree: &Tree<'_, IndexStore, W>| {
        // Somebody else's model will do as well.
        Ok(tree.meta()?.model.generation != known || tree.retrain_if_room(now_micros())?)
    });
    if is_new == Some(false) {
        cache::put_off(index, blocks);
    }
}

/// Trains a new model if the newest one, which led searches astray, no longer describes the tree. Growth does not tell
/// where freed pages are used again and many sessions split a few leaves each. Called as [`after_split`].
pub fn after_misses<const W: usize>(store: &IndexStore) {
    alone(store, |tree: &Tree<'_, IndexStore, W>| {
        Ok(tree.is_model_stale()? && tree.retrain_if_room(now_micros())?)
    });
}

/// Does `work` unless somebody trains at the moment; it returns whether there is a new model. Other sessions look for it when they
/// notice that theirs errs.
fn alone<const W: usize>(
    store: &IndexStore,
    work: impl FnOnce(&Tree<'_, IndexStore, W>) -> Result<bool>,
) -> Option<bool> {
    let index = store.raw();
    let lock = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
    // SAFETY: the index is open. The page lock keeps other trainers out; who does not get it need
    // not wait, since somebody trains already, or looks for stale models.
    unsafe {
        if !pg_sys::ConditionalLockPage(index, META, lock) {
            return None;
        }
    }
    let is_new = work(&Tree::new(store)).or_raise(index);
    // SAFETY: locked above; after an ERROR the transaction's abort gives it back.
    unsafe { pg_sys::UnlockPage(index, META, lock) };
    if is_new {
        // The pages of the model before are for the next one.
        // SAFETY: the index is open.
        unsafe { pg_sys::IndexFreeSpaceMapVacuum(index) };
        cache::forget(index);
    }
    Some(is_new)
}

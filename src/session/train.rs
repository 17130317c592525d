//! Training by inserts: the insert that finds that the index has grown trains a new model.
//!
//! VACUUM may come much later, and new rows are queried now. A training takes about a millisecond
//! for 10,000 leaves. Other sessions read and write meanwhile.

use learned::page::META;
use learned::store::Store;
use learned::{Result, Tree};

use crate::error::OrRaise;
use crate::pg::ffi::now_micros;
use crate::session::cache;
use crate::storage::IndexStore;

/// Trains a new model if that is due after a split by this backend. Nothing is locked, and nothing
/// refers to the cache.
pub fn after_split<const W: usize>(store: &IndexStore) {
    let index = store.index();
    let blocks = store.blocks().or_raise(index);
    let Some(known) = cache::count_split(index, blocks) else {
        return;
    };
    let is_new = try_to_train(store, |tree: &Tree<'_, IndexStore, W>| {
        // A model of another session will do as well.
        Ok(tree.meta()?.model.generation != known || tree.retrain_if_room(now_micros())?)
    });
    if is_new == Some(false) {
        cache::postpone_training(index, blocks);
    }
}

/// Trains a new model if the newest one, which has led searches astray, no longer describes the
/// tree. The growth of the index does not tell that, where freed pages are reused, and many
/// sessions split a few leaves each. Nothing is locked, and nothing refers to the cache.
pub fn after_misses<const W: usize>(store: &IndexStore) {
    try_to_train(store, |tree: &Tree<'_, IndexStore, W>| {
        Ok(tree.is_model_stale()? && tree.retrain_if_room(now_micros())?)
    });
}

/// Runs `work`, which returns whether there is a new model. Returns None, without running it, if
/// another session is training, or VACUUM looks for stale models. Other sessions look for the new
/// model when they notice that theirs errs.
fn try_to_train<const W: usize>(
    store: &IndexStore,
    work: impl FnOnce(&Tree<'_, IndexStore, W>) -> Result<bool>,
) -> Option<bool> {
    let index = store.index();
    let is_new = index.try_with_page_lock(META, || work(&Tree::new(store)).or_raise(index))?;
    if is_new {
        // The pages of the previous model are for the next one.
        index.vacuum_free_space_map();
        cache::discard(index);
    }
    Some(is_new)
}

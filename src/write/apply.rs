//! Adding entries to the tree, at once or many of a statement together.

use learned::store::Store;
use learned::tree::{InsertOutcome, Inserted, SplitPolicy};
use learned::{Block, Entry};
use pgrx::pg_sys;

use crate::error::OrRaise;
use crate::options;
use crate::reclaim::purge;
use crate::session::{cache, train};
use crate::storage::IndexStore;

/// Adds entries, in any order.
///
/// # Safety
/// Index, of `W` words, and table are open, and nothing is locked.
pub unsafe fn insert_all<const W: usize>(
    index: pg_sys::Relation,
    heap: pg_sys::Relation,
    entries: &mut [Entry<W>],
) {
    entries.sort_unstable();
    // SAFETY: the caller's contract.
    let store = unsafe { IndexStore::new(index, W) };
    let mut rest = &*entries;
    while let Some((first, more)) = rest.split_first() {
        // SAFETY: the caller's contract.
        let taken = unsafe { insert(&store, heap, *first, more) };
        rest = rest.get(taken..).unwrap_or_default();
        store.interrupt();
    }
}

/// Adds an entry, and of `more`, which follow it in order, those that go with it. Returns how many these are together.
///
/// # Safety
/// As for [`insert_all`].
#[inline(always)]
pub unsafe fn insert<const W: usize>(
    store: &IndexStore,
    heap: pg_sys::Relation,
    entry: Entry<W>,
    more: &[Entry<W>],
) -> usize {
    let index = store.raw();
    // SAFETY: the caller's contract.
    let fill = unsafe { options::fill(index) };
    let add = |near, splits| {
        let tree = cache::tree::<W>(store).with_split_policy(splits);
        let done = tree.insert_with(near, entry, more, fill);
        cache::remember(&tree);
        done.or_raise(index)
    };
    let mut done = add(cache::near(index), splits(index));
    if let InsertOutcome::Full { churned } = done.outcome {
        // SAFETY: the caller's contract; nothing is locked and the cache not in use.
        unsafe { make_room::<W>(store, heap, done.block, churned) };
        done = add(Some(done.block), SplitPolicy::Always);
    }
    conclude::<W>(store, Some(done));
    done.taken
}

/// Which full leaves are not to be split before room was made.
#[inline(always)]
pub fn splits(index: pg_sys::Relation) -> SplitPolicy {
    if cache::may_purge(index) {
        SplitPolicy::Never
    } else {
        SplitPolicy::UnlessChurned
    }
}

/// Spares a full leaf a split, if possible: removes dead entries from it, if it is time to ask about them and there are any to speak of, or else, where
/// entries die, gives some to its neighbour.
///
/// # Safety
/// As for [`purge::make_room`].
#[cold]
pub unsafe fn make_room<const W: usize>(
    store: &IndexStore,
    heap: pg_sys::Relation,
    leaf: Block,
    churned: bool,
) {
    let index = store.raw();
    if cache::may_purge(index) {
        // SAFETY: the caller's contract.
        let many = unsafe {
            (churned || purge::may_be_worth(heap)) && purge::make_room::<W>(index, heap, leaf)
        };
        cache::purged(index, many);
        if many {
            return;
        }
    }
    if !churned {
        return;
    }
    let tree = cache::tree::<W>(store);
    let done = tree.redistribute(leaf);
    cache::remember(&tree);
    drop(tree);
    if done.or_raise(index) {
        // As good as a split: dead rows are to be asked about every so often.
        cache::split(index);
    }
}

/// What is left to do when nothing is locked any more and nothing refers to the cache.
pub fn conclude<const W: usize>(store: &IndexStore, done: Option<Inserted>) {
    if let Some(done) = done {
        cache::inserted(store.raw(), done.block);
        if matches!(done.outcome, InsertOutcome::Split(_)) {
            cache::split(store.raw());
            train::after_split::<W>(store);
        }
    }
    if cache::review(store) {
        train::after_misses::<W>(store);
    }
}

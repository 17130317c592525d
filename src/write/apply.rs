//! Adding entries to the tree, one or several of a statement together.

use learned::store::Store;
use learned::tree::{InsertOutcome, Inserted, SplitPolicy};
use learned::{Block, Entry};

use crate::error::OrRaise;
use crate::options;
use crate::pg::index::Index;
use crate::pg::table::Table;
use crate::reclaim::simple_deletion;
use crate::session::{cache, train};
use crate::storage::IndexStore;

/// Adds entries of `W` words, in any order. Nothing is locked.
pub fn insert_all<const W: usize>(index: Index, table: Table, entries: &mut [Entry<W>]) {
    entries.sort_unstable();
    let store = IndexStore::new(index, W);
    let mut rest = &*entries;
    while let Some((first, more)) = rest.split_first() {
        let taken = insert(&store, table, *first, more);
        rest = rest.get(taken..).unwrap_or_default();
        store.interrupt();
    }
}

/// Adds an entry, and those of `more`, which follow it in order, that fit into the same change.
/// Returns how many were added, the first one included. Nothing is locked.
#[inline(always)]
pub fn insert<const W: usize>(
    store: &IndexStore,
    table: Table,
    entry: Entry<W>,
    more: &[Entry<W>],
) -> usize {
    let index = store.index();
    let fill = options::fill_factor(index);
    let add = |hint, splits| {
        let tree = cache::tree::<W>(store).with_split_policy(splits);
        let done = tree.insert_with(hint, entry, more, fill);
        cache::remember(&tree);
        done.or_raise(index)
    };
    let mut done = add(cache::insert_hint(index), split_policy(index));
    if let InsertOutcome::Full { churned } = done.outcome {
        avoid_split::<W>(store, table, done.block, churned);
        done = add(Some(done.block), SplitPolicy::Always);
    }
    after_insert::<W>(store, Some(done));
    done.taken
}

/// Which full leaves are not split before [`avoid_split`] was called for them.
#[inline(always)]
pub fn split_policy(index: Index) -> SplitPolicy {
    if cache::is_deletion_due(index) {
        SplitPolicy::Never
    } else {
        SplitPolicy::UnlessChurned
    }
}

/// Makes room in a full leaf, so that it need not be split, if there is a way.
///
/// Deletes its dead entries, if it is time to ask the table about them and a sample says that they
/// are many. Otherwise, where entries die (`churned`), moves some entries to its neighbour.
///
/// Nothing is locked, and nothing refers to the index's cache.
#[cold]
pub fn avoid_split<const W: usize>(store: &IndexStore, table: Table, leaf: Block, churned: bool) {
    let index = store.index();
    if cache::is_deletion_due(index) {
        let are_many = (churned || simple_deletion::has_dead_rows(table))
            && simple_deletion::delete_dead_entries::<W>(index, table, leaf);
        cache::remember_deletion(index, are_many);
        if are_many {
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
        // This counts as a split: the table must be asked about dead rows from time to time.
        cache::count_split_without_deletion(index);
    }
}

/// What follows an insert, or a check of a unique key: trains the model if that is due. Nothing is
/// locked, and nothing refers to the cache.
pub fn after_insert<const W: usize>(store: &IndexStore, done: Option<Inserted>) {
    if let Some(done) = done {
        cache::remember_insert(store.index(), done.block);
        if matches!(done.outcome, InsertOutcome::Split(_)) {
            cache::count_split_without_deletion(store.index());
            train::after_split::<W>(store);
        }
    }
    if cache::discard_if_outdated(store) {
        train::after_misses::<W>(store);
    }
}

//! Inserting entries.

use learned::store::Store;
use learned::tree::{How, Inserted, Splits};
use learned::{Block, Entry};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::batch::{self, Put};
use crate::error::{OrRaise, internal};
use crate::pg::columns::{Columns, for_words};
use crate::storage::Relation;
use crate::unique::{self, Key, Row};
use crate::{cache, options, purge, train};

/// The access method's `aminsert`. The result matters only if the check of uniqueness may be put off: whether the row's key is known
/// to be unique.
///
/// It is not guarded, since the error for a duplicate is raised without pgrx.
///
/// # Safety
/// Called by the server with an open table and index, a value and a null flag for each column, and a heap TID.
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C-unwind" fn aminsert(
    index: pg_sys::Relation,
    values: *mut pg_sys::Datum,
    isnull: *mut bool,
    tid: pg_sys::ItemPointer,
    heap: pg_sys::Relation,
    check: pg_sys::IndexUniqueCheck::Type,
    _unchanged: bool,
    _info: *mut pg_sys::IndexInfo,
) -> bool {
    // SAFETY: the arguments are as the server passes them; nothing here needs to be unwound.
    unsafe {
        let key = add(index, values, isnull, tid, heap, check);
        if key == Key::Duplicate {
            unique::raise_duplicate(heap, index, values, isnull);
        }
        key == Key::Unique
    }
}

/// Adds an entry, or checks one again, as `check` says.
///
/// # Safety
/// As for [`aminsert`].
#[pg_guard]
#[allow(clippy::too_many_arguments)]
unsafe extern "C-unwind" fn add(
    index: pg_sys::Relation,
    values: *const pg_sys::Datum,
    isnull: *const bool,
    tid: pg_sys::ItemPointer,
    heap: pg_sys::Relation,
    check: pg_sys::IndexUniqueCheck::Type,
) -> Key {
    // SAFETY: the arguments are as the server passes them, and the index stays open.
    unsafe {
        let columns = &cache::columns(index);
        if check == pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO {
            for_words!(
                columns.words(),
                insert_or_wait(index, heap, columns, values, isnull, tid)
            )
        } else {
            let row = Row {
                heap,
                index,
                tid: *tid,
                check,
            };
            for_words!(
                columns.words(),
                insert_unique(&row, columns, values, isnull)
            )
        }
    }
}

/// Adds an entry, at once or later with others of the same statement.
///
/// # Safety
/// As for [`aminsert`]; `columns` are the index's, of `W` words.
#[inline(never)]
unsafe fn insert_or_wait<const W: usize>(
    index: pg_sys::Relation,
    heap: pg_sys::Relation,
    columns: &Columns,
    values: *const pg_sys::Datum,
    isnull: *const bool,
    tid: *const pg_sys::ItemPointerData,
) -> Key {
    // SAFETY: the caller's contract.
    unsafe {
        let entry: Entry<W> = columns.entry(values, isnull, tid);
        match batch::put_off(index, entry) {
            Put::AtOnce => {
                insert(&Relation::new(index, W), heap, entry, &[]);
            }
            Put::Waits => {}
            Put::Full(mut entries) => insert_all(index, heap, &mut entries),
            Put::Never => internal(index, batch::OTHER_KIND),
        }
    }
    Key::Unchecked
}

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
    let store = unsafe { Relation::new(index, W) };
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
unsafe fn insert<const W: usize>(
    store: &Relation,
    heap: pg_sys::Relation,
    entry: Entry<W>,
    more: &[Entry<W>],
) -> usize {
    let index = store.raw();
    // SAFETY: the caller's contract.
    let fill = unsafe { options::fill(index) };
    let add = |near, splits| {
        let tree = cache::tree::<W>(store).with_splits(splits);
        let done = tree.insert_with(near, entry, more, fill);
        cache::remember(&tree);
        done.or_raise(index)
    };
    let mut done = add(cache::near(index), splits(index));
    if let How::Full { churned } = done.how {
        // SAFETY: the caller's contract; nothing is locked and the cache not in use.
        unsafe { make_room::<W>(store, heap, done.block, churned) };
        done = add(Some(done.block), Splits::Always);
    }
    conclude::<W>(store, Some(done));
    done.taken
}

/// Which full leaves are not to be split before room was made.
#[inline(always)]
fn splits(index: pg_sys::Relation) -> Splits {
    if cache::may_purge(index) {
        Splits::Never
    } else {
        Splits::UnlessChurned
    }
}

/// Spares a full leaf a split, if possible: removes dead entries from it, if it is time to ask about them and there are any to speak of, or else, where
/// entries die, gives some to its neighbour.
///
/// # Safety
/// As for [`purge::make_room`].
#[cold]
unsafe fn make_room<const W: usize>(
    store: &Relation,
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
fn conclude<const W: usize>(store: &Relation, done: Option<Inserted>) {
    if let Some(done) = done {
        cache::inserted(store.raw(), done.block);
        if matches!(done.how, How::Split(_)) {
            cache::split(store.raw());
            train::after_split::<W>(store);
        }
    }
    if cache::review(store) {
        train::after_misses::<W>(store);
    }
}

/// Adds the entry of a row, or checks it again, in a unique index.
///
/// # Safety
/// As for [`aminsert`]; `columns` are the index's, of `W` words.
#[inline(never)]
unsafe fn insert_unique<const W: usize>(
    row: &Row,
    columns: &Columns,
    values: *const pg_sys::Datum,
    isnull: *const bool,
) -> Key {
    let index = row.index;
    // SAFETY: the caller's contract.
    let (entry, fill, store, distinct) = unsafe {
        let entry: Entry<W> = columns.entry(values, isnull, &raw const row.tid);
        let null = (0..columns.keys().len()).any(|i| *isnull.add(i));
        let distinct = null && !unique::nulls_are_equal(index);
        (
            entry,
            options::fill(index),
            Relation::new(index, W),
            distinct,
        )
    };
    let recheck = row.check == pg_sys::IndexUniqueCheck::UNIQUE_CHECK_EXISTING;
    if distinct {
        if !recheck {
            // SAFETY: the caller's contract.
            unsafe { insert(&store, row.heap, entry, &[]) };
        }
        return Key::Unique;
    }
    let same = columns.same_key(&entry);
    let mut done = None;
    // SAFETY: the caller's contract; nothing is locked, and the cache not in use while room is made.
    let key = unsafe {
        row.settle(|judge| {
            let near = cache::near(index);
            let tree = cache::tree::<W>(&store);
            if recheck {
                let unique = tree.is_unique(&same, judge);
                cache::remember(&tree);
                return unique.or_raise(index);
            }
            let tree = tree.with_splits(splits(index));
            let inserted = tree.insert_unique(near, entry, &same, fill, judge);
            cache::remember(&tree);
            drop(tree);
            done = inserted.or_raise(index);
            if let Some(Inserted {
                block,
                how: How::Full { churned },
                ..
            }) = done
            {
                make_room::<W>(&store, row.heap, block, churned);
                let tree = cache::tree::<W>(&store);
                let inserted = tree.insert_unique(None, entry, &same, fill, judge);
                cache::remember(&tree);
                done = inserted.or_raise(index);
            }
            done.is_some()
        })
    };
    conclude::<W>(&store, done);
    key
}

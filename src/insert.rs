//! Inserting entries.

use learned::Entry;
use learned::tree::{How, Inserted};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error::OrRaise;
use crate::pg::columns::{Columns, for_words};
use crate::storage::Relation;
use crate::unique::{self, Key, Row};
use crate::{cache, options, train};

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
        let columns = Columns::of(index);
        if check == pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO {
            for_words!(
                columns.words(),
                insert(index, &columns, values, isnull, tid)
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
                insert_unique(&row, &columns, values, isnull)
            )
        }
    }
}

/// Adds one entry.
///
/// # Safety
/// As for [`aminsert`]; `columns` are the index's, of `W` words.
#[inline(always)]
unsafe fn insert<const W: usize>(
    index: pg_sys::Relation,
    columns: &Columns,
    values: *const pg_sys::Datum,
    isnull: *const bool,
    tid: *const pg_sys::ItemPointerData,
) -> Key {
    // SAFETY: the caller's contract.
    let (entry, fill, store) = unsafe {
        let entry: Entry<W> = columns.entry(values, isnull, tid);
        (entry, options::fill(index), Relation::new(index, W))
    };
    let near = cache::near(index);
    let tree = cache::tree::<W>(&store);
    let done = match near {
        Some(leaf) => tree.insert_near(leaf, entry, fill),
        None => tree.insert(entry, fill),
    };
    cache::remember(&tree);
    drop(tree);
    conclude::<W>(&store, Some(done.or_raise(index)));
    Key::Unchecked
}

/// What is left to do when nothing is locked any more and nothing refers to the cache.
fn conclude<const W: usize>(store: &Relation, done: Option<Inserted>) {
    if let Some(done) = done {
        cache::inserted(store.raw(), done.block);
        if matches!(done.how, How::Split(_)) {
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
            unsafe { insert::<W>(index, columns, values, isnull, &raw const row.tid) };
        }
        return Key::Unique;
    }
    let same = columns.same_key(&entry);
    let mut done = None;
    // SAFETY: the caller's contract; nothing is locked.
    let key = unsafe {
        row.settle(|judge| {
            let near = cache::near(index);
            let tree = cache::tree::<W>(&store);
            if recheck {
                let unique = tree.is_unique(&same, judge);
                cache::remember(&tree);
                return unique.or_raise(index);
            }
            let inserted = tree.insert_unique(near, entry, &same, fill, judge);
            cache::remember(&tree);
            done = inserted.or_raise(index);
            done.is_some()
        })
    };
    conclude::<W>(&store, done);
    key
}

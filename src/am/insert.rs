//! Inserting entries.

use learned::Entry;
use learned::tree::{InsertOutcome, Inserted};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::am::unique::{self, HeapRow, Key};
use crate::error::{OrRaise, internal};
use crate::options;
use crate::pg::columns::{Columns, for_words};
use crate::session::cache;
use crate::storage::IndexStore;
use crate::write::apply;
use crate::write::queue::{self, Put};

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
            let row = HeapRow {
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
        match queue::put_off(index, entry) {
            Put::AtOnce => {
                apply::insert(&IndexStore::new(index, W), heap, entry, &[]);
            }
            Put::Waits => {}
            Put::Full(mut entries) => apply::insert_all(index, heap, &mut entries),
            Put::Never => internal(index, queue::OTHER_KIND),
        }
    }
    Key::Unchecked
}

/// Adds the entry of a row, or checks it again, in a unique index.
///
/// # Safety
/// As for [`aminsert`]; `columns` are the index's, of `W` words.
#[inline(never)]
unsafe fn insert_unique<const W: usize>(
    row: &HeapRow,
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
            IndexStore::new(index, W),
            distinct,
        )
    };
    let recheck = row.check == pg_sys::IndexUniqueCheck::UNIQUE_CHECK_EXISTING;
    if distinct {
        if !recheck {
            // SAFETY: the caller's contract.
            unsafe { apply::insert(&store, row.heap, entry, &[]) };
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
            let tree = tree.with_split_policy(apply::splits(index));
            let inserted = tree.insert_unique(near, entry, &same, fill, judge);
            cache::remember(&tree);
            drop(tree);
            done = inserted.or_raise(index);
            if let Some(Inserted {
                block,
                outcome: InsertOutcome::Full { churned },
                ..
            }) = done
            {
                apply::make_room::<W>(&store, row.heap, block, churned);
                let tree = cache::tree::<W>(&store);
                let inserted = tree.insert_unique(None, entry, &same, fill, judge);
                cache::remember(&tree);
                done = inserted.or_raise(index);
            }
            done.is_some()
        })
    };
    apply::conclude::<W>(&store, done);
    key
}

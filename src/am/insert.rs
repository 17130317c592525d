//! The access method's `aminsert`.

use learned::Entry;
use learned::tree::{InsertOutcome, Inserted};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::am::unique::{self, CheckedRow, KeyStatus};
use crate::error::{OrRaise, internal};
use crate::options;
use crate::pg::codec::for_words;
use crate::pg::index::Index;
use crate::pg::row::IndexRow;
use crate::pg::table::Table;
use crate::session::cache;
use crate::storage::IndexStore;
use crate::write::apply;
use crate::write::queue::{self, Enqueued};

/// The access method's `aminsert`. The result matters only if the check of uniqueness may be
/// deferred: whether the row's key is known to be unique.
///
/// It is not guarded, since the error for a duplicate is raised without pgrx.
///
/// # Safety
/// Called by the server with an open table and index, a value and a null flag for each column, and
/// a heap TID.
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
    // SAFETY: the arguments are passed on unchanged. Between the server and raise_duplicate() is
    // only this frame, which has nothing to unwind.
    unsafe {
        let status = add(index, values, isnull, tid, heap, check);
        if status == KeyStatus::Duplicate {
            unique::raise_duplicate(heap, index, values, isnull);
        }
        status == KeyStatus::Unique
    }
}

/// Adds an entry, or checks an existing one again, as `check` says.
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
) -> KeyStatus {
    // SAFETY: the server has the index and its table open and locked during the call.
    let (index, table) = unsafe { (Index::from_raw(index), Table::from_raw(heap)) };
    let codec = &cache::codec(index);
    // SAFETY: the arrays have an element for each column of this index, to which the codec belongs.
    let row = &unsafe { IndexRow::new(codec, values, isnull, *tid) };
    if check == pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO {
        for_words!(codec.words(), insert_or_enqueue(index, table, row))
    } else {
        let checked = &CheckedRow {
            table,
            index,
            tid: row.tid(),
            check,
        };
        for_words!(codec.words(), insert_unique(checked, row))
    }
}

/// Adds an entry of `W` words, now or later together with others of the same statement.
#[inline(never)]
fn insert_or_enqueue<const W: usize>(index: Index, table: Table, row: &IndexRow<'_>) -> KeyStatus {
    let entry: Entry<W> = row.entry();
    match queue::enqueue(index, entry) {
        Enqueued::AddNow => {
            apply::insert(&IndexStore::new(index, W), table, entry, &[]);
        }
        Enqueued::Waits => {}
        Enqueued::AddBatch(mut entries) => apply::insert_all(index, table, &mut entries),
        Enqueued::WrongWordCount => internal(index, queue::WRONG_WORD_COUNT),
    }
    KeyStatus::Unchecked
}

/// Adds the entry of a row to a unique index, or checks it again.
#[inline(never)]
fn insert_unique<const W: usize>(checked: &CheckedRow, row: &IndexRow<'_>) -> KeyStatus {
    let (index, table) = (checked.index, checked.table);
    let entry: Entry<W> = row.entry();
    let store = IndexStore::new(index, W);
    if row.has_null_key() && !index.has_equal_nulls() {
        if !checked.is_recheck() {
            apply::insert(&store, table, entry, &[]);
        }
        return KeyStatus::Unique;
    }
    let fill = options::fill_factor(index);
    let same_key = row.codec().same_key(&entry);
    let mut done = None;
    let status = checked.retry_until_decided(|judge| {
        let hint = cache::insert_hint(index);
        let tree = cache::tree::<W>(&store);
        if checked.is_recheck() {
            let is_unique = tree.is_unique(&same_key, judge);
            cache::remember(&tree);
            return is_unique.or_raise(index);
        }
        let tree = tree.with_split_policy(apply::split_policy(index));
        let inserted = tree.insert_unique(hint, entry, &same_key, fill, judge);
        cache::remember(&tree);
        drop(tree);
        done = inserted.or_raise(index);
        if let Some(Inserted {
            block,
            outcome: InsertOutcome::Full { churned },
            ..
        }) = done
        {
            apply::avoid_split::<W>(&store, table, block, churned);
            let tree = cache::tree::<W>(&store);
            let inserted = tree.insert_unique(None, entry, &same_key, fill, judge);
            cache::remember(&tree);
            done = inserted.or_raise(index);
        }
        done.is_some()
    });
    apply::after_insert::<W>(&store, done);
    status
}

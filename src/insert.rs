//! Inserting entries.

use learned::tree::How;
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error::OrRaise;
use crate::pg::columns::{Columns, for_words};
use crate::storage::Relation;
use crate::{cache, options, train};

/// The access method's `aminsert`. There are no unique indexes, so nothing is checked, and the
/// result says so.
///
/// # Safety
/// Called by the server with an open index, a value and a null flag for each column, and a heap TID.
#[allow(clippy::too_many_arguments)]
#[pg_guard]
pub unsafe extern "C-unwind" fn aminsert(
    index: pg_sys::Relation,
    values: *mut pg_sys::Datum,
    isnull: *mut bool,
    tid: pg_sys::ItemPointer,
    _heap: pg_sys::Relation,
    _unique: pg_sys::IndexUniqueCheck::Type,
    _unchanged: bool,
    _info: *mut pg_sys::IndexInfo,
) -> bool {
    // SAFETY: the arguments are as the server passes them, and the index stays open.
    unsafe {
        let columns = Columns::of(index);
        for_words!(
            columns.words(),
            insert(index, &columns, values, isnull, tid)
        );
    }
    false
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
) {
    // SAFETY: the caller's contract.
    let (entry, fill, store) = unsafe {
        let entry = columns.entry::<W>(values, isnull, tid);
        (entry, options::fill(index), Relation::new(index, W))
    };
    let how = {
        let near = cache::near(index);
        let tree = cache::tree::<W>(&store);
        let done = match near {
            Some(leaf) => tree.insert_near(leaf, entry, fill),
            None => tree.insert(entry, fill),
        };
        cache::remember(&tree);
        let done = done.or_raise(index);
        cache::inserted(index, done.block);
        done.how
    };
    if matches!(how, How::Split(_)) {
        train::after_split::<W>(&store);
    }
    cache::review(&store);
}

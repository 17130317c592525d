//! Inserting entries.

use learned::tree::How;
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error::OrRaise;
use crate::pg::column;
use crate::storage::Relation;
use crate::{cache, options, train};

/// The access method's `aminsert`. There are no unique indexes, so nothing is checked, and the
/// result says so.
///
/// # Safety
/// Called by the server with an open index, one value and its null flag, and a heap TID.
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
    let (entry, store) = unsafe {
        let column = column::column(index);
        let entry = column::entry(&column, values, isnull, tid);
        (entry, Relation::new(index))
    };
    // SAFETY: the index is open.
    let fill = unsafe { options::fill(index) };
    let how = {
        let near = cache::near(index);
        let tree = cache::tree(&store);
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
        train::after_split(&store);
    }
    cache::review(&store);
    false
}

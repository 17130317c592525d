//! Predicate locks of serializable transactions (storage/predicate.h).

// The server's own names.
#![allow(non_snake_case)]

use pgrx::pg_sys;
use pgrx::prelude::*;

#[pg_guard]
unsafe extern "C-unwind" {
    /// Notes that a serializable transaction has read a page.
    pub fn PredicateLockPage(
        relation: pg_sys::Relation,
        block: pg_sys::BlockNumber,
        snapshot: pg_sys::Snapshot,
    );

    /// Some rows were moved from the old page to the new one: transactions that have read the old
    /// page count as readers of the new one, too.
    pub fn PredicateLockPageSplit(
        relation: pg_sys::Relation,
        old: pg_sys::BlockNumber,
        new: pg_sys::BlockNumber,
    );

    /// All rows of the old page were moved to the new one: transactions that have read the old page
    /// count as readers of the new one, too.
    pub fn PredicateLockPageCombine(
        relation: pg_sys::Relation,
        old: pg_sys::BlockNumber,
        new: pg_sys::BlockNumber,
    );

    /// A serializable transaction is about to write to a page. Raises an error if what other
    /// transactions have read forbids it.
    pub fn CheckForSerializableConflictIn(
        relation: pg_sys::Relation,
        tid: pg_sys::ItemPointer,
        block: pg_sys::BlockNumber,
    );
}

/// Whether the transaction is serializable. What it reads and writes is then noted.
#[inline(always)]
pub fn is_serializable() -> bool {
    // SAFETY: a variable of this backend, which only this thread changes.
    unsafe { pg_sys::XactIsoLevel == pg_sys::XACT_SERIALIZABLE as i32 }
}

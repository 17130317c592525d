//! SQL functions that check an index and describe it: one file for each.

mod check;
mod counters;
mod model;
mod predict;
mod retrain;
mod stats;

use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use crate::am::build;
use crate::error::raise;
use crate::pg::index::Index;
use crate::pg::opened::{OpenError, OpenIndex, table_of_index};
use crate::pg::server;
use crate::pg::table::Table;
use crate::write::queue;

/// Who may call a function, besides superusers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// The owner of the index's table.
    Owner,
    /// The owner, and members of pg_monitor.
    OwnerAndMonitors,
}

/// Runs `work` with an index and its table, open and locked with `lock`. The function may be called
/// by the owner of the table and by members of pg_monitor.
fn with_index<R>(index: Oid, lock: u32, work: impl FnOnce(Index, Table) -> R) -> R {
    run_with_index(index, lock, Audience::OwnerAndMonitors, work)
}

/// As [`with_index`], but for functions that change the index, which only its table's owner may
/// call.
fn with_index_to_change<R>(index: Oid, lock: u32, work: impl FnOnce(Index, Table) -> R) -> R {
    run_with_index(index, lock, Audience::Owner, work)
}

fn run_with_index<R>(
    index: Oid,
    lock: u32,
    audience: Audience,
    work: impl FnOnce(Index, Table) -> R,
) -> R {
    queue::flush();
    let Some(table) = table_of_index(index) else {
        raise_open_error(index, OpenError::NotAnIndex);
    };
    check_permission(table, audience);
    let opened = match OpenIndex::open(index, lock as pg_sys::LOCKMODE, Some(build::ambuild)) {
        Ok(opened) => opened,
        Err(error) => raise_open_error(index, error),
    };
    let result = work(opened.index(), opened.table());
    // SAFETY: `work` has ended, and its result has no handle of the index or the table: all callers
    // are in this folder and return rows.
    unsafe { opened.close() };
    result
}

/// Raises the ERROR for an index that cannot be opened.
fn raise_open_error(index: Oid, error: OpenError) -> ! {
    /// The hint for a relation of the wrong kind.
    const HINT: &str = "Name an index that was created USING learned.";
    let Some(name) = server::relation_name(index) else {
        raise(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!("index with OID {index} does not exist"),
            None,
        );
    };
    let wrong_type = PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE;
    match error {
        OpenError::NotAnIndex => raise(
            wrong_type,
            format!("\"{name}\" is not an index"),
            Some(HINT),
        ),
        OpenError::Changed => raise(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!("could not open the table of index \"{name}\""),
            None,
        ),
        OpenError::Partitioned => raise(
            wrong_type,
            format!("\"{name}\" is a partitioned index and has no pages"),
            Some("Name one of the indexes on its partitions."),
        ),
        OpenError::OtherAccessMethod => raise(
            wrong_type,
            format!("index \"{name}\" is not a learned index"),
            Some(HINT),
        ),
        OpenError::OtherSession => raise(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "cannot access temporary tables of other sessions",
            None,
        ),
        OpenError::Unlogged => raise(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("unlogged index \"{name}\" has no pages on a standby"),
            None,
        ),
    }
}

/// Raises an ERROR unless the current user may call the function.
fn check_permission(table: Oid, audience: Audience) {
    let with_monitors = audience == Audience::OwnerAndMonitors;
    if server::owns_table(table) || with_monitors && server::is_monitor() {
        return;
    }
    let (action, hint) = match audience {
        Audience::Owner => (
            "change",
            "Only the owner of the index's table may change it by this function.",
        ),
        Audience::OwnerAndMonitors => (
            "inspect",
            "Only the owner of the index's table and members of pg_monitor may inspect it.",
        ),
    };
    raise(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("permission denied to {action} the index"),
        Some(hint),
    );
}

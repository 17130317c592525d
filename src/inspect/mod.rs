//! SQL functions that check an index and describe it.

mod check;
mod counters;
mod model;
mod predict;
mod retrain;
mod stats;

use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use crate::am::build;
use crate::error::{name, raise};
use crate::write::queue;

/// An index of ours and its table, open and locked.
struct Opened {
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    lock: pg_sys::LOCKMODE,
}

impl Opened {
    /// Opens and locks an index, for its table's owner and for members of pg_monitor.
    fn new(index: Oid, lock: u32) -> Self {
        Self::open(index, lock, true)
    }

    /// Opens and locks an index, for its table's owner only.
    fn to_change(index: Oid, lock: u32) -> Self {
        Self::open(index, lock, false)
    }

    fn open(index: Oid, lock: u32, monitor: bool) -> Self {
        queue::settle();
        let lock = lock as pg_sys::LOCKMODE;
        // SAFETY: catalog look-ups, and locks that last until close() or the end of the
        // transaction. The table is locked first, as everywhere.
        unsafe {
            let table = pg_sys::IndexGetRelation(index, true);
            if table == pg_sys::InvalidOid {
                wrong(format!("relation with OID {index} is not an index"));
            }
            permit(table, monitor);
            let heap = pg_sys::table_open(table, lock);
            let index_oid = index;
            let index = pg_sys::index_open(index, lock);
            // It was looked up without a lock: it may have become somebody else's since.
            if pg_sys::IndexGetRelation(index_oid, true) != table {
                let code = PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE;
                let message = format!("could not open the table of index \"{}\"", name(index));
                raise(code, message, None);
            }
            let opened = Self { heap, index, lock };
            opened.ours();
            opened
        }
    }

    /// Refuses indexes that are not ours, and those without pages to look at.
    fn ours(&self) {
        let index = self.index;
        // SAFETY: the index is open, and so has rd_rel and, unless it is partitioned, rd_indam.
        unsafe {
            let form = &*(*index).rd_rel;
            if form.relkind as u8 != pg_sys::RELKIND_INDEX {
                wrong(format!(
                    "\"{}\" is a partitioned index and has no pages",
                    name(index)
                ));
            }
            let build = (*(*index).rd_indam).ambuild.map(|f| f as usize);
            if build != Some(build::ambuild as *const () as usize) {
                wrong(format!("index \"{}\" is not a learned index", name(index)));
            }
            let temporary = form.relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP;
            if temporary && !(*index).rd_islocaltemp {
                let code = PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED;
                raise(
                    code,
                    "cannot access temporary tables of other sessions",
                    None,
                );
            }
            let unlogged = form.relpersistence as u8 == pg_sys::RELPERSISTENCE_UNLOGGED;
            if unlogged && pg_sys::RecoveryInProgress() {
                let code = PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
                let message = format!(
                    "unlogged index \"{}\" has no pages on a standby",
                    name(index)
                );
                raise(code, message, None);
            }
        }
    }

    fn close(self) {
        // SAFETY: opened by new() with this lock.
        unsafe {
            pg_sys::index_close(self.index, self.lock);
            pg_sys::table_close(self.heap, self.lock);
        }
    }
}

fn wrong(message: String) -> ! {
    let hint = "Name an index that was created USING learned.";
    raise(
        PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
        message,
        Some(hint),
    )
}

/// Lets through the table's owner, superusers, and (with `monitor`) members of pg_monitor.
fn permit(table: Oid, monitor: bool) {
    // SAFETY: catalog look-ups.
    let allowed = unsafe {
        let user = pg_sys::GetUserId();
        #[cfg(feature = "pg15")]
        let owner = pg_sys::pg_class_ownercheck(table, user);
        #[cfg(not(feature = "pg15"))]
        let owner = pg_sys::object_ownercheck(pg_sys::RelationRelationId, table, user);
        owner || monitor && pg_sys::has_privs_of_role(user, Oid::from(pg_sys::ROLE_PG_MONITOR))
    };
    if !allowed {
        let (what, who) = match monitor {
            true => (
                "look into",
                "The owner of its table and members of pg_monitor may.",
            ),
            false => ("change", "The owner of its table may."),
        };
        raise(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied to {what} the index"),
            Some(who),
        );
    }
}

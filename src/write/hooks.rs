//! Hooks of the server: where statements begin and end, for the [`queue`], and a better hint for
//! CREATE INDEX.
//!
//! The hooks themselves are not guarded. An error that is raised below them passes through them, as
//! it passes through any function of the server, so nothing in them may need to be unwound. What
//! such an error leaves in the queue is discarded when the (sub)transaction ends.

use std::ffi::{c_char, c_void};

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::options;
use crate::pg::node::{NodeRef, RunningQuery};
use crate::pg::{ffi, hint};
use crate::write::queue;

static mut NEXT_RUN: pg_sys::ExecutorRun_hook_type = None;
static mut NEXT_FINISH: pg_sys::ExecutorFinish_hook_type = None;
static mut NEXT_UTILITY: pg_sys::ProcessUtility_hook_type = None;

/// What [`start`] returns if the queue has nothing to do with the statement.
const NOT_QUEUED: usize = usize::MAX;

/// Called once, when the library is loaded. This may be within a statement.
pub fn register() {
    hint::give_type_hint_to_loading_statement();
    // SAFETY: a backend has one thread, and each hook calls the one that was set before.
    unsafe {
        NEXT_RUN = pg_sys::ExecutorRun_hook;
        pg_sys::ExecutorRun_hook = Some(run);
        NEXT_FINISH = pg_sys::ExecutorFinish_hook;
        pg_sys::ExecutorFinish_hook = Some(finish);
        NEXT_UTILITY = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(utility);
        pg_sys::RegisterXactCallback(Some(transaction), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction), std::ptr::null_mut());
    }
}

/// `ExecutorRun_hook`: runs a statement, or a part of it.
#[cfg(not(feature = "pg18"))]
unsafe extern "C-unwind" fn run(
    query: *mut pg_sys::QueryDesc,
    direction: pg_sys::ScanDirection::Type,
    count: u64,
    once: bool,
) {
    // SAFETY: the executor has started the query. The next hook gets the arguments unchanged.
    unsafe {
        let before = start(may_wait(RunningQuery::from_raw(query)));
        let next = NEXT_RUN.unwrap_or(ffi::standard_ExecutorRun);
        next(query, direction, count, once);
        end(before);
    }
}

/// `ExecutorRun_hook`: runs a statement, or a part of it.
#[cfg(feature = "pg18")]
unsafe extern "C-unwind" fn run(
    query: *mut pg_sys::QueryDesc,
    direction: pg_sys::ScanDirection::Type,
    count: u64,
) {
    // SAFETY: the executor has started the query. The next hook gets the arguments unchanged.
    unsafe {
        let before = start(may_wait(RunningQuery::from_raw(query)));
        let next = NEXT_RUN.unwrap_or(ffi::standard_ExecutorRun);
        next(query, direction, count);
        end(before);
    }
}

/// `ExecutorFinish_hook`: finishes a statement and runs its triggers.
unsafe extern "C-unwind" fn finish(query: *mut pg_sys::QueryDesc) {
    // SAFETY: the next hook gets the executor's argument unchanged.
    unsafe {
        let before = start(false);
        let next = NEXT_FINISH.unwrap_or(ffi::standard_ExecutorFinish);
        next(query);
        end(before);
    }
}

/// `ProcessUtility_hook`: runs a statement that has no plan. Of these, COPY has rows whose entries
/// may wait.
#[allow(clippy::too_many_arguments)]
unsafe extern "C-unwind" fn utility(
    statement: *mut pg_sys::PlannedStmt,
    text: *const c_char,
    read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    dest: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: utilityStmt of the statement is a node, and the next hook gets the arguments
    // unchanged. No frame from here to the server needs to be unwound.
    unsafe {
        let node = NodeRef::from_raw((*statement).utilityStmt);
        let before = start(is_copy_from(node) && options::insert_batch() > 1);
        let is_ours = hint::creates_learned_index(node);
        let next = NEXT_UTILITY.unwrap_or(ffi::standard_ProcessUtility);
        let run = || {
            next(
                statement,
                text,
                read_only,
                context,
                params,
                environment,
                dest,
                completion,
            );
        };
        if is_ours {
            hint::with_type_hint(run);
        } else {
            run();
        }
        end(before);
    }
}

/// Whether a statement is `COPY ... FROM`.
fn is_copy_from(statement: Option<NodeRef<'_>>) -> bool {
    statement
        .and_then(|node| node.as_::<pg_sys::CopyStmt>())
        .is_some_and(|copy| copy.is_from)
}

/// Whether entries of the statement's rows may wait: its plan inserts rows and never takes one
/// back.
fn may_wait(query: RunningQuery<'_>) -> bool {
    use pg_sys::CmdType::{CMD_INSERT, CMD_MERGE, CMD_UPDATE};
    if !matches!(query.operation(), CMD_INSERT | CMD_UPDATE | CMD_MERGE) {
        return false;
    }
    let Some(plan) = query.plan() else {
        return false;
    };
    // TimescaleDB plans inserts into a hypertable as a custom node above the ModifyTable.
    let plan = plan.only_custom_child().unwrap_or(plan);
    // If at most one row is expected, waiting for others would be in vain.
    let expects_one_row = || plan.outer().is_some_and(|rows| rows.rows() <= 1.0);
    plan.as_::<pg_sys::ModifyTable>().is_some_and(|modify| {
        modify.onConflictAction == pg_sys::OnConflictAction::ONCONFLICT_NONE
            && !expects_one_row()
            && !query.has_modifying_cte()
            && options::insert_batch() > 1
    })
}

#[inline]
fn start(may_wait: bool) -> usize {
    if !may_wait && queue::is_idle() {
        return NOT_QUEUED;
    }
    start_guarded(may_wait)
}

#[pg_guard]
extern "C-unwind" fn start_guarded(may_wait: bool) -> usize {
    queue::start_statement(may_wait)
}

#[inline]
fn end(before: usize) {
    if before != NOT_QUEUED {
        end_guarded(before);
    }
}

#[pg_guard]
extern "C-unwind" fn end_guarded(before: usize) {
    queue::end_statement(before);
}

/// Called when a transaction changes its state.
#[pg_guard]
extern "C-unwind" fn transaction(event: pg_sys::XactEvent::Type, _data: *mut c_void) {
    use pg_sys::XactEvent::{
        XACT_EVENT_PARALLEL_PRE_COMMIT, XACT_EVENT_PRE_COMMIT, XACT_EVENT_PRE_PREPARE,
    };
    match event {
        XACT_EVENT_PRE_COMMIT | XACT_EVENT_PARALLEL_PRE_COMMIT | XACT_EVENT_PRE_PREPARE => {
            queue::check_before_commit();
        }
        _ => queue::discard_all(),
    }
}

/// Called when a subtransaction changes its state.
#[pg_guard]
extern "C-unwind" fn subtransaction(
    event: pg_sys::SubXactEvent::Type,
    subxact: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _data: *mut c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        queue::discard_since(subxact);
    }
}

//! Where statements begin and end, for [`batch`]: the server's hooks around them.
//!
//! The hooks themselves are not guarded: an error raised below passes through them, as through any C function, and
//! nothing in them needs to be unwound. What they leave behind then, the end of the (sub)transaction clears.

use std::ffi::{c_char, c_void};

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::options;
use crate::pg::ffi;
use crate::write::queue;

static mut RUN: pg_sys::ExecutorRun_hook_type = None;
static mut FINISH: pg_sys::ExecutorFinish_hook_type = None;
static mut UTILITY: pg_sys::ProcessUtility_hook_type = None;

/// What [`enter`] returns where there is nothing to leave.
const NOTHING: usize = usize::MAX;

/// Called once, when the library is loaded, perhaps in the middle of a statement.
pub fn register() {
    // SAFETY: hooks are set by a single thread, and call those before them.
    unsafe {
        RUN = pg_sys::ExecutorRun_hook;
        pg_sys::ExecutorRun_hook = Some(run);
        FINISH = pg_sys::ExecutorFinish_hook;
        pg_sys::ExecutorFinish_hook = Some(finish);
        UTILITY = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(utility);
        pg_sys::RegisterXactCallback(Some(transaction), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction), std::ptr::null_mut());
    }
}

/// A statement runs, or a part of it.
#[cfg(not(feature = "pg18"))]
unsafe extern "C-unwind" fn run(
    query: *mut pg_sys::QueryDesc,
    direction: pg_sys::ScanDirection::Type,
    count: u64,
    once: bool,
) {
    // SAFETY: the arguments are as the server passes them.
    unsafe {
        let before = enter(may_wait(query));
        let run = RUN.unwrap_or(ffi::standard_ExecutorRun);
        run(query, direction, count, once);
        leave(before);
    }
}

/// A statement runs, or a part of it.
#[cfg(feature = "pg18")]
unsafe extern "C-unwind" fn run(
    query: *mut pg_sys::QueryDesc,
    direction: pg_sys::ScanDirection::Type,
    count: u64,
) {
    // SAFETY: the arguments are as the server passes them.
    unsafe {
        let before = enter(may_wait(query));
        let run = RUN.unwrap_or(ffi::standard_ExecutorRun);
        run(query, direction, count);
        leave(before);
    }
}

/// What a statement left undone is done, and triggers run.
unsafe extern "C-unwind" fn finish(query: *mut pg_sys::QueryDesc) {
    // SAFETY: the arguments are as the server passes them.
    unsafe {
        let before = enter(false);
        let finish = FINISH.unwrap_or(ffi::standard_ExecutorFinish);
        finish(query);
        leave(before);
    }
}

/// A statement that has no plan runs. Of these COPY has rows that may wait.
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
    // SAFETY: the arguments are as the server passes them.
    unsafe {
        let node = (*statement).utilityStmt;
        let copies =
            is_a(node, pg_sys::NodeTag::T_CopyStmt) && (*node.cast::<pg_sys::CopyStmt>()).is_from;
        let before = enter(copies && options::insert_batch() > 1);
        let utility = UTILITY.unwrap_or(ffi::standard_ProcessUtility);
        utility(
            statement,
            text,
            read_only,
            context,
            params,
            environment,
            dest,
            completion,
        );
        leave(before);
    }
}

/// Whether entries of the statement's rows may wait: its plan inserts rows and never takes one back.
///
/// # Safety
/// A query that has started.
unsafe fn may_wait(query: *const pg_sys::QueryDesc) -> bool {
    use pg_sys::CmdType::{CMD_INSERT, CMD_MERGE, CMD_UPDATE};
    // SAFETY: the caller's contract; the plan's nodes are what their tags say.
    unsafe {
        if !matches!((*query).operation, CMD_INSERT | CMD_UPDATE | CMD_MERGE) {
            return false;
        }
        let statement = &*(*query).plannedstmt;
        let mut plan = statement.planTree.cast::<pg_sys::Node>();
        if is_a(plan, pg_sys::NodeTag::T_CustomScan) {
            // So are inserts into hypertables planned.
            plan = match (*plan.cast::<pg_sys::CustomScan>()).custom_plans.as_ref() {
                Some(below) if below.length == 1 => (*below.elements).ptr_value.cast(),
                _ => return false,
            };
        }
        let modify = plan.cast::<pg_sys::ModifyTable>();
        is_a(plan, pg_sys::NodeTag::T_ModifyTable)
            && (*modify).onConflictAction == pg_sys::OnConflictAction::ONCONFLICT_NONE
            && !is_one_row((*plan.cast::<pg_sys::Plan>()).lefttree)
            && !statement.hasModifyingCTE
            && options::insert_batch() > 1
    }
}

/// Whether a plan is expected to give one row at most: waiting for others would be in vain.
///
/// # Safety
/// Null or a plan.
unsafe fn is_one_row(plan: *const pg_sys::Plan) -> bool {
    // SAFETY: the caller's contract.
    unsafe { plan.as_ref() }.is_some_and(|plan| plan.plan_rows <= 1.0)
}

/// # Safety
/// Null or a node.
unsafe fn is_a(node: *const pg_sys::Node, tag: pg_sys::NodeTag) -> bool {
    // SAFETY: the caller's contract.
    unsafe { node.as_ref() }.is_some_and(|node| node.type_ == tag)
}

#[inline]
fn enter(may_wait: bool) -> usize {
    if !may_wait && queue::is_idle() {
        return NOTHING;
    }
    enter_frame(may_wait)
}

#[pg_guard]
extern "C-unwind" fn enter_frame(may_wait: bool) -> usize {
    queue::enter(may_wait)
}

#[inline]
fn leave(before: usize) {
    if before != NOTHING {
        leave_frame(before);
    }
}

#[pg_guard]
extern "C-unwind" fn leave_frame(before: usize) {
    queue::leave(before);
}

/// A transaction changes its state.
#[pg_guard]
unsafe extern "C-unwind" fn transaction(event: pg_sys::XactEvent::Type, _data: *mut c_void) {
    use pg_sys::XactEvent::{
        XACT_EVENT_PARALLEL_PRE_COMMIT, XACT_EVENT_PRE_COMMIT, XACT_EVENT_PRE_PREPARE,
    };
    match event {
        XACT_EVENT_PRE_COMMIT | XACT_EVENT_PARALLEL_PRE_COMMIT | XACT_EVENT_PRE_PREPARE => {
            queue::close();
        }
        _ => queue::forget(),
    }
}

/// A subtransaction changes its state.
#[pg_guard]
unsafe extern "C-unwind" fn subtransaction(
    event: pg_sys::SubXactEvent::Type,
    subxact: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _data: *mut c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        queue::forget_since(subxact);
    }
}

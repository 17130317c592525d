//! Which rows nobody can see any more, as the table says.

use learned::Block;
use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

use crate::pg::columns::item_pointer;

/// The table's answer.
pub struct Removable {
    /// For each row, in the order in which it was asked about, whether it is dead to everybody.
    pub dead: Vec<bool>,
    /// The newest transaction of which standbys must have forgotten the dead ones among these rows; none
    /// where the log already has what makes them forget, since the rows were pruned.
    pub horizon: pg_sys::TransactionId,
}

/// Asks about the rows of these ties, which are of the leaf `leaf`.
///
/// # Safety
/// Index and table are open, no page is locked, and the leaf has been pinned since before it had these entries: else a line pointer
/// might by now be another row's.
pub unsafe fn ask(
    index: pg_sys::Relation,
    heap: pg_sys::Relation,
    leaf: Block,
    ties: &[u64],
) -> Removable {
    let mut answer = Removable {
        dead: vec![false; ties.len()],
        horizon: pg_sys::InvalidTransactionId,
    };
    // SAFETY: the table is open.
    let judge = unsafe { (*(*heap).rd_tableam).index_delete_tuples };
    let Some(judge) = judge.filter(|_| !ties.is_empty()) else {
        return answer;
    };
    // Numbers of rows are i16; a leaf has fewer entries.
    let mut rows: Vec<_> = (0..i16::MAX)
        .zip(ties)
        .map(|(id, tie)| pg_sys::TM_IndexDelete {
            tid: item_pointer(*tie),
            id,
        })
        .collect();
    let mut status = vec![pg_sys::TM_IndexStatus::default(); rows.len()];
    let mut deletion = pg_sys::TM_IndexDeleteOp {
        irel: index,
        iblknum: leaf,
        bottomup: false,
        bottomupfreespace: 0,
        ndeltids: rows.len() as i32,
        deltids: rows.as_mut_ptr(),
        status: status.as_mut_ptr(),
    };
    // SAFETY: both arrays have as many elements as it is told, and the ids are places in the
    // second. An ERROR comes back as a panic, while nothing is locked.
    answer.horizon = unsafe { pg_guard_ffi_boundary(|| judge(heap, &raw mut deletion)) };
    for (dead, status) in answer.dead.iter_mut().zip(&status) {
        *dead = status.knowndeletable;
    }
    answer
}

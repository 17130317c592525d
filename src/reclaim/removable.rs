//! Which rows nobody can see any more, as the table says.

use learned::Block;
use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

use crate::pg::codec::item_pointer;

/// Asks about the rows of these ties (rows of one page of the table side by side), which are of the leaf `leaf`. For each row that is dead
/// to everybody the result has the newest transaction that standbys must have forgotten before its entry may go: the
/// one of the page's dead rows, or none, where the log has what makes them forget already, since they were pruned.
///
/// # Safety
/// Index and table are open, no page is locked, and the leaf has been pinned since before it had these entries: else a line pointer
/// might by now be another row's.
pub unsafe fn ask(
    index: pg_sys::Relation,
    heap: pg_sys::Relation,
    leaf: Block,
    ties: &[u64],
) -> Vec<Option<pg_sys::TransactionId>> {
    // SAFETY: the table is open.
    let judge = unsafe { (*(*heap).rd_tableam).index_delete_tuples };
    let Some(judge) = judge else {
        return vec![None; ties.len()];
    };
    let mut answers = Vec::with_capacity(ties.len());
    let (mut rows, mut status) = (Vec::new(), Vec::new());
    // The table answers with the newest transaction of all rows that it is asked about together; and like this it
    // gives up after a few pages without any that are dead.
    for page in ties.chunk_by(|a, b| a >> 16 == b >> 16) {
        pgrx::check_for_interrupts!();
        rows.clear();
        rows.extend((0..).zip(page).map(|(id, tie)| pg_sys::TM_IndexDelete {
            tid: item_pointer(*tie),
            id,
        }));
        // An entry has no offset on its page; the number is for error messages, and has to be valid.
        let unknown = pg_sys::TM_IndexStatus {
            idxoffnum: 1,
            knowndeletable: false,
            promising: true,
            freespace: 1,
        };
        status.clear();
        status.resize(page.len(), unknown);
        let mut deletion = pg_sys::TM_IndexDeleteOp {
            irel: index,
            iblknum: leaf,
            // Others may have removed the entry and added it for a new row since it was read: nothing is known for
            // certain, which the other way of asking takes for granted. No amount of space freed is enough.
            bottomup: true,
            bottomupfreespace: i32::MAX,
            ndeltids: rows.len() as i32,
            deltids: rows.as_mut_ptr(),
            status: status.as_mut_ptr(),
        };
        // SAFETY: both arrays have as many elements as it is told, and the ids are places in the
        // second. An ERROR comes back as a panic, while nothing is locked.
        let horizon = unsafe { pg_guard_ffi_boundary(|| judge(heap, &raw mut deletion)) };
        answers.extend(status.iter().map(|s| s.knowndeletable.then_some(horizon)));
    }
    answers
}

//! Which rows are dead to everyone, as the table says.

use learned::Block;
use pgrx::pg_sys;

use crate::pg::index::Index;
use crate::pg::table::{DeletionBuffers, Table};

/// Asks the table about the rows with these ties, whose entries are in the leaf `leaf`. Rows of the
/// same page of the table must be neighbours in `ties`.
///
/// For each row that is dead to everyone on this server, the result has the newest transaction that
/// standbys must have forgotten before the row's entry may be deleted. It is the newest of the dead
/// rows of the page; or InvalidTransactionId, if the rows were pruned, so that the WAL makes
/// standbys forget them already. For other rows the result has None.
///
/// No page is locked. The leaf has been pinned since before the ties were read from it: otherwise a
/// line pointer might belong to another row by now.
pub fn deletable_rows(
    index: Index,
    table: Table,
    leaf: Block,
    ties: &[u64],
) -> Vec<Option<pg_sys::TransactionId>> {
    let mut found = Vec::with_capacity(ties.len());
    let mut buffers = DeletionBuffers::default();
    // The table returns the newest transaction of all rows that it is asked about at once, and
    // gives up after a few pages without dead rows. So it is asked about one page at a time.
    for page in ties.chunk_by(|a, b| a >> 16 == b >> 16) {
        pgrx::check_for_interrupts!();
        match table.deletable_rows(index, leaf, page, &mut buffers) {
            Some(rows) => found.extend(rows),
            None => found.extend(page.iter().map(|_| None)),
        }
    }
    found
}

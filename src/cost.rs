//! The planner's costs: nbtree's estimate with another descent.
//!
//! nbtree's own function does nearly all that is needed: it asks the operator family for
//! strategies 1 to 5, which ours has, and multiplies the number of pages by what the index really
//! has, so our smaller size counts by itself. What differs is the descent: nbtree
//! touches `height + 1` pages and makes `log2(rows)` comparisons, we touch one page.

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::pg::query;

/// Comparisons to find a row in the leaf that the model predicts.
const COMPARISONS: f64 = 8.0;

/// An index as nbtree's function is to see it; the planner's view comes back when this is dropped.
struct Disguise {
    index: *mut pg_sys::IndexOptInfo,
    height: i32,
}

impl Disguise {
    /// # Safety
    /// `index` outlives the disguise.
    unsafe fn new(index: *mut pg_sys::IndexOptInfo) -> Self {
        // SAFETY: the caller's contract.
        let height = unsafe { (*index).tree_height };
        // One page: height 0. Before PostgreSQL 18 it is -1 for access methods other than nbtree.
        // SAFETY: as above.
        unsafe { (*index).tree_height = 0 };
        Self { index, height }
    }
}

impl Drop for Disguise {
    fn drop(&mut self) {
        // SAFETY: the contract of new().
        unsafe { (*self.index).tree_height = self.height };
    }
}

/// The cost of a path.
///
/// # Safety
/// Called by the planner with a path over an index of ours and places for the results.
#[allow(clippy::too_many_arguments)]
#[pg_guard]
pub unsafe extern "C-unwind" fn amcostestimate(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    loop_count: f64,
    startup: *mut pg_sys::Cost,
    total: *mut pg_sys::Cost,
    selectivity: *mut pg_sys::Selectivity,
    correlation: *mut f64,
    pages: *mut f64,
) {
    // SAFETY: the arguments are the planner's.
    unsafe {
        let index = (*path).indexinfo;
        {
            let _disguise = Disguise::new(index);
            query::btcostestimate(
                root,
                path,
                loop_count,
                startup,
                total,
                selectivity,
                correlation,
                pages,
            );
        }
        // nbtree's comparisons of a descent against ours. A search that is repeated (`= ANY`) is
        // corrected once only, which keeps the estimate on the safe side.
        let rows = (*index).tuples;
        if rows > 1.0 {
            let saved = (rows.log2().ceil() - COMPARISONS).max(0.0) * pg_sys::cpu_operator_cost;
            *startup = (*startup - saved).max(0.0);
            *total = (*total - saved).max(*startup);
        }
    }
}

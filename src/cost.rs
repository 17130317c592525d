//! The planner's costs: nbtree's estimate with another descent.
//!
//! nbtree's own function does nearly all that is needed: it asks the operator family for
//! strategies 1 to 5, which ours has, and multiplies the number of pages by what the index really
//! has, so our smaller size counts by itself. What differs is the descent: nbtree
//! touches `height + 1` pages and makes `log2(rows)` comparisons, we touch one page. And where the first column has
//! no condition it reckons with the whole index, before PostgreSQL 18; we skip from group to group.

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
        if let Some((cost, visited)) = skipping(root, path, loop_count, *selectivity)
            && cost < *total
        {
            *total = cost;
            *startup = (*startup).min(cost);
            *pages = visited;
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

/// Searches for a group that has entries, and in it for those that satisfy the conditions.
const SEARCHES: f64 = 2.0;
/// Entries that a search reads beside those it is after.
const READ: f64 = 32.0;
/// nbtree's charge for a page of a descent, in operators.
const PAGE: f64 = 50.0;

/// Cost and pages of a scan that skips the groups of the columns before the last one with a condition; None unless the
/// first column has no condition, another one has, and the number of groups is known.
///
/// # Safety
/// The arguments are the planner's.
unsafe fn skipping(
    root: *mut pg_sys::PlannerInfo,
    path: *const pg_sys::IndexPath,
    loop_count: f64,
    selectivity: f64,
) -> Option<(f64, f64)> {
    // SAFETY: the lists are of index clauses, and of a target entry for each column.
    unsafe {
        let index = &*(*path).indexinfo;
        let mut last = 0;
        for i in 0..length((*path).indexclauses) {
            let clause = element::<pg_sys::IndexClause>((*path).indexclauses, i);
            // A list would take several searches a group.
            let list = (*(*(*clause).rinfo).clause).type_ == pg_sys::NodeTag::T_ScalarArrayOpExpr;
            if (*clause).indexcol == 0 || list {
                return None;
            }
            last = last.max(usize::try_from((*clause).indexcol).unwrap_or(0));
        }
        if last == 0 || last > length(index.indextlist) {
            return None;
        }
        let mut groups = 1.0;
        for i in 0..last {
            let column = element::<pg_sys::TargetEntry>(index.indextlist, i);
            groups *= distinct(root, (*column).expr.cast())?;
        }
        let groups = groups.min(index.tuples);
        let mut page_cost = 0.0;
        let sequential = std::ptr::null_mut();
        pg_sys::get_tablespace_page_costs(index.reltablespace, &raw mut page_cost, sequential);

        let searches = SEARCHES * groups;
        let most = f64::from(index.pages);
        let visited = (searches + selectivity * most).min(most);
        // What the loops before have read stays in memory.
        let fetched = (visited * loop_count).min(most) / loop_count.max(1.0);
        let entries = (searches * READ + selectivity * index.tuples).min(index.tuples);
        let conditions = length((*path).indexclauses) as f64;
        let cost = fetched * page_cost
            + searches * (PAGE + COMPARISONS) * pg_sys::cpu_operator_cost
            + entries * (pg_sys::cpu_index_tuple_cost + conditions * pg_sys::cpu_operator_cost);
        Some((cost, visited))
    }
}

/// Number of distinct values of an expression; None: nothing is known of it.
///
/// # Safety
/// The planner's arguments.
unsafe fn distinct(root: *mut pg_sys::PlannerInfo, expression: *mut pg_sys::Node) -> Option<f64> {
    let mut data = pg_sys::VariableStatData::default();
    let mut unknown = false;
    // SAFETY: the caller's contract; the statistics are given back with the function that they name.
    let distinct = unsafe {
        pg_sys::examine_variable(root, expression, 0, &raw mut data);
        let distinct = pg_sys::get_variable_numdistinct(&raw mut data, &raw mut unknown);
        if let Some(free) = data.freefunc
            && !data.statsTuple.is_null()
        {
            free(data.statsTuple);
        }
        distinct
    };
    (!unknown).then_some(distinct)
}

/// Number of a list's elements.
///
/// # Safety
/// A list of the planner's.
unsafe fn length(list: *const pg_sys::List) -> usize {
    // SAFETY: the caller's contract; the empty list is null.
    unsafe { list.as_ref() }.map_or(0, |list| usize::try_from(list.length).unwrap_or(0))
}

/// An element of a list of pointers.
///
/// # Safety
/// The list has so many elements, which are `T`.
unsafe fn element<T>(list: *const pg_sys::List, at: usize) -> *const T {
    // SAFETY: the caller's contract.
    unsafe { (*(*list).elements.add(at)).ptr_value.cast_const().cast() }
}

//! The planner's costs: nbtree's estimate with another descent.
//!
//! nbtree's function does nearly all that is needed. It asks the operator family for the strategies
//! 1 to 5, which ours has. It multiplies the number of pages by what the index really has, so that
//! the smaller size of a learned index counts by itself. Two things differ:
//! - nbtree's descent reads `height + 1` pages and makes `log2(rows)` comparisons. A learned index
//!   reads one page.
//! - Before PostgreSQL 18, nbtree reads all entries that satisfy the conditions up to the first
//!   column without an equality condition. A learned index skips from group to group.

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::pg::planner::{
    PathOfIndex, array_of, condition, cpu_index_tuple_cost, cpu_operator_cost,
};

/// The number of comparisons that find a row in the leaf that the model predicts.
const COMPARISONS: f64 = 8.0;
/// The number of entries that a search reads besides those that it returns.
const ENTRIES_PER_SEARCH: f64 = 32.0;
/// nbtree's charge for a page of a descent, in units of `cpu_operator_cost`.
const OPERATORS_PER_PAGE: f64 = 50.0;

/// The access method's `amcostestimate`: the cost of a path.
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
    // SAFETY: the planner's structures live longer than this call.
    let path = unsafe { PathOfIndex::from_raw(root, path) };
    let mut cost = path.nbtree_cost(loop_count);
    if let Some((skip_total, skip_pages)) = skip_scan_cost(path, loop_count, cost.selectivity)
        && skip_total < cost.total
    {
        cost.total = skip_total;
        cost.startup = cost.startup.min(skip_total);
        cost.pages = skip_pages;
    }
    // The comparisons of nbtree's descent are replaced by ours. nbtree adds them for each search of
    // `= ANY`, but only those of one search are taken off, which keeps the estimate on the safe
    // side.
    let rows = path.tuples();
    if rows > 1.0 {
        let saved = (rows.log2().ceil() - COMPARISONS).max(0.0) * cpu_operator_cost();
        cost.startup = (cost.startup - saved).max(0.0);
        cost.total = (cost.total - saved).max(cost.startup);
    }
    // SAFETY: places for the results on the planner's stack.
    unsafe {
        *startup = cost.startup;
        *total = cost.total;
        *selectivity = cost.selectivity;
        *correlation = cost.correlation;
        *pages = cost.pages;
    }
}

/// Which values of a column satisfy its conditions.
enum MatchingValues {
    /// A single value.
    One,
    /// This many values of a list.
    List(f64),
    /// This share of the column's values: 1 if there is no condition.
    Share(f64),
}

/// The total cost and the number of pages of a scan that skips from group to group of the columns
/// before the last one with a condition. A group takes one search to find it, and one for each
/// combination of the lists of values of the columns behind it.
///
/// None if all of these columns are confined to single values, so that there is nothing to skip,
/// or if the number of groups is not known.
fn skip_scan_cost(path: PathOfIndex, loop_count: f64, selectivity: f64) -> Option<(f64, f64)> {
    let last = path.clauses().map(|clause| clause.column).max()?;
    if last >= path.column_count() {
        return None;
    }
    let (mut groups, mut list_searches, mut skips) = (1.0, 1.0, false);
    for column in 0..=last {
        match matching_values(path, column) {
            MatchingValues::One => {}
            MatchingValues::List(values) => list_searches *= values.max(1.0),
            MatchingValues::Share(_) if column == last => {}
            MatchingValues::Share(share) => {
                let values = share * path.distinct_values(column)?;
                groups *= list_searches * values.max(1.0);
                (list_searches, skips) = (1.0, true);
            }
        }
    }
    if !skips {
        return None;
    }
    let groups = groups.min(path.tuples());
    let searches = groups * (1.0 + list_searches);
    let all_pages = path.pages();
    let visited = (searches + selectivity * all_pages).min(all_pages);
    // Pages that earlier loops have read stay in memory.
    let fetched = (visited * loop_count).min(all_pages) / loop_count.max(1.0);
    let entries = (searches * ENTRIES_PER_SEARCH + selectivity * path.tuples()).min(path.tuples());
    let conditions = path.clauses().len() as f64;
    let cost = fetched * path.random_page_cost()
        + searches * (OPERATORS_PER_PAGE + COMPARISONS) * cpu_operator_cost()
        + entries * (cpu_index_tuple_cost() + conditions * cpu_operator_cost());
    Some((cost, visited))
}

/// Which values of a key column satisfy the path's conditions.
fn matching_values(path: PathOfIndex, column: usize) -> MatchingValues {
    let mut list: Option<f64> = None;
    let mut others = Vec::new();
    let clauses = path.clauses().filter(|clause| clause.column == column);
    for info in clauses.flat_map(|clause| clause.conditions.iter()) {
        let Some(node) = condition(info) else {
            continue;
        };
        if let Some(operator) = node.as_::<pg_sys::OpExpr>()
            && path.is_equality(operator.opno, column)
        {
            return MatchingValues::One;
        }
        if let Some(test) = node.as_::<pg_sys::NullTest>()
            && test.nulltesttype == pg_sys::NullTestType::IS_NULL
        {
            return MatchingValues::One;
        }
        if let Some(any) = node.as_::<pg_sys::ScalarArrayOpExpr>()
            && path.is_equality(any.opno, column)
            && let Some(array) = array_of(any)
        {
            let values = path.array_length(array);
            list = Some(list.map_or(values, |other| other.min(values)));
            continue;
        }
        others.push(info);
    }
    match list {
        Some(values) => MatchingValues::List(values),
        None if others.is_empty() => MatchingValues::Share(1.0),
        None => MatchingValues::Share(path.selectivity(&others)),
    }
}

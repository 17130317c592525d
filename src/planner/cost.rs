//! The planner's costs: nbtree's estimate with another descent.
//!
//! nbtree's own function does nearly all that is needed: it asks the operator family for
//! strategies 1 to 5, which ours has, and multiplies the number of pages by what the index really
//! has, so our smaller size counts by itself. What differs is the descent: nbtree
//! touches `height + 1` pages and makes `log2(rows)` comparisons, we touch one page. And before PostgreSQL 18 it reckons with
//! all entries that satisfy the conditions up to the first column that has none, or a range; we skip from group to group.

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::pg::ffi;

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
            ffi::btcostestimate(
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

/// Entries that a search reads beside those it is after.
const READ: f64 = 32.0;
/// nbtree's charge for a page of a descent, in operators.
const PAGE: f64 = 50.0;

/// What the conditions on a column leave of its values.
enum Left {
    One,
    /// So many.
    List(f64),
    /// Such a share of them: all where there is no condition.
    Share(f64),
}

/// Cost and pages of a scan that skips from group to group of the columns before the last one with a condition; None unless
/// one of these is not confined to single values, and the number of groups is known. A group takes a search to find it, and one
/// for each combination of the lists behind it.
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
        let clauses = (*path).indexclauses;
        let columns =
            (0..length(clauses)).map(|i| (*element::<pg_sys::IndexClause>(clauses, i)).indexcol);
        let last = usize::try_from(columns.max()?).ok()?;
        if last >= length(index.indextlist) {
            return None;
        }
        let (mut groups, mut lists, mut skips) = (1.0, 1.0, false);
        for i in 0..=last {
            match left(root, path, i) {
                Left::One => {}
                Left::List(values) => lists *= values.max(1.0),
                Left::Share(_) if i == last => {}
                Left::Share(share) => {
                    let column = element::<pg_sys::TargetEntry>(index.indextlist, i);
                    let values = share * distinct(root, (*column).expr.cast())?;
                    groups *= lists * values.max(1.0);
                    (lists, skips) = (1.0, true);
                }
            }
        }
        if !skips {
            return None;
        }
        let groups = groups.min(index.tuples);
        let mut page_cost = 0.0;
        let sequential = std::ptr::null_mut();
        pg_sys::get_tablespace_page_costs(index.reltablespace, &raw mut page_cost, sequential);

        let searches = groups * (1.0 + lists);
        let most = f64::from(index.pages);
        let visited = (searches + selectivity * most).min(most);
        // What the loops before have read stays in memory.
        let fetched = (visited * loop_count).min(most) / loop_count.max(1.0);
        let entries = (searches * READ + selectivity * index.tuples).min(index.tuples);
        let conditions = length(clauses) as f64;
        let cost = fetched * page_cost
            + searches * (PAGE + COMPARISONS) * pg_sys::cpu_operator_cost
            + entries * (pg_sys::cpu_index_tuple_cost + conditions * pg_sys::cpu_operator_cost);
        Some((cost, visited))
    }
}

/// What the conditions of a path leave of a column of the key.
///
/// # Safety
/// The planner's arguments; the index has the column.
unsafe fn left(
    root: *mut pg_sys::PlannerInfo,
    path: *const pg_sys::IndexPath,
    column: usize,
) -> Left {
    let mut list: Option<f64> = None;
    let mut others = std::ptr::null_mut();
    // SAFETY: the lists are of index clauses, of their conditions, and of an operator's arguments; a node's tag tells what it is.
    unsafe {
        let index = &*(*path).indexinfo;
        let is_equal = |operator| {
            let strategy = pg_sys::get_op_opfamily_strategy(operator, *index.opfamily.add(column));
            u32::try_from(strategy) == Ok(pg_sys::BTEqualStrategyNumber)
        };
        for i in 0..length((*path).indexclauses) {
            let clause = &*element::<pg_sys::IndexClause>((*path).indexclauses, i);
            if usize::try_from(clause.indexcol) != Ok(column) {
                continue;
            }
            for j in 0..length(clause.indexquals) {
                let condition = element::<pg_sys::RestrictInfo>(clause.indexquals, j);
                let node = (*condition).clause.cast::<pg_sys::Node>();
                match (*node).type_ {
                    pg_sys::NodeTag::T_OpExpr
                        if is_equal((*node.cast::<pg_sys::OpExpr>()).opno) =>
                    {
                        return Left::One;
                    }
                    pg_sys::NodeTag::T_NullTest
                        if (*node.cast::<pg_sys::NullTest>()).nulltesttype
                            == pg_sys::NullTestType::IS_NULL =>
                    {
                        return Left::One;
                    }
                    pg_sys::NodeTag::T_ScalarArrayOpExpr
                        if is_equal((*node.cast::<pg_sys::ScalarArrayOpExpr>()).opno) =>
                    {
                        let values = (*node.cast::<pg_sys::ScalarArrayOpExpr>()).args;
                        let values = array_length(root, element::<pg_sys::Node>(values, 1));
                        list = Some(list.map_or(values, |other| other.min(values)));
                    }
                    _ => others = pg_sys::lappend(others, condition.cast_mut().cast()),
                }
            }
        }
        match list {
            Some(values) => Left::List(values),
            None if others.is_null() => Left::Share(1.0),
            None => {
                let relation = (*index.rel).relid.cast_signed();
                let inner = pg_sys::JoinType::JOIN_INNER;
                let none = std::ptr::null_mut();
                let share = pg_sys::clauselist_selectivity(root, others, relation, inner, none);
                Left::Share(share)
            }
        }
    }
}

/// The server's guess at the number of an array's elements.
///
/// # Safety
/// The planner's arguments.
unsafe fn array_length(root: *mut pg_sys::PlannerInfo, array: *const pg_sys::Node) -> f64 {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    // SAFETY: the caller's contract.
    unsafe {
        let _ = root;
        f64::from(pg_sys::estimate_array_length(array.cast_mut()))
    }
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    // SAFETY: the caller's contract.
    unsafe {
        pg_sys::estimate_array_length(root, array.cast_mut())
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

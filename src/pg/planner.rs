//! What the cost estimate asks the planner.

use pgrx::pg_sys::{self, Oid};

use super::ffi;
use super::list::PointerList;
use super::node::NodeRef;

/// A path over an index of ours, while the planner estimates its cost.
#[derive(Clone, Copy)]
pub struct PathOfIndex {
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
}

/// What a scan of an index costs.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScanCost {
    /// Cost until the first row, in the planner's units.
    pub startup: f64,
    /// Cost of all rows, in the planner's units.
    pub total: f64,
    /// Share of the table's rows that the scan returns.
    pub selectivity: f64,
    /// From -1 to 1: how far the order of the index is that of the table.
    pub correlation: f64,
    /// Pages of the index that are read.
    pub pages: f64,
}

/// The conditions of a path on one column of the index.
pub struct ColumnClause<'a> {
    /// Counted from 0.
    pub column: usize,
    /// The conditions as the index evaluates them.
    pub conditions: PointerList<'a, pg_sys::RestrictInfo>,
}

impl PathOfIndex {
    /// # Safety
    /// The pointers are the planner's, for as long as the handle is used.
    pub unsafe fn from_raw(root: *mut pg_sys::PlannerInfo, path: *mut pg_sys::IndexPath) -> Self {
        Self { root, path }
    }

    fn index(&self) -> &pg_sys::IndexOptInfo {
        // SAFETY: an IndexPath has its index.
        unsafe { &*(*self.path).indexinfo }
    }

    /// The number of rows of the table, as the planner estimates it.
    pub fn tuples(&self) -> f64 {
        self.index().tuples
    }

    /// The number of pages of the index.
    pub fn pages(&self) -> f64 {
        f64::from(self.index().pages)
    }

    /// The number of columns of the index.
    pub fn column_count(&self) -> usize {
        self.columns().len()
    }

    fn columns(&self) -> PointerList<'_, pg_sys::TargetEntry> {
        // SAFETY: indextlist is a list of a target entry for each column.
        unsafe { PointerList::from_raw(self.index().indextlist) }
    }

    /// The conditions that the path evaluates in the index.
    pub fn clauses(&self) -> impl ExactSizeIterator<Item = ColumnClause<'_>> + Clone {
        // SAFETY: indexclauses of an IndexPath is a list of IndexClauses, and indexquals of one is
        // a list of RestrictInfos.
        unsafe {
            let clauses = PointerList::<pg_sys::IndexClause>::from_raw((*self.path).indexclauses);
            (0..clauses.len()).map(move |at| {
                let clause = clauses.get(at);
                ColumnClause {
                    column: clause.map_or(usize::MAX, |clause| clause.indexcol as usize),
                    conditions: PointerList::from_raw(
                        clause.map_or(std::ptr::null(), |clause| clause.indexquals),
                    ),
                }
            })
        }
    }

    /// Whether an operator is `=` in the operator family of a column.
    pub fn is_equality(&self, operator: Oid, column: usize) -> bool {
        if column >= usize::try_from(self.index().nkeycolumns).unwrap_or(0) {
            return false;
        }
        // SAFETY: opfamily has an element for each key column.
        let strategy = unsafe {
            pg_sys::get_op_opfamily_strategy(operator, *self.index().opfamily.add(column))
        };
        u32::try_from(strategy) == Ok(pg_sys::BTEqualStrategyNumber)
    }

    /// The number of distinct values of a column. None if the statistics do not say.
    pub fn distinct_values(&self, column: usize) -> Option<f64> {
        let expression = self.columns().get(column)?.expr.cast::<pg_sys::Node>();
        let mut data = pg_sys::VariableStatData::default();
        let mut is_default = false;
        // SAFETY: the planner's root and an expression of its query. The statistics are given back
        // by the function that they name.
        let distinct = unsafe {
            pg_sys::examine_variable(self.root, expression, 0, &raw mut data);
            let distinct = pg_sys::get_variable_numdistinct(&raw mut data, &raw mut is_default);
            if let Some(free) = data.freefunc
                && !data.statsTuple.is_null()
            {
                free(data.statsTuple);
            }
            distinct
        };
        (!is_default).then_some(distinct)
    }

    /// The server's estimate of the number of an array's elements.
    pub fn array_length(&self, array: NodeRef<'_>) -> f64 {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        // SAFETY: an expression of the planner's query.
        return unsafe { f64::from(pg_sys::estimate_array_length(array.raw())) };
        #[cfg(not(any(feature = "pg15", feature = "pg16")))]
        // SAFETY: the planner's root and an expression of its query.
        return unsafe { pg_sys::estimate_array_length(self.root, array.raw()) };
    }

    /// The share of the table's rows that satisfy all conditions.
    pub fn selectivity(&self, conditions: &[&pg_sys::RestrictInfo]) -> f64 {
        let inner = pg_sys::JoinType::JOIN_INNER;
        let no_join = std::ptr::null_mut();
        // SAFETY: the list is made of conditions of the planner's query, on the index's table.
        unsafe {
            let table = (*self.index().rel).relid.cast_signed();
            let list = conditions
                .iter()
                .fold(std::ptr::null_mut(), |list, condition| {
                    let condition = std::ptr::from_ref(*condition).cast_mut();
                    pg_sys::lappend(list, condition.cast())
                });
            pg_sys::clauselist_selectivity(self.root, list, table, inner, no_join)
        }
    }

    /// The setting `random_page_cost` of the index's tablespace.
    pub fn random_page_cost(&self) -> f64 {
        let mut cost = 0.0;
        let no_sequential = std::ptr::null_mut();
        // SAFETY: the tablespace is the index's. A result may be left out.
        unsafe {
            let tablespace = self.index().reltablespace;
            pg_sys::get_tablespace_page_costs(tablespace, &raw mut cost, no_sequential);
        }
        cost
    }

    /// nbtree's estimate for an index of this size whose descent reads one page.
    pub fn nbtree_cost(&self, loop_count: f64) -> ScanCost {
        let mut cost = ScanCost::default();
        // SAFETY: the planner's own arguments, and places for the results. The height is restored
        // when `_height` is dropped, before anything else reads it.
        unsafe {
            let _height = ReplacedHeight::new((*self.path).indexinfo);
            ffi::btcostestimate(
                self.root,
                self.path,
                loop_count,
                &raw mut cost.startup,
                &raw mut cost.total,
                &raw mut cost.selectivity,
                &raw mut cost.correlation,
                &raw mut cost.pages,
            );
        }
        cost
    }
}

/// Height 0 for nbtree's estimate: a descent of one page. The planner's value comes back when this
/// is dropped.
struct ReplacedHeight {
    index: *mut pg_sys::IndexOptInfo,
    height: i32,
}

impl ReplacedHeight {
    /// # Safety
    /// `index` outlives the result, and no reference to it is held meanwhile.
    unsafe fn new(index: *mut pg_sys::IndexOptInfo) -> Self {
        // SAFETY: a valid index of the planner's. Before PostgreSQL 18 its height is -1 for access
        // methods other than nbtree.
        let height = unsafe { std::mem::replace(&mut (*index).tree_height, 0) };
        Self { index, height }
    }
}

impl Drop for ReplacedHeight {
    fn drop(&mut self) {
        // SAFETY: the index is still there, as new() demands.
        unsafe { (*self.index).tree_height = self.height };
    }
}

/// The setting `cpu_operator_cost`.
pub fn cpu_operator_cost() -> f64 {
    // SAFETY: a setting, which only this thread changes.
    unsafe { pg_sys::cpu_operator_cost }
}

/// The setting `cpu_index_tuple_cost`.
pub fn cpu_index_tuple_cost() -> f64 {
    // SAFETY: a setting, which only this thread changes.
    unsafe { pg_sys::cpu_index_tuple_cost }
}

/// The condition of a RestrictInfo.
pub fn condition(info: &pg_sys::RestrictInfo) -> Option<NodeRef<'_>> {
    // SAFETY: the clause of a RestrictInfo is an expression, which lives as long.
    unsafe { NodeRef::from_raw(info.clause.cast()) }
}

/// The array of `column <op> ANY (array)`.
pub fn array_of(condition: &pg_sys::ScalarArrayOpExpr) -> Option<NodeRef<'_>> {
    // SAFETY: the arguments are two expressions, of which the second is the array.
    unsafe {
        let arguments = PointerList::<pg_sys::Node>::from_raw(condition.args);
        NodeRef::from_raw(arguments.get(1)?)
    }
}

//! Paths over learned indexes that the planner makes when it is asked to.

use pgrx::pg_sys::{self, NodeTag, ScanDirection};

use super::list::PointerList;
use super::node::{NodeRef, NodeType};

/// The planner at work on a base relation.
#[derive(Clone, Copy)]
pub struct RelationPlanner {
    root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    entry: *mut pg_sys::RangeTblEntry,
}

/// The planner's description of an index of the relation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PlannedIndex(*mut pg_sys::IndexOptInfo);

/// An expression over the relation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Expression(*mut pg_sys::Expr);

/// A condition on the relation's rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Condition(*mut pg_sys::RestrictInfo);

/// A path of the relation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PathRef(*mut pg_sys::Path);

/// The paths that the planner makes of one index.
pub struct IndexPaths {
    pub plain: Vec<PathRef>,
    /// Paths for parallel workers, each for a part of the rows.
    pub partial: Vec<PathRef>,
}

/// A column of a row comparison, as `column <op> value`.
pub struct RowMember {
    column: Expression,
    value: Expression,
    family: pg_sys::Oid,
    left_type: pg_sys::Oid,
    right_type: pg_sys::Oid,
    collation: pg_sys::Oid,
    /// The number of `<`, `<=`, `>=` or `>` in the index's family of operators.
    pub strategy: u32,
    /// Whether the column's values that are equal to a value stand together in the index, and those
    /// above it behind them. That is not so where the comparison depends on the time zone.
    pub is_monotone: bool,
}

impl RelationPlanner {
    /// # Safety
    /// The pointers are what the planner passes to `set_rel_pathlist_hook`, and the handle is used
    /// within the hook only. All handles in this file come from this one.
    pub unsafe fn from_raw(
        root: *mut pg_sys::PlannerInfo,
        relation: *mut pg_sys::RelOptInfo,
        entry: *mut pg_sys::RangeTblEntry,
    ) -> Self {
        Self {
            root,
            relation,
            entry,
        }
    }

    /// Whether the planner makes index scans of the relation: it is a single table, not a sample of
    /// one, and may have rows that satisfy the conditions.
    pub fn may_scan_indexes(self) -> bool {
        // SAFETY: the planner's own, see from_raw().
        unsafe {
            let entry = &*self.entry;
            entry.rtekind == pg_sys::RTEKind::RTE_RELATION
                && entry.tablesample.is_null()
                && !entry.inh
                && entry.relkind as u8 != pg_sys::RELKIND_FOREIGN_TABLE
                && !pg_sys::is_dummy_rel(self.relation)
        }
    }

    fn relation(&self) -> &pg_sys::RelOptInfo {
        // SAFETY: the planner's own, see from_raw().
        unsafe { &*self.relation }
    }

    /// The indexes of the relation whose costs `amcostestimate` estimates.
    pub fn indexes_with(self, amcostestimate: *const ()) -> Vec<PlannedIndex> {
        // SAFETY: indexlist is a list of descriptions of indexes.
        let indexes = unsafe { PointerList::from_raw(self.relation().indexlist) };
        let is_wanted = |index: &&pg_sys::IndexOptInfo| {
            let estimate = index.amcostestimate.map(|estimate| estimate as *const ());
            estimate == Some(amcostestimate)
        };
        let handle =
            |index| PlannedIndex(std::ptr::from_ref::<pg_sys::IndexOptInfo>(index).cast_mut());
        indexes.iter().filter(is_wanted).map(handle).collect()
    }

    /// The conditions on the relation alone that are row comparisons.
    pub fn row_comparisons(self) -> Vec<Condition> {
        // SAFETY: baserestrictinfo is a list of conditions.
        let conditions = unsafe {
            PointerList::<pg_sys::RestrictInfo>::from_raw(self.relation().baserestrictinfo)
        };
        let handle =
            |condition| Condition(std::ptr::from_ref::<pg_sys::RestrictInfo>(condition).cast_mut());
        let is_row = |condition: &Condition| condition.row().is_some();
        conditions.iter().map(handle).filter(is_row).collect()
    }

    /// Whether the scans of the relation may be appended to one another in one plan. They may not
    /// where EvalPlanQual may recheck a row, since the first scan that is asked would take the row
    /// and reject it for all others. The planner does not expect it of a partition either.
    pub fn may_append_scans(self) -> bool {
        // SAFETY: root and its query are the planner's own.
        let (query, marks) = unsafe { (&*(*self.root).parse, (*self.root).rowMarks) };
        self.relation().reloptkind == pg_sys::RelOptKind::RELOPT_BASEREL
            && query.commandType == pg_sys::CmdType::CMD_SELECT
            && marks.is_null()
    }

    /// Takes the scans of an index out of the relation's paths.
    pub fn remove_scans(self, index: PlannedIndex) {
        // SAFETY: both lists are of paths. The planner refers to a path by these lists only, as
        // long as it has not chosen the cheapest ones.
        unsafe {
            let relation = &mut *self.relation;
            for list in [&mut relation.pathlist, &mut relation.partial_pathlist] {
                let others = path_refs(*list)
                    .into_iter()
                    .filter(|path| !path.scans(index));
                *list = pointer_list(others.map(|path| path.0.cast()));
            }
        }
    }

    /// Adds paths to those of the relation.
    pub fn add(self, paths: IndexPaths) {
        // SAFETY: paths of the relation.
        unsafe {
            for path in paths.plain {
                pg_sys::add_path(self.relation, path.0);
            }
            for path in paths.partial {
                pg_sys::add_partial_path(self.relation, path.0);
            }
        }
    }

    /// The paths that the planner makes of one index, but for inner sides of nested loops. They are
    /// not added to the relation.
    pub fn plain_paths_of(self, index: PlannedIndex) -> Vec<PathRef> {
        // SAFETY: without these the planner sees no joins. They are its own again afterwards.
        unsafe {
            let relation = &mut *self.relation;
            let joins = std::mem::replace(&mut relation.joininfo, std::ptr::null_mut());
            let has_joins = std::mem::replace(&mut relation.has_eclass_joins, false);
            let paths = self.paths_of(index).plain;
            let relation = &mut *self.relation;
            relation.joininfo = joins;
            relation.has_eclass_joins = has_joins;
            paths
        }
    }

    /// The paths that the planner makes of one index. They are not added to the relation.
    pub fn paths_of(self, index: PlannedIndex) -> IndexPaths {
        let none = std::ptr::null_mut();
        // SAFETY: the lists of indexes and paths are the planner's own again when this returns. It
        // adds paths to these lists and keeps no other record of them. An error ends the planning.
        unsafe {
            let relation = &mut *self.relation;
            let only = pointer_list([index.0.cast()].into_iter());
            let indexes = std::mem::replace(&mut relation.indexlist, only);
            let plain = std::mem::replace(&mut relation.pathlist, none);
            let partial = std::mem::replace(&mut relation.partial_pathlist, none);
            pg_sys::create_index_paths(self.root, self.relation);
            let relation = &mut *self.relation;
            relation.indexlist = indexes;
            IndexPaths {
                plain: path_refs(std::mem::replace(&mut relation.pathlist, plain)),
                partial: path_refs(std::mem::replace(&mut relation.partial_pathlist, partial)),
            }
        }
    }

    /// A description of an index with other conditions: without `replaced`, and with `more`, each
    /// with the condition from which it follows. Also returns the new conditions.
    pub fn with_conditions(
        self,
        index: PlannedIndex,
        replaced: Option<Condition>,
        more: &[(Expression, Condition)],
    ) -> (PlannedIndex, Vec<Condition>) {
        let new = more
            .iter()
            .map(|&(clause, origin)| self.condition(clause, origin));
        let new: Vec<_> = new.map(Condition).collect();
        // SAFETY: the copy lives in the planner's memory, as the original does. Its lists are of
        // conditions.
        unsafe {
            let copy = pg_sys::palloc(size_of::<pg_sys::IndexOptInfo>());
            let copy = copy.cast::<pg_sys::IndexOptInfo>();
            copy.write(*index.0);
            let old = PointerList::<pg_sys::RestrictInfo>::from_raw((*copy).indrestrictinfo);
            let old = old
                .iter()
                .map(|condition| std::ptr::from_ref(condition).cast_mut());
            let kept = old.filter(|&condition| replaced != Some(Condition(condition)));
            let all = kept
                .chain(new.iter().map(|condition| condition.0))
                .map(|condition| condition.cast());
            (*copy).indrestrictinfo = pointer_list(all);
            (PlannedIndex(copy), new)
        }
    }

    /// The condition `clause`, which follows from another one.
    fn condition(self, clause: Expression, origin: Condition) -> *mut pg_sys::RestrictInfo {
        // SAFETY: an expression over the relation, and a condition on it.
        unsafe {
            let origin = &*origin.0;
            #[cfg(feature = "pg15")]
            return pg_sys::make_restrictinfo(
                self.root,
                clause.0,
                origin.is_pushed_down,
                origin.outerjoin_delayed,
                false,
                origin.security_level,
                std::ptr::null_mut(),
                origin.outer_relids,
                origin.nullable_relids,
            );
            #[cfg(not(feature = "pg15"))]
            return pg_sys::make_restrictinfo(
                self.root,
                clause.0,
                origin.is_pushed_down,
                origin.has_clone,
                origin.is_clone,
                false,
                origin.security_level,
                std::ptr::null_mut(),
                origin.incompatible_relids,
                origin.outer_relids,
            );
        }
    }

    /// Notes in the paths of an index how many rows its own conditions leave.
    pub fn estimate_rows(self, index: PlannedIndex, paths: &[PathRef]) {
        let inner = pg_sys::JoinType::JOIN_INNER;
        let none = std::ptr::null_mut();
        // SAFETY: conditions on the relation and paths of the relation.
        unsafe {
            let conditions = (*index.0).indrestrictinfo;
            let share = pg_sys::clauselist_selectivity(self.root, conditions, 0, inner, none);
            let rows = pg_sys::clamp_row_est(share * (*self.relation).tuples);
            paths.iter().for_each(|path| (*path.0).rows = rows);
        }
    }

    /// An append of scans. Its rows are in the order of the index if the scans stand in this order
    /// and the index's columns before `first` are confined to single values.
    pub fn append(self, scans: &[PathRef], first: usize) -> Option<PathRef> {
        let is_ordered = scans
            .iter()
            .all(|scan| (0..first).all(|column| scan.fixes(column)));
        let none = std::ptr::null_mut();
        // SAFETY: scans of the relation, and none takes values of other relations.
        unsafe {
            let order = if is_ordered {
                (*scans.first()?.0).pathkeys
            } else {
                none
            };
            let list = pointer_list(scans.iter().map(|scan| scan.0.cast()));
            let rows = (*self.relation).rows;
            let (root, relation) = (self.root, self.relation);
            let nobody = std::ptr::null_mut();
            let append = pg_sys::create_append_path(
                root, relation, list, none, order, nobody, 0, false, rows,
            );
            Some(PathRef(append.cast()))
        }
    }

    /// Whether an expression has the same value for all rows of the relation.
    fn is_constant(self, expression: Expression) -> bool {
        let relid = self.relation().relid.cast_signed();
        // SAFETY: an expression of the query that is planned.
        unsafe {
            let relations = pg_sys::pull_varnos(self.root, expression.0.cast());
            !pg_sys::bms_is_member(relid, relations)
                && !pg_sys::contain_volatile_functions(expression.0.cast())
                && !pg_sys::contain_subplans(expression.0.cast())
        }
    }
}

impl PlannedIndex {
    /// Whether a key column, counted from 0, descends.
    pub fn descends(self, column: usize) -> bool {
        // SAFETY: an ordered index has a direction for each of its key columns.
        unsafe { *(*self.0).reverse_sort.add(column) }
    }

    /// The key column that an expression is, counted from 0.
    fn column_of(self, expression: Expression) -> Option<usize> {
        // SAFETY: an index of the relation and an expression over it.
        let matches =
            |&i: &i32| unsafe { pg_sys::match_index_to_operand(expression.0.cast(), i, self.0) };
        // SAFETY: the planner's description.
        let columns = 0..unsafe { (*self.0).nkeycolumns };
        columns
            .into_iter()
            .find(matches)
            .and_then(|i| usize::try_from(i).ok())
    }
}

impl Condition {
    fn row(&self) -> Option<&pg_sys::RowCompareExpr> {
        // SAFETY: a condition has an expression, which is a node.
        unsafe { NodeRef::from_raw((*self.0).clause.cast()) }?.as_()
    }

    /// The number of columns of a row comparison.
    pub fn row_columns(&self) -> usize {
        // SAFETY: the operators are a list, of OIDs.
        self.row()
            .map_or(0, |row| unsafe { (*row.opnos).length.max(0) as usize })
    }

    /// A member of a row comparison and the key column of the index that it compares, both counted
    /// from 0. None where it does not compare a key column with a constant.
    pub fn row_member(
        &self,
        planner: RelationPlanner,
        at: usize,
        index: PlannedIndex,
    ) -> Option<(usize, RowMember)> {
        let row = self.row()?;
        // SAFETY: the lists of a row comparison have an element for each of its columns.
        unsafe {
            let side = |list| {
                let expressions = PointerList::<pg_sys::Expr>::from_raw(list);
                expressions
                    .get(at)
                    .map(|e| Expression(std::ptr::from_ref(e).cast_mut()))
            };
            let oid = |list: *const pg_sys::List| (*(*list).elements.add(at)).oid_value;
            let (left, right) = (side(row.largs)?, side(row.rargs)?);
            let mut operator = oid(row.opnos);
            let (column, value, position) = match (index.column_of(left), index.column_of(right)) {
                (Some(position), None) => (left, right, position),
                (None, Some(position)) => {
                    operator = pg_sys::get_commutator(operator);
                    (right, left, position)
                }
                _ => return None,
            };
            if operator == pg_sys::InvalidOid || !planner.is_constant(value) {
                return None;
            }
            let (mut left_type, mut right_type) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            pg_sys::op_input_types(operator, &raw mut left_type, &raw mut right_type);
            // The family of the row comparison may be another one, with another order.
            let family = *(*index.0).opfamily.add(position);
            let strategy = pg_sys::get_op_opfamily_strategy(operator, family);
            let immutable = pg_sys::PROVOLATILE_IMMUTABLE as std::ffi::c_char;
            let member = RowMember {
                column,
                value,
                family,
                left_type,
                right_type,
                collation: oid(row.inputcollids),
                is_monotone: pg_sys::op_volatile(operator) == immutable,
                strategy: u32::try_from(strategy)
                    .ok()
                    .filter(|&strategy| strategy > 0)?,
            };
            Some((position, member))
        }
    }
}

impl RowMember {
    /// The condition `column <op> value` with the operator of a strategy number; None if the
    /// operator family has no such operator.
    pub fn condition(&self, strategy: u32) -> Option<Expression> {
        let (left, right) = (self.left_type, self.right_type);
        // SAFETY: both sides are expressions of the types for which the operator is looked up. They
        // are copied, since the planner changes expressions in place.
        unsafe {
            let operator = pg_sys::get_opfamily_member(self.family, left, right, strategy as i16);
            if operator == pg_sys::InvalidOid {
                return None;
            }
            let copy = |e: Expression| pg_sys::copyObjectImpl(e.0.cast()).cast();
            let clause = pg_sys::make_opclause(
                operator,
                pg_sys::BOOLOID,
                false,
                copy(self.column),
                copy(self.value),
                pg_sys::InvalidOid,
                self.collation,
            );
            pg_sys::set_opfuncid(clause.cast());
            Some(Expression(clause))
        }
    }
}

impl PathRef {
    fn index_path(&self) -> Option<&pg_sys::IndexPath> {
        // SAFETY: a path is a node.
        unsafe { NodeRef::from_raw(self.0.cast()) }?.as_()
    }

    /// Whether the path is a scan of an index.
    fn scans(&self, index: PlannedIndex) -> bool {
        self.index_path()
            .is_some_and(|path| path.indexinfo == index.0)
    }

    /// Whether the path is an index scan in a direction, and takes no values of other relations.
    pub fn is_plain_scan(&self, direction: ScanDirection::Type) -> bool {
        self.index_path()
            .is_some_and(|path| path.indexscandir == direction && path.path.param_info.is_null())
    }

    /// Whether the path is no index scan, or one that has all of these conditions in the index.
    pub fn uses(&self, conditions: &[Condition]) -> bool {
        let Some(scan) = self.index_path() else {
            return true;
        };
        // SAFETY: a list of index clauses.
        let clauses = unsafe { PointerList::<pg_sys::IndexClause>::from_raw(scan.indexclauses) };
        let is_used = |condition: &Condition| clauses.iter().any(|c| c.rinfo == condition.0);
        conditions.iter().all(is_used)
    }

    /// Whether the planner knows anything of the order of the path's rows.
    pub fn has_order(&self) -> bool {
        // SAFETY: a path of the relation.
        unsafe { !(*self.0).pathkeys.is_null() }
    }

    /// Whether the planner knows the same of the order of both paths' rows.
    pub fn has_order_of(&self, other: &Self) -> bool {
        // SAFETY: two paths of the relation.
        let comparison =
            unsafe { pg_sys::compare_pathkeys((*self.0).pathkeys, (*other.0).pathkeys) };
        comparison == pg_sys::PathKeysComparison::PATHKEYS_EQUAL
    }

    /// Whether the conditions of an index scan confine a key column to a single value.
    fn fixes(&self, column: usize) -> bool {
        let Some(scan) = self.index_path() else {
            return false;
        };
        // SAFETY: the lists are of index clauses and of their conditions, and the index has a
        // family of operators for each key column.
        unsafe {
            let family = *(*scan.indexinfo).opfamily.add(column);
            let is_equal = |condition: &pg_sys::RestrictInfo| {
                let clause = NodeRef::from_raw(condition.clause.cast());
                clause
                    .and_then(NodeRef::as_::<pg_sys::OpExpr>)
                    .is_some_and(|clause| {
                        let strategy = pg_sys::get_op_opfamily_strategy(clause.opno, family);
                        u32::try_from(strategy) == Ok(pg_sys::BTEqualStrategyNumber)
                    })
            };
            PointerList::<pg_sys::IndexClause>::from_raw(scan.indexclauses)
                .iter()
                .any(|clause| {
                    usize::try_from(clause.indexcol) == Ok(column)
                        && PointerList::from_raw(clause.indexquals)
                            .iter()
                            .any(is_equal)
                })
        }
    }
}

/// The paths of a list.
///
/// # Safety
/// A list of paths.
unsafe fn path_refs(list: *mut pg_sys::List) -> Vec<PathRef> {
    // SAFETY: as demanded of the list.
    let paths = unsafe { PointerList::<pg_sys::Path>::from_raw(list) };
    paths
        .iter()
        .map(|path| PathRef(std::ptr::from_ref(path).cast_mut()))
        .collect()
}

/// A list of the server's.
fn pointer_list(pointers: impl Iterator<Item = *mut std::ffi::c_void>) -> *mut pg_sys::List {
    // SAFETY: lappend() makes a list of null.
    pointers.fold(std::ptr::null_mut(), |list, pointer| unsafe {
        pg_sys::lappend(list, pointer)
    })
}

// SAFETY: the server's makeNode() gives each node the tag of its type.
unsafe impl NodeType for pg_sys::RowCompareExpr {
    const TAG: NodeTag = NodeTag::T_RowCompareExpr;
}

// SAFETY: likewise.
unsafe impl NodeType for pg_sys::IndexPath {
    const TAG: NodeTag = NodeTag::T_IndexPath;
}

//! Row comparisons, `(a, b) > ($1, $2)`, as conditions of learned indexes.
//!
//! Pages of a long list are read by such a condition and `ORDER BY a, b LIMIT n`. Planner and
//! executor of the server make index conditions of row comparisons for btree indexes only. SQL
//! compares rows column by column, so that `(a, b) > (x, y)` holds where `a > x`, or else where
//! `a = x` and `b > y`. These alternatives exclude each other, and each one is a set of plain
//! conditions, which any index takes. Two kinds of paths are made from that:
//!
//! - *Append of the alternatives.* One index scan for each alternative. The scans stand in the
//!   order of the index, so that the rows of the whole are in this order, too.
//! - *Bound.* One index scan with the condition that the first column alone sets, `a >= x`. The row
//!   comparison stays as a filter. An index need not have the other columns for that.
//!
//! [`RelationPlanner::may_append_scans`] says where only the bound can be used.

use pgrx::pg_sys::ScanDirection::{BackwardScanDirection, ForwardScanDirection};
use pgrx::pg_sys::{self, ScanDirection};
use pgrx::prelude::*;
use smallvec::SmallVec;

use super::cost::amcostestimate;
use crate::options;
use crate::pg::index_paths::{
    Condition, Expression, PathRef, PlannedIndex, RelationPlanner, RowMember,
};

static mut NEXT_HOOK: pg_sys::set_rel_pathlist_hook_type = None;

/// Installs the hook. Called once, when the library is loaded.
pub fn register() {
    // SAFETY: hooks are set by the session's only thread.
    unsafe {
        NEXT_HOOK = pg_sys::set_rel_pathlist_hook;
        pg_sys::set_rel_pathlist_hook = Some(add_paths);
    }
}

/// The planner has made its own paths of a base relation.
#[pg_guard]
unsafe extern "C-unwind" fn add_paths(
    root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    number: pg_sys::Index,
    entry: *mut pg_sys::RangeTblEntry,
) {
    // SAFETY: the arguments are the planner's, and the hook before this one takes the same.
    let planner = unsafe {
        if let Some(next) = NEXT_HOOK {
            next(root, relation, number, entry);
        }
        RelationPlanner::from_raw(root, relation, entry)
    };
    let conditions = planner.row_comparisons();
    if conditions.is_empty() || !options::enable_row_comparison() || !planner.may_scan_indexes() {
        return;
    }
    for index in planner.indexes_with(amcostestimate as *const ()) {
        let read = |condition| RowComparison::read(planner, condition, index);
        let rows: SmallVec<[_; 2]> = conditions.iter().copied().filter_map(read).collect();
        replace_paths(planner, index, &rows);
    }
}

/// Replaces the paths of an index by those that use the row comparisons. The planner assumes that
/// the rows that a filter removes are evenly distributed. Here they all come first, so a path
/// without the bound must not be left to win by its estimated cost.
fn replace_paths(planner: RelationPlanner, index: PlannedIndex, rows: &[RowComparison]) {
    let bound = |row: &RowComparison| Some((row.bound()?, row.condition));
    let bounds: SmallVec<[_; 2]> = rows.iter().filter_map(bound).collect();
    let (bounded, conditions) = planner.with_conditions(index, None, &bounds);
    let mut made = planner.paths_of(bounded);
    if bounds.is_empty() || !made.plain.iter().all(|path| path.uses(&conditions)) {
        // Row security keeps conditions with some operators out of indexes.
        return;
    }
    planner.remove_scans(index);
    if planner.may_append_scans() {
        let append = |(at, row): (usize, &RowComparison)| {
            let others = rows.iter().enumerate().filter(|(i, _)| *i != at);
            let others: SmallVec<[_; 2]> = others.filter_map(|(_, row)| bound(row)).collect();
            let (index, _) = planner.with_conditions(index, None, &others);
            row.append_alternatives(planner, index)
        };
        for (direction, append) in rows
            .iter()
            .enumerate()
            .find_map(append)
            .into_iter()
            .flatten()
        {
            made.plain
                .retain(|path| !path.is_plain_scan(direction) || !path.has_order_of(&append));
            made.plain.push(append);
        }
    }
    planner.add(made);
}

/// A row comparison whose first columns are consecutive columns of an index, in its order.
struct RowComparison {
    condition: Condition,
    /// At least one.
    members: SmallVec<[RowMember; 4]>,
    /// The column of the index that is the first member, counted from 0.
    first: usize,
    /// Whether the members are all columns of the row comparison.
    is_whole: bool,
}

impl RowComparison {
    /// None where the first column is none of the index's.
    fn read(planner: RelationPlanner, condition: Condition, index: PlannedIndex) -> Option<Self> {
        let count = condition.row_columns();
        let (first, member) = condition.row_member(planner, 0, index)?;
        let mut members = SmallVec::from_iter([member]);
        for at in 1..count {
            match condition.row_member(planner, at, index) {
                Some((column, member)) if column == first + at => members.push(member),
                _ => break,
            }
        }
        let is_whole = members.len() == count;
        Some(Self {
            condition,
            members,
            first,
            is_whole,
        })
    }

    /// What the first column alone tells.
    fn bound(&self) -> Option<Expression> {
        let member = self.members.first()?;
        member.condition(or_equal(member))
    }

    /// The conditions of the alternative in which the member at `deciding` decides.
    fn alternative(&self, deciding: usize) -> Option<SmallVec<[Expression; 4]>> {
        let last = self.members.len() - 1;
        let strategy = |at: usize, member: &RowMember| {
            if at < deciding {
                pg_sys::BTEqualStrategyNumber
            } else if at < last {
                strict(member)
            } else if self.is_whole {
                member.strategy
            } else {
                // The columns that the index does not have decide; the filter sees to it.
                or_equal(member)
            }
        };
        let members = self.members.iter().take(deciding + 1).enumerate();
        members
            .map(|(at, member)| member.condition(strategy(at, member)))
            .collect()
    }

    /// The deciding members of the alternatives in the order of the index.
    fn in_index_order(&self, index: PlannedIndex) -> SmallVec<[usize; 4]> {
        let mut order = SmallVec::<[usize; 4]>::new();
        for (at, member) in self.members.iter().enumerate().rev() {
            // The rows in which this member decides, against those with the very value.
            if is_greater(member) != index.descends(self.first + at) {
                order.push(at);
            } else {
                order.insert(0, at);
            }
        }
        order
    }

    /// The paths that append the scans of the alternatives, with their directions. None where there
    /// is one alternative, which is the bound, or where they may overlap in the index.
    fn append_alternatives(
        &self,
        planner: RelationPlanner,
        index: PlannedIndex,
    ) -> Option<SmallVec<[(ScanDirection::Type, PathRef); 2]>> {
        if self.members.len() < 2 || !self.members.iter().all(|member| member.is_monotone) {
            return None;
        }
        let mut alternatives = SmallVec::<[Vec<PathRef>; 4]>::new();
        for deciding in self.in_index_order(index) {
            let with_origin = |clause| (clause, self.condition);
            let clauses = self.alternative(deciding)?.into_iter().map(with_origin);
            let replaced = self.is_whole.then_some(self.condition);
            let clauses: SmallVec<[_; 4]> = clauses.collect();
            let (index, conditions) = planner.with_conditions(index, replaced, &clauses);
            let mut plain = planner.plain_paths_of(index);
            plain.retain(|path| path.uses(&conditions));
            planner.estimate_rows(index, &plain);
            alternatives.push(plain);
        }
        let append = |direction| {
            let scan = |paths: &Vec<PathRef>| {
                let scans = || {
                    paths
                        .iter()
                        .copied()
                        .filter(|path| path.is_plain_scan(direction))
                };
                scans().find(PathRef::has_order).or_else(|| scans().next())
            };
            let mut scans = alternatives.iter().map(scan).collect::<Option<Vec<_>>>()?;
            if direction == BackwardScanDirection {
                scans.reverse();
            }
            Some((direction, planner.append(&scans, self.first)?))
        };
        let directions = [ForwardScanDirection, BackwardScanDirection];
        Some(directions.into_iter().filter_map(append).collect())
    }
}

/// Whether a member asks for greater values.
fn is_greater(member: &RowMember) -> bool {
    member.strategy > pg_sys::BTEqualStrategyNumber
}

/// The strategy number of a member's comparison without equality.
fn strict(member: &RowMember) -> u32 {
    if is_greater(member) {
        pg_sys::BTGreaterStrategyNumber
    } else {
        pg_sys::BTLessStrategyNumber
    }
}

/// The strategy number of a member's comparison with equality.
fn or_equal(member: &RowMember) -> u32 {
    if is_greater(member) {
        pg_sys::BTGreaterEqualStrategyNumber
    } else {
        pg_sys::BTLessEqualStrategyNumber
    }
}

//! Nodes of expressions and of plans.
//!
//! A node's tag says of which type it is, so a node is cast to a type only after a look at its tag.

use pgrx::pg_sys::{self, NodeTag};

use super::list::PointerList;

/// A type of nodes with a tag of its own.
///
/// # Safety
/// Every node with the tag is of this type.
pub unsafe trait NodeType {
    const TAG: NodeTag;
}

macro_rules! node_types {
    ($($node:ident: $tag:ident),* $(,)?) => {
        // SAFETY: the server's makeNode() gives each node the tag of its type.
        $(unsafe impl NodeType for pg_sys::$node {
            const TAG: NodeTag = NodeTag::$tag;
        })*
    };
}

node_types! {
    CopyStmt: T_CopyStmt,
    CustomScan: T_CustomScan,
    IndexStmt: T_IndexStmt,
    ModifyTable: T_ModifyTable,
    NullTest: T_NullTest,
    OpExpr: T_OpExpr,
    ScalarArrayOpExpr: T_ScalarArrayOpExpr,
}

/// A node of any type.
#[derive(Clone, Copy)]
pub struct NodeRef<'a>(&'a pg_sys::Node);

impl<'a> NodeRef<'a> {
    /// None for a null pointer.
    ///
    /// # Safety
    /// `node` is null or a node that lives and does not change for `'a`.
    pub unsafe fn from_raw(node: *const pg_sys::Node) -> Option<Self> {
        // SAFETY: all types of nodes begin with the tag.
        unsafe { node.as_ref() }.map(Self)
    }

    /// The node as one of a type, if it is of that type.
    pub fn as_<T: NodeType>(self) -> Option<&'a T> {
        // SAFETY: the tag says that the node is a `T`.
        (self.0.type_ == T::TAG).then(|| unsafe { &*std::ptr::from_ref(self.0).cast::<T>() })
    }

    /// The server's pointer, for calls of its functions.
    pub fn raw(self) -> *mut pg_sys::Node {
        std::ptr::from_ref(self.0).cast_mut()
    }
}

/// A node of a plan.
#[derive(Clone, Copy)]
pub struct PlanRef<'a>(&'a pg_sys::Plan);

impl<'a> PlanRef<'a> {
    /// # Safety
    /// `plan` is null or a plan that lives and does not change for `'a`.
    unsafe fn from_raw(plan: *const pg_sys::Plan) -> Option<Self> {
        // SAFETY: all types of plan nodes begin with a Plan.
        unsafe { plan.as_ref() }.map(Self)
    }

    /// The node as one of a type, if it is of that type.
    pub fn as_<T: NodeType>(self) -> Option<&'a T> {
        // SAFETY: a plan node is a node that lives for 'a.
        unsafe { NodeRef::from_raw(std::ptr::from_ref(self.0).cast()) }?.as_()
    }

    /// The plan from which this one takes its rows, if there is one.
    pub fn outer(self) -> Option<Self> {
        // SAFETY: lefttree of a plan is null or a plan, which lives as long.
        unsafe { Self::from_raw(self.0.lefttree) }
    }

    /// The plan below a custom node that has exactly one.
    pub fn only_custom_child(self) -> Option<Self> {
        let custom = self.as_::<pg_sys::CustomScan>()?;
        // SAFETY: custom_plans of a CustomScan is a list of plans.
        let plans = unsafe { PointerList::<pg_sys::Plan>::from_raw(custom.custom_plans) };
        match plans.len() {
            1 => plans.get(0).map(Self),
            _ => None,
        }
    }

    /// The number of rows that the planner expects.
    pub fn rows(self) -> f64 {
        self.0.plan_rows
    }
}

/// A query that the executor has started.
#[derive(Clone, Copy)]
pub struct RunningQuery<'a>(&'a pg_sys::QueryDesc);

impl<'a> RunningQuery<'a> {
    /// # Safety
    /// `query` is a query for which ExecutorStart has run. It lives for `'a`.
    pub unsafe fn from_raw(query: *const pg_sys::QueryDesc) -> Self {
        // SAFETY: not null, as from_raw() demands.
        Self(unsafe { &*query })
    }

    pub fn operation(self) -> pg_sys::CmdType::Type {
        self.0.operation
    }

    fn statement(self) -> &'a pg_sys::PlannedStmt {
        // SAFETY: a query that has started has a planned statement.
        unsafe { &*self.0.plannedstmt }
    }

    /// The top node of the plan.
    pub fn plan(self) -> Option<PlanRef<'a>> {
        // SAFETY: planTree is null or a plan, which lives as long as the statement.
        unsafe { PlanRef::from_raw(self.statement().planTree) }
    }

    /// Whether a `WITH` query of the statement inserts, updates or deletes rows.
    pub fn has_modifying_cte(self) -> bool {
        self.statement().hasModifyingCTE
    }
}

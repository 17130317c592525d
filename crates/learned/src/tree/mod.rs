//! The tree: leaves with all entries, inner pages above them, the meta page, the model.
//!
//! Invariants (docs/concurrency.md has the reasons; `crate::mem` and [`Tree::verify`] check them
//! in the tests):
//! - Locks go right and up: a page is locked only while all pages held are left of it on its level,
//!   or on lower levels. The meta page is last. New pages are outside this order.
//! - After each lock, kind, level and fences of the page are checked. A search that is left of its
//!   key moves right; the right sibling must begin at the high fence just read. In every other case
//!   the search restarts.
//! - Every record leaves a tree in which each key reaches its leaf by downlinks and right links.
//!
//! Where to look:
//! - searches: `descend`, `scan`, `recent_leaves` (leaves that the model does not know),
//!   `search_counts` and `shared_counts` (statistics)
//! - inserts: `insert`, `unique`, `split`, and `shift` (room in neighbours)
//! - deletions: `delete` (dead rows of one leaf), `vacuum`, `condense`, `join`, `shift`
//! - the model: `train`, `stale`, `model_pages`
//! - whole indexes: `build`, `verify`
//!
//! [`crate::policy::tree`] has the thresholds.

mod build;
mod condense;
mod delete;
mod descend;
mod insert;
mod join;
mod model_pages;
mod recent_leaves;
mod scan;
mod search_counts;
mod shared_counts;
mod shift;
mod split;
mod stale;
mod train;
mod unique;
mod vacuum;
mod verify;

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};

pub use crate::leaf::{Dead, Offsets, Suspect};
pub use build::{BuildReport, Builder, Sink, empty_index};
pub use insert::{InsertOutcome, Inserted};
pub use recent_leaves::RecentLeaves;
pub use search_counts::SearchCounts;
pub use shared_counts::SharedSearchCounts;
pub use train::{SweepReport, has_grown};
pub use unique::{UniqueCheck, UniqueVerdict};
pub use vacuum::VacuumReport;
pub use verify::TreeReport;

use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::meta::Meta;
use crate::model::Loaded;
use crate::page::{Block, META};
use crate::policy::tree::MAX_RESTARTS;
use crate::store::Store;

/// An index with keys of `W` words in `store`, and hints where to look first.
pub struct Tree<'s, S: Store, const W: usize> {
    /// The pages.
    pub store: &'s S,
    /// The root and its level as last seen. The hint may be out of date.
    root: Cell<Option<(Block, u8)>>,
    model: Option<Loaded<'s>>,
    recent_leaves: Option<&'s RecentLeaves<W>>,
    /// How the searches found their leaves.
    pub counts: SearchCounts,
    /// Items of an inner page, at most.
    inner_limit: usize,
    split_policy: SplitPolicy,
    /// Pages that are locked while others are searched for. A damaged link may lead back to one of
    /// them, and to lock it a second time would wait forever.
    held: RefCell<Vec<Block>>,
}

/// Which full leaves an insert may split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitPolicy {
    /// Every leaf.
    Always,
    /// Leaves where no entries die (without [`crate::page::CHURNED`]). The neighbours of the other
    /// leaves are likely to have room.
    UnlessChurned,
    /// No leaf.
    Never,
}

impl<'s, S: Store, const W: usize> Tree<'s, S, W> {
    /// A tree without model: searches descend from the root.
    pub fn new(store: &'s S) -> Self {
        Self {
            store,
            root: Cell::new(None),
            model: None,
            recent_leaves: None,
            counts: SearchCounts::default(),
            inner_limit: Inner::<W>::LIMIT,
            split_policy: SplitPolicy::Always,
            held: RefCell::new(Vec::new()),
        }
    }

    /// A tree whose searches ask the model first. `bytes` are what [`Tree::load_model`] returned;
    /// the model may be out of date.
    pub fn with_model(store: &'s S, bytes: &'s [u8]) -> Self {
        Self {
            model: Loaded::open(bytes),
            ..Self::new(store)
        }
    }

    /// Searches also ask `recent_leaves`, which belongs to this model, and add the leaves to it
    /// that they find elsewhere than predicted.
    #[must_use]
    pub fn with_recent_leaves(mut self, recent_leaves: &'s RecentLeaves<W>) -> Self {
        self.recent_leaves = Some(recent_leaves);
        self
    }

    /// Inner pages take at most `limit` items (at least 3), so that small trees are high.
    #[must_use]
    pub fn with_inner_limit(mut self, limit: usize) -> Self {
        self.inner_limit = limit.max(3);
        self
    }

    /// An insert that would split a leaf against this policy adds nothing and returns
    /// [`InsertOutcome::Full`], so that the caller can make room first. If the entry belongs at the
    /// leaf's right end, the leaf is split all the same.
    #[must_use]
    pub fn with_split_policy(mut self, split_policy: SplitPolicy) -> Self {
        self.split_policy = split_policy;
        self
    }

    /// The model that searches ask.
    pub fn model(&self) -> Option<&Loaded<'s>> {
        self.model.as_ref()
    }

    /// The root and its level, if a search has read the meta page. The caller may keep this hint.
    pub fn root_hint(&self) -> Option<(Block, u8)> {
        self.root.get()
    }

    /// Searches descend from `hint` without reading the meta page, as long as the page looks like a
    /// root.
    #[must_use]
    pub fn with_root_hint(self, hint: Option<(Block, u8)>) -> Self {
        self.root.set(hint);
        self
    }

    /// The meta page's content.
    pub fn meta(&self) -> Result<Meta> {
        Meta::open::<W>(&*self.store.read(META)?)
    }

    /// Locks for reading a page that a link leads to.
    fn read(&self, block: Block) -> Result<S::Read> {
        self.check_not_held(block)?;
        self.store.read(block)
    }

    /// Locks for changing a page that a link leads to.
    fn write(&self, block: Block) -> Result<S::Write> {
        self.check_not_held(block)?;
        self.store.write(block)
    }

    fn check_not_held(&self, block: Block) -> Result<()> {
        if self.held.borrow().contains(&block) {
            let fault = "a link leads back to a page on the way to it";
            return Err(Error::corrupted(block, fault));
        }
        Ok(())
    }
}

/// Runs `attempt` until it has a result: each None is a restart.
///
/// # Errors
/// [`Error::SearchLost`] after [`MAX_RESTARTS`].
fn with_restarts<T>(mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    for _ in 0..MAX_RESTARTS {
        if let Some(result) = attempt()? {
            return Ok(result);
        }
    }
    Err(Error::SearchLost {
        restarts: MAX_RESTARTS,
    })
}

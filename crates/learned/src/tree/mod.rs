//! The tree: leaves with all entries, inner pages above them, the meta page, the model.
//!
//! Rules that all of this keeps (ARCHITECTURE.md has the reasons):
//! - Locks go right and up: a page is locked only while the pages held are left of it on its level
//!   or on lower levels; the meta page comes last. Freshly allocated pages are outside this order.
//! - After each lock kind, level and fences are checked. Left of its key a search follows right
//!   links, whose target must begin at the fence just left; anything else is a restart.
//! - Every record leaves a tree in which each key reaches its leaf by downlinks and right links.

mod build;
mod chain;
mod condense;
mod counts;
mod delete;
mod descend;
mod insert;
mod merge;
mod recent;
mod scan;
mod shift;
mod split;
mod stale;
mod tally;
mod train;
mod unique;
mod vacuum;
mod verify;

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};

pub use crate::leaf::{Dead, Offsets, Suspect};
pub use build::{Builder, Built, Sink, empty_index};
pub use counts::Counts;
pub use insert::{How, Inserted};
pub use recent::Recent;
pub use tally::Tally;
pub use train::{Swept, has_grown};
pub use unique::{Judge, Verdict};
pub use vacuum::Vacuumed;
pub use verify::TreeReport;

use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::meta::Meta;
use crate::model::Loaded;
use crate::page::{Block, META};
use crate::store::Store;

/// Searches that are led astray more often than this give up: no concurrency explains it.
const RESTARTS: u32 = 100;

/// An index with keys of `W` words in `store`, and hints where to look first.
pub struct Tree<'s, S: Store, const W: usize> {
    /// The pages.
    pub store: &'s S,
    /// The root and its level as last seen: a hint.
    root: Cell<Option<(Block, u8)>>,
    model: Option<Loaded<'s>>,
    recent: Option<&'s Recent<W>>,
    /// What the searches met.
    pub counts: Counts,
    inner_limit: usize,
    splits: Splits,
    /// Pages held while others are sought above them. A damaged link may lead back to one of
    /// them, and a page lock is not to be had twice.
    held: RefCell<Vec<Block>>,
}

/// Which full leaves an insert may split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Splits {
    /// Any.
    Always,
    /// Those where no entries die (see [`crate::page::CHURNED`]): the others' neighbours are likely to have room.
    UnlessChurned,
    /// None.
    Never,
}

impl<'s, S: Store, const W: usize> Tree<'s, S, W> {
    /// Searches descend from the root.
    pub fn new(store: &'s S) -> Self {
        Self {
            store,
            root: Cell::new(None),
            model: None,
            recent: None,
            counts: Counts::default(),
            inner_limit: Inner::<W>::LIMIT,
            splits: Splits::Always,
            held: RefCell::new(Vec::new()),
        }
    }

    /// Searches ask the model first, given as [`Tree::load_model`] returned it. It may be out of
    /// date.
    pub fn with_model(store: &'s S, bytes: &'s [u8]) -> Self {
        Self {
            model: Loaded::open(bytes),
            ..Self::new(store)
        }
    }

    /// Searches also ask `recent`, which belongs to this model, and add to it what they find elsewhere than
    /// predicted.
    #[must_use]
    pub fn with_recent(mut self, recent: &'s Recent<W>) -> Self {
        self.recent = Some(recent);
        self
    }

    /// Inner pages take no more than `limit` (at least 3) items, so that small trees are high.
    #[must_use]
    pub fn with_inner_limit(mut self, limit: usize) -> Self {
        self.inner_limit = limit.max(3);
        self
    }

    /// An insert that would have to split a leaf although it may not adds nothing ([`How::Full`]), unless the entry comes at the leaf's
    /// right end: so the caller may make room first.
    #[must_use]
    pub fn with_splits(mut self, splits: Splits) -> Self {
        self.splits = splits;
        self
    }

    /// The model that searches ask.
    pub fn model(&self) -> Option<&Loaded<'s>> {
        self.model.as_ref()
    }

    /// The root and its level, if a search has seen it: a hint to keep.
    pub fn root_hint(&self) -> Option<(Block, u8)> {
        self.root.get()
    }

    /// Descends from `hint` without asking the meta page, as long as it still looks like a root.
    #[must_use]
    pub fn with_root_hint(self, hint: Option<(Block, u8)>) -> Self {
        self.root.set(hint);
        self
    }

    /// The meta page's content.
    pub fn meta(&self) -> Result<Meta> {
        Meta::open::<W>(&*self.store.read(META)?)
    }

    /// Locks a page that a link leads to.
    fn read(&self, block: Block) -> Result<S::Read> {
        self.check_free(block)?;
        self.store.read(block)
    }

    /// Locks a page that a link leads to, for changing.
    fn write(&self, block: Block) -> Result<S::Write> {
        self.check_free(block)?;
        self.store.write(block)
    }

    fn check_free(&self, block: Block) -> Result<()> {
        if self.held.borrow().contains(&block) {
            let fault = "a link leads back to a page on the way to it";
            return Err(Error::corrupted(block, fault));
        }
        Ok(())
    }
}

/// Runs `attempt` until it has a result.
fn retry<T>(mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    for _ in 0..RESTARTS {
        if let Some(result) = attempt()? {
            return Ok(result);
        }
    }
    Err(Error::Lost(RESTARTS))
}

//! Inserts: adding an entry, or several that follow each other, to a leaf.

use super::{SplitPolicy, Tree, with_restarts};
use crate::error::Result;
use crate::fences;
use crate::key::Entry;
use crate::leaf::{Added, Contents, Leaf};
use crate::page::{Block, CHURNED, INCOMPLETE_SPLIT, Page};
use crate::policy::tree::MAX_APPEND_DISORDER_PERCENT;
use crate::store::{Change, Guard, Patch, Store};

/// How a leaf took a new entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertOutcome {
    /// The entry was appended in place, at the end of the packed region.
    Appended,
    /// The entry is in the insert log.
    Logged,
    /// The leaf was encoded again, and its log was merged into the runs.
    Merged,
    /// The leaf was split, and the entry is in one of the two leaves. This is the new one, on the
    /// right.
    Split(Block),
    /// The entry was not added: the leaf is full, and [`Tree::with_split_policy`] forbids a split.
    Full {
        /// The leaf has the flag [`crate::page::CHURNED`]: entries die there.
        churned: bool,
    },
}

/// The result of an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inserted {
    /// The leaf that covered the entry; after a split, the left one of the two.
    pub block: Block,
    /// How the leaf took the entry.
    pub outcome: InsertOutcome,
    /// Number of entries that were added.
    pub taken: usize,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Adds an entry that the index does not have. A split that leaves one leaf fuller than the
    /// other leaves it `fill` percent full.
    pub fn insert(&self, entry: Entry<W>, fill: u8) -> Result<Inserted> {
        self.insert_with(None, entry, &[], fill)
    }

    /// Adds `entry`, and as many of `more` as go into the same leaf by the same record. `more`
    /// follow `entry` in order, and the index has none of them.
    ///
    /// `hint` is a block that is tried before a search, and its right sibling (for example the leaf
    /// of the last insert). The block must exist; what it holds is checked.
    pub fn insert_with(
        &self,
        mut hint: Option<Block>,
        entry: Entry<W>,
        more: &[Entry<W>],
        fill: u8,
    ) -> Result<Inserted> {
        with_restarts(|| {
            let leaf = self.find_for_write_near(hint.take(), &entry)?;
            self.insert_into_leaf(leaf, entry, more, fill)
        })
    }

    /// Adds `entry`, which the leaf covers, and as many of `more` as go with it. None: the leaf had
    /// to be bisected first and is released; the entry was not added.
    pub(super) fn insert_into_leaf(
        &self,
        mut leaf: S::Write,
        entry: Entry<W>,
        more: &[Entry<W>],
        fill: u8,
    ) -> Result<Option<Inserted>> {
        let block = leaf.block();
        self.store.inserting(&leaf)?;
        let view = Leaf::<W>::open(&leaf, block)?;
        let high = view.high();
        let covered = more.partition_point(|e| *e < high);
        let more = more.get(..covered).unwrap_or_default();
        let (patch, outcome, taken) = match view.add(&entry, more, fill)? {
            Added::Appended(patch, taken) => (patch, InsertOutcome::Appended, taken),
            Added::Logged(patch, _) if more.is_empty() && view.is_due_for_early_merge() => {
                return self.log_and_merge_early(leaf, patch).map(Some);
            }
            Added::Logged(patch, taken) => (patch, InsertOutcome::Logged, taken),
            Added::Merged(page) => return self.commit_merge(leaf, page).map(Some),
            Added::Split(halves) => return self.commit_split(leaf, *halves, &entry, true),
            Added::Bisected(halves) => return self.commit_split(leaf, *halves, &entry, false),
        };
        self.store
            .commit(&mut [(&mut leaf, Change::Patch(patch))])?;
        Ok(Some(Inserted {
            block,
            outcome,
            taken,
        }))
    }

    /// Adds an entry to the log, which is nearly full, and merges the log early: on a copy of the
    /// leaf, so that other backends may use the leaf meanwhile.
    #[cold]
    #[inline(never)]
    fn log_and_merge_early(&self, mut leaf: S::Write, patch: Patch) -> Result<Inserted> {
        let block = leaf.block();
        self.store
            .commit(&mut [(&mut leaf, Change::Patch(patch))])?;
        let copy = Box::new(*leaf);
        drop(leaf);
        let mut outcome = InsertOutcome::Logged;
        let copy = Leaf::<W>::open(&copy, block)?;
        if let Some(merged) = copy.merge_early()? {
            self.store.reached("merge ahead: nothing locked");
            let leaf = self.store.write(block)?;
            if let Some(page) = copy.apply_early_merge(&leaf, merged)? {
                self.commit_merge(leaf, page)?;
                outcome = InsertOutcome::Merged;
            }
        }
        Ok(Inserted {
            block,
            outcome,
            taken: 1,
        })
    }

    /// Replaces the leaf by `page`, which has its log and the new entry merged into the runs.
    #[cold]
    #[inline(never)]
    fn commit_merge(&self, mut leaf: S::Write, page: Box<Page>) -> Result<Inserted> {
        let block = leaf.block();
        let change = Change::between(&leaf, page);
        self.store.reached("merge of the log: leaf locked");
        self.store.commit(&mut [(&mut leaf, change)])?;
        self.store.reached("merge of the log: logged");
        Ok(Inserted {
            block,
            outcome: InsertOutcome::Merged,
            taken: 1,
        })
    }

    /// Replaces the leaf by two, if the split policy allows it. `has_entry`: one of them has
    /// `entry`. None: the leaf was split, but the entry was not added.
    #[cold]
    #[inline(never)]
    fn commit_split(
        &self,
        mut leaf: S::Write,
        halves: [Contents<W>; 2],
        entry: &Entry<W>,
        has_entry: bool,
    ) -> Result<Option<Inserted>> {
        let block = leaf.block();
        let view = Leaf::<W>::open(&leaf, block)?;
        let churned = view.flags() & CHURNED != 0;
        let may_split = match self.split_policy {
            SplitPolicy::Always => true,
            SplitPolicy::UnlessChurned => !churned,
            SplitPolicy::Never => false,
        };
        if !may_split && !is_append(&view, entry)? {
            return Ok(Some(Inserted {
                block,
                outcome: InsertOutcome::Full { churned },
                taken: 0,
            }));
        }
        let right = self.split_leaf(&mut leaf, halves)?;
        self.complete_new_split(leaf)?;
        let done = Inserted {
            block,
            outcome: InsertOutcome::Split(right),
            taken: 1,
        };
        Ok(has_entry.then_some(done))
    }

    /// Adds the downlink that a new split lacks. The split is logged already: if the level above
    /// cannot be made now, the next writer completes the split.
    fn complete_new_split(&self, mut leaf: S::Write) -> Result<()> {
        if self.complete_split(&mut leaf)? {
            return Ok(());
        }
        let block = leaf.block();
        drop(leaf);
        self.complete_root_split()?;
        let mut leaf = self.store.write(block)?;
        if fences::read::<W>(&leaf, block, 0)?.is_some()
            && crate::page::flags(&leaf) & INCOMPLETE_SPLIT != 0
        {
            self.complete_split(&mut leaf)?;
        }
        Ok(())
    }
}

/// Whether at most [`MAX_APPEND_DISORDER_PERCENT`] of a leaf's entries are above `entry`. A split
/// then leaves these, and the entries to come, to a new leaf, and this leaf full.
fn is_append<const W: usize>(leaf: &Leaf<'_, W>, entry: &Entry<W>) -> Result<bool> {
    let limit = leaf.live() * MAX_APPEND_DISORDER_PERCENT / 100 + 1;
    let mut above = Vec::with_capacity(limit);
    leaf.forward(entry, &leaf.high(), limit, &mut above)?;
    Ok(above.len() < limit)
}

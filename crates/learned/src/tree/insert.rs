//! Adding an entry.

use super::{Splits, Tree, retry};
use crate::error::Result;
use crate::fences;
use crate::key::Entry;
use crate::leaf::{Added, Contents, Leaf};
use crate::page::{Block, CHURNED, INCOMPLETE_SPLIT, Page};
use crate::store::{Change, Guard, Patch, Store};

/// Where a new entry went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// In place, at the end of the packed region.
    Appended,
    /// Into the insert log.
    Logged,
    /// The leaf was encoded anew with its log merged in.
    Merged,
    /// Into one of two leaves that the leaf became, of which this is the new one on the right.
    Split(Block),
    /// Not at all: the leaf is full, and [`Tree::with_splits`] forbade to split it.
    Full {
        /// Entries die here: see [`crate::page::CHURNED`].
        churned: bool,
    },
}

/// What an insert did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inserted {
    /// The leaf found (after a split the left one).
    pub block: Block,
    /// How it took the entry.
    pub how: How,
    /// How many entries it took.
    pub taken: usize,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Adds an entry that the index does not have. Splits leave the fuller page `fill` percent full.
    pub fn insert(&self, entry: Entry<W>, fill: u8) -> Result<Inserted> {
        self.insert_with(None, entry, &[], fill)
    }

    /// Adds `entry`, and as many of `more`, which follow it in order, as go with it into the same leaf by the same record.
    /// Looks first at the leaf `hint` (where the last insert went, say) and its right sibling: the block must exist; what it holds is checked.
    pub fn insert_with(
        &self,
        mut hint: Option<Block>,
        entry: Entry<W>,
        more: &[Entry<W>],
        fill: u8,
    ) -> Result<Inserted> {
        retry(|| {
            let leaf = self.find_for_write_near(hint.take(), &entry)?;
            self.insert_once(leaf, entry, more, fill)
        })
    }

    /// Adds an entry to the leaf that covers it, as [`Tree::find_for_write`] returned it. No other
    /// page of the tree may be locked.
    pub fn insert_into(&self, leaf: S::Write, entry: Entry<W>, fill: u8) -> Result<Inserted> {
        match self.insert_once(leaf, entry, &[], fill)? {
            Some(inserted) => Ok(inserted),
            None => self.insert(entry, fill),
        }
    }

    /// Adds `entry`, which the leaf covers, and as many of `more` as go with it. Where the leaf has to be halved first
    /// it is let go of without them: None.
    pub(super) fn insert_once(
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
        let (patch, how, taken) = match view.add(&entry, more, fill)? {
            Added::Appended(patch, taken) => (patch, How::Appended, taken),
            Added::Logged(patch, _) if more.is_empty() && view.is_due_for_early_merge() => {
                return self.log_and_merge(leaf, patch).map(Some);
            }
            Added::Logged(patch, taken) => (patch, How::Logged, taken),
            Added::Merged(page) => return self.put_merged(leaf, page).map(Some),
            Added::Split(halves) => return self.put_halves(leaf, *halves, &entry, true),
            Added::Bisected(halves) => return self.put_halves(leaf, *halves, &entry, false),
        };
        self.store
            .commit(&mut [(&mut leaf, Change::Patch(patch))])?;
        Ok(Some(Inserted { block, how, taken }))
    }

    /// Adds an entry to the log, which is soon full, and merges that ahead: while others may use the leaf.
    #[cold]
    #[inline(never)]
    fn log_and_merge(&self, mut leaf: S::Write, patch: Patch) -> Result<Inserted> {
        let block = leaf.block();
        self.store
            .commit(&mut [(&mut leaf, Change::Patch(patch))])?;
        let copy = Box::new(*leaf);
        drop(leaf);
        let (mut how, taken) = (How::Logged, 1);
        let copy = Leaf::<W>::open(&copy, block)?;
        if let Some(merged) = copy.merge_early()? {
            self.store.reached("merge ahead: nothing locked");
            let leaf = self.store.write(block)?;
            if let Some(page) = copy.apply_early_merge(&leaf, merged)? {
                self.put_merged(leaf, page)?;
                how = How::Merged;
            }
        }
        Ok(Inserted { block, how, taken })
    }

    /// Makes the leaf the page that it became with the log and the entry merged in.
    #[cold]
    #[inline(never)]
    fn put_merged(&self, mut leaf: S::Write, page: Box<Page>) -> Result<Inserted> {
        let block = leaf.block();
        let change = Change::between(&leaf, page);
        self.store.reached("merge of the log: leaf locked");
        self.store.commit(&mut [(&mut leaf, change)])?;
        self.store.reached("merge of the log: logged");
        let (how, taken) = (How::Merged, 1);
        Ok(Inserted { block, how, taken })
    }

    /// Puts the two leaves that the leaf became in place, if it may be split, and tells whether they have the entry: None if not.
    #[cold]
    #[inline(never)]
    fn put_halves(
        &self,
        mut leaf: S::Write,
        halves: [Contents<W>; 2],
        entry: &Entry<W>,
        taken: bool,
    ) -> Result<Option<Inserted>> {
        let block = leaf.block();
        let view = Leaf::<W>::open(&leaf, block)?;
        let churned = view.flags() & CHURNED != 0;
        let may_split = match self.splits {
            Splits::Always => true,
            Splits::UnlessChurned => !churned,
            Splits::Never => false,
        };
        if !may_split && !ends_with(&view, entry)? {
            let (how, taken) = (How::Full { churned }, 0);
            return Ok(Some(Inserted { block, how, taken }));
        }
        let right = self.split_leaf(&mut leaf, halves)?;
        self.complete_or_retry(leaf)?;
        let done = Inserted {
            block,
            how: How::Split(right),
            taken: 1,
        };
        Ok(taken.then_some(done))
    }

    /// Adds the downlink that a fresh split lacks. The split is logged already: where the level above
    /// does not come about, the next writer sees to it.
    fn complete_or_retry(&self, mut leaf: S::Write) -> Result<()> {
        if self.complete(&mut leaf)? {
            return Ok(());
        }
        let block = leaf.block();
        drop(leaf);
        self.complete_root()?;
        let mut leaf = self.store.write(block)?;
        if fences::of::<W>(&leaf, block, 0)?.is_some()
            && crate::page::flags(&leaf) & INCOMPLETE_SPLIT != 0
        {
            self.complete(&mut leaf)?;
        }
        Ok(())
    }
}

/// Whether no more than a hundredth of a leaf's entries are above `entry`: a split leaves them, and what is to come, to a new
/// leaf, and this one full.
fn ends_with<const W: usize>(leaf: &Leaf<'_, W>, entry: &Entry<W>) -> Result<bool> {
    let few = leaf.live() / 100 + 1;
    let mut above = Vec::with_capacity(few);
    leaf.forward(entry, &leaf.high(), few, &mut above)?;
    Ok(above.len() < few)
}

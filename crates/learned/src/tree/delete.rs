//! Removing the entries of dead rows from single leaves.

use super::Tree;
use crate::error::Result;
use crate::fences;
use crate::key::Entry;
use crate::leaf::{Dead, Leaf, Suspect};
use crate::page::{Block, CHURNED, THINNED};
use crate::store::{Change, Guard, Store};

/// Question and answer about a leaf, again and again in the same memory.
#[derive(Debug, Default)]
pub(super) struct Asked {
    suspects: Vec<Suspect>,
    dead: Vec<usize>,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Keeps those of `entries` that the page has: none, if it is no leaf any more.
    pub fn retain_present(&self, page: &S::Read, entries: &mut Vec<Entry<W>>) -> Result<()> {
        if fences::of::<W>(page, page.block(), 0)?.is_none() {
            entries.clear();
            return Ok(());
        }
        let leaf = Leaf::<W>::open(page, page.block())?;
        let mut fault = None;
        entries.retain(|entry| {
            leaf.contains(entry).unwrap_or_else(|error| {
                fault = Some(error);
                false
            })
        });
        fault.map_or(Ok(()), Err)
    }

    /// Removes those of `entries` (ascending) that the leaf `block` has. What has moved on is left to
    /// VACUUM. Called without any lock held.
    pub fn delete(&self, block: Block, entries: &[Entry<W>]) -> Result<()> {
        let mut leaf = self.store.write(block)?;
        if fences::of::<W>(&leaf, block, 0)?.is_none() {
            return Ok(());
        }
        let Some(page) = Leaf::<W>::open(&leaf, block)?.delete_entries(entries)? else {
            return Ok(());
        };
        let change = Change::between(&leaf, page);
        self.store.commit(&mut [(&mut leaf, change)])
    }

    /// The ties of the page's entries: none, if it is no leaf any more.
    pub fn ties(&self, page: &S::Read) -> Result<Vec<u64>> {
        let mut ties = Vec::new();
        if fences::of::<W>(page, page.block(), 0)?.is_some() {
            let mut suspects = Vec::new();
            Leaf::<W>::open(page, page.block())?.suspects(&|_| true, &mut suspects)?;
            ties.extend(suspects.iter().map(|one| one.tie));
        }
        Ok(ties)
    }

    /// Encodes the leaf `block` afresh without the entries whose tie is `dead`, to make room for others; gives
    /// their number. What has moved on is left to VACUUM. Called without any lock held.
    pub fn purge(&self, block: Block, dead: &mut dyn Dead) -> Result<usize> {
        let mut leaf = self.store.write(block)?;
        if fences::of::<W>(&leaf, block, 0)?.is_none() {
            return Ok(0);
        }
        self.remove(&mut leaf, dead, &mut Asked::default(), false)
    }

    /// Removes the entries of a leaf whose tie is `dead`, asking once for each suspect; gives their number. A `vacuum` may leave few as tombstones, and takes the mark off
    /// that others have thinned the leaf; these set it. All mark it as churned, until a vacuum finds nothing new.
    pub(super) fn remove(
        &self,
        leaf: &mut S::Write,
        dead: &mut dyn Dead,
        asked: &mut Asked,
        vacuum: bool,
    ) -> Result<usize> {
        let view = Leaf::<W>::open(leaf, leaf.block())?;
        asked.suspects.clear();
        asked.dead.clear();
        view.suspects(dead, &mut asked.suspects)?;
        dead.find(&asked.suspects, &mut asked.dead);
        let flags = view.flags();
        let flags = match (vacuum, asked.dead.is_empty()) {
            // Nothing died here since VACUUM came last.
            (true, true) if flags & THINNED == 0 => flags & !CHURNED,
            (true, true) => flags & !THINNED,
            (true, false) => flags & !THINNED | CHURNED,
            (false, true) => flags,
            (false, false) => flags | THINNED | CHURNED,
        };
        // Nothing is appended in place behind tombstones, so the rightmost leaf had better have none.
        let leave = vacuum && view.high() < Entry::MAX;
        if let Some(change) = view.delete_places(&asked.dead, leave, flags)? {
            self.store.commit(&mut [(leaf, change)])?;
        }
        Ok(asked.dead.len())
    }
}

//! Removing the entries of dead rows from single leaves.

use super::Tree;
use crate::error::Result;
use crate::fences;
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::page::Block;
use crate::store::{Change, Guard, Store};

/// Who knows which rows are dead.
pub trait Dead {
    /// Adds the places in `ties` (ascending) of those whose row is dead. The ties are those of all entries of a leaf, each once, in no order.
    fn find(&mut self, ties: &[u64], places: &mut Vec<usize>);
}

impl<F: FnMut(u64) -> bool> Dead for F {
    fn find(&mut self, ties: &[u64], places: &mut Vec<usize>) {
        places.extend(
            (0..)
                .zip(ties)
                .filter(|(_, tie)| self(**tie))
                .map(|(place, _)| place),
        );
    }
}

/// Question and answer about a leaf, again and again in the same memory.
#[derive(Debug, Default)]
pub(super) struct Asked {
    ties: Vec<u64>,
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
        let Some(page) = Leaf::<W>::open(&leaf, block)?.delete(entries)? else {
            return Ok(());
        };
        let change = Change::between(&leaf, page);
        self.store.commit(&mut [(&mut leaf, change)])
    }

    /// The ties of the page's entries: none, if it is no leaf any more.
    pub fn ties(&self, page: &S::Read) -> Result<Vec<u64>> {
        let mut ties = Vec::new();
        if fences::of::<W>(page, page.block(), 0)?.is_some() {
            Leaf::<W>::open(page, page.block())?.ties(&mut ties)?;
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

    /// Removes the entries of a leaf whose tie is `dead`, asking once for each; gives their number. Where they are few, they may be `left` as tombstones.
    pub(super) fn remove(
        &self,
        leaf: &mut S::Write,
        dead: &mut dyn Dead,
        asked: &mut Asked,
        leave: bool,
    ) -> Result<usize> {
        let view = Leaf::<W>::open(leaf, leaf.block())?;
        asked.ties.clear();
        asked.dead.clear();
        view.ties(&mut asked.ties)?;
        dead.find(&asked.ties, &mut asked.dead);
        if let Some(change) = view.without(&asked.dead, leave)? {
            self.store.commit(&mut [(leaf, change)])?;
        }
        Ok(asked.dead.len())
    }
}

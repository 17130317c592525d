//! Removing the entries of dead rows from single leaves.

use super::Tree;
use crate::error::{Error, Result};
use crate::fences;
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::page::Block;
use crate::store::{Change, Guard, Store};

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
            Leaf::<W>::open(page, page.block())?.ties(|tie| ties.push(tie))?;
        }
        Ok(ties)
    }

    /// Encodes the leaf `block` afresh without the entries whose tie is `dead`, to make room for others; gives
    /// their number. What has moved on is left to VACUUM. Called without any lock held.
    pub fn purge(&self, block: Block, dead: &mut dyn FnMut(u64) -> bool) -> Result<usize> {
        let mut leaf = self.store.write(block)?;
        if fences::of::<W>(&leaf, block, 0)?.is_none() {
            return Ok(0);
        }
        self.remove(&mut leaf, dead)
    }

    /// Removes the entries of a leaf whose tie is `dead`, asking once for each; gives their number.
    pub(super) fn remove(
        &self,
        leaf: &mut S::Write,
        dead: &mut dyn FnMut(u64) -> bool,
    ) -> Result<usize> {
        let block = leaf.block();
        let Some((contents, removed)) = Leaf::<W>::open(leaf, block)?.without(dead)? else {
            return Ok(0);
        };
        let fault = || Error::corrupted(block, "leaf does not fit after removals");
        let page = contents.to_page().ok_or_else(fault)?;
        let change = Change::between(leaf, page);
        self.store.commit(&mut [(leaf, change)])?;
        Ok(removed)
    }
}

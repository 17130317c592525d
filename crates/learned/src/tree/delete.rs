//! Removing entries that scans found dead.

use super::Tree;
use crate::error::Result;
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
}

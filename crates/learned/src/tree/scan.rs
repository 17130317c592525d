//! Locating leaves for scans. A scan's position is an entry; leaves are found anew for it.

use super::Tree;
use super::descend::Target;
use crate::error::Result;
use crate::fences;
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::page::Block;
use crate::store::{Guard, Store};

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Whether the entry is in the index.
    pub fn contains(&self, entry: &Entry<W>) -> Result<bool> {
        let leaf = self.find(entry)?;
        Leaf::<W>::open(&leaf, leaf.block())?.contains(entry)
    }

    /// The last leaf whose low fence is below `entry`, under a share lock; None at the left end.
    pub fn find_before(&self, entry: &Entry<W>) -> Result<Option<S::Read>> {
        if *entry == Entry::MIN {
            return Ok(None);
        }
        self.leaf(&Target::before(entry)).map(Some)
    }

    /// The leaf that follows one with this high fence and right link, under a share lock; None at
    /// the right end. No other lock is held.
    pub fn next(&self, high: &Entry<W>, right: Option<Block>) -> Result<Option<S::Read>> {
        if *high == Entry::MAX {
            return Ok(None);
        }
        if let Some(right) = right {
            let leaf = self.store.read(right)?;
            if fences::of::<W>(&leaf, right, 0)?.is_some_and(|(low, _)| low == *high) {
                return Ok(Some(leaf));
            }
        }
        self.find(high).map(Some)
    }
}

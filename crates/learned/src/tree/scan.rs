//! Finding leaves for scans. The position of a scan is an entry; the leaf is searched for it each
//! time.

use super::Tree;
use super::descend::SearchTarget;
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

    /// The last leaf whose low fence is below `entry`, under a share lock. None: `entry` is the
    /// least one.
    pub fn find_before(&self, entry: &Entry<W>) -> Result<Option<S::Read>> {
        if *entry == Entry::MIN {
            return Ok(None);
        }
        self.leaf(&SearchTarget::below(entry)).map(Some)
    }

    /// The leaf behind a leaf with this high fence and right link, under a share lock. None: that
    /// leaf was the last one. No lock may be held.
    pub fn next(&self, high: &Entry<W>, right: Option<Block>) -> Result<Option<S::Read>> {
        if *high == Entry::MAX {
            return Ok(None);
        }
        if let Some(right) = right {
            let leaf = self.store.read(right)?;
            if fences::begins_at(&leaf, right, 0, high)? {
                return Ok(Some(leaf));
            }
        }
        self.find(high).map(Some)
    }
}

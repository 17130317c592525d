//! Deleting the entries of dead rows from single leaves.

use super::Tree;
use crate::error::Result;
use crate::fences;
use crate::key::Entry;
use crate::leaf::{Dead, Leaf, Suspect};
use crate::page::{Block, CHURNED, THINNED};
use crate::store::{Change, Guard, Store};

/// The entries of a leaf that may be dead, and those of them that are. VACUUM uses the same buffers
/// for all leaves.
#[derive(Debug, Default)]
pub(super) struct DeadBuffers {
    suspects: Vec<Suspect>,
    /// Indexes of `suspects`.
    dead: Vec<usize>,
}

/// What deletes the dead entries of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deleter {
    /// VACUUM. It may leave a few dead entries as tombstones, and it clears the flag [`THINNED`]
    /// that others have set since it last passed the leaf.
    Vacuum,
    /// An insert that needs room. It sets [`THINNED`].
    Insert,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Keeps those of `entries` that the page has: none, if the page is no longer a leaf.
    pub fn retain_present(&self, page: &S::Read, entries: &mut Vec<Entry<W>>) -> Result<()> {
        if fences::read::<W>(page, page.block(), 0)?.is_none() {
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

    /// Deletes those of `entries` (ascending) that the leaf `block` has. Entries that have moved to
    /// another leaf are left to VACUUM. No lock may be held.
    pub fn delete(&self, block: Block, entries: &[Entry<W>]) -> Result<()> {
        let mut leaf = self.store.write(block)?;
        if fences::read::<W>(&leaf, block, 0)?.is_none() {
            return Ok(());
        }
        let Some(page) = Leaf::<W>::open(&leaf, block)?.delete_entries(entries)? else {
            return Ok(());
        };
        let change = Change::between(&leaf, page);
        self.store.commit(&mut [(&mut leaf, change)])
    }

    /// The ties of the page's entries: none, if the page is no longer a leaf.
    pub fn ties(&self, page: &S::Read) -> Result<Vec<u64>> {
        let mut ties = Vec::new();
        if fences::read::<W>(page, page.block(), 0)?.is_some() {
            let mut suspects = Vec::new();
            Leaf::<W>::open(page, page.block())?.suspects(&|_| true, &mut suspects)?;
            ties.extend(suspects.iter().map(|one| one.tie));
        }
        Ok(ties)
    }

    /// Makes room in the leaf `block`: encodes it again without the entries whose tie is `dead`.
    /// Returns the number of entries deleted. Entries that have moved to another leaf are left to
    /// VACUUM. No lock may be held.
    pub fn delete_dead(&self, block: Block, dead: &mut dyn Dead) -> Result<usize> {
        let mut leaf = self.store.write(block)?;
        if fences::read::<W>(&leaf, block, 0)?.is_none() {
            return Ok(0);
        }
        self.delete_dead_from(
            &mut leaf,
            dead,
            &mut DeadBuffers::default(),
            Deleter::Insert,
        )
    }

    /// Deletes the entries of a leaf whose tie is `dead`, which is asked once for each suspect.
    /// Returns the number of entries deleted. The leaf gets the flag [`CHURNED`], which a VACUUM
    /// clears that finds no dead entry and no [`THINNED`].
    pub(super) fn delete_dead_from(
        &self,
        leaf: &mut S::Write,
        dead: &mut dyn Dead,
        buffers: &mut DeadBuffers,
        deleter: Deleter,
    ) -> Result<usize> {
        let view = Leaf::<W>::open(leaf, leaf.block())?;
        buffers.suspects.clear();
        buffers.dead.clear();
        view.suspects(dead, &mut buffers.suspects)?;
        dead.find(&buffers.suspects, &mut buffers.dead);
        let flags = view.flags();
        let is_vacuum = deleter == Deleter::Vacuum;
        let flags = match (is_vacuum, buffers.dead.is_empty()) {
            // Nothing died here since the last VACUUM.
            (true, true) if flags & THINNED == 0 => flags & !CHURNED,
            (true, true) => flags & !THINNED,
            (true, false) => flags & !THINNED | CHURNED,
            (false, true) => flags,
            (false, false) => flags | THINNED | CHURNED,
        };
        // The rightmost leaf gets no tombstones: entries are not appended in place behind them.
        let may_leave_tombstones = is_vacuum && view.high() < Entry::MAX;
        if let Some(change) = view.delete_places(&buffers.dead, may_leave_tombstones, flags)? {
            self.store.commit(&mut [(leaf, change)])?;
        }
        Ok(buffers.dead.len())
    }
}

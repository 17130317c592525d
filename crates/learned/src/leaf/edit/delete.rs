//! Deletion of entries from a leaf.
//!
//! A few entries are deleted by tombstones: that changes a bit of the bitmap for each of them, for
//! which there is always room. Runs are encoded again without their deleted entries where these are
//! many, or where the room is needed: before a split, and where leaves are joined.

use crate::error::Result;
use crate::fences::push_entry;
use crate::key::Entry;
use crate::leaf::edit::contents::Contents;
use crate::leaf::encode::encoder::Encoder;
use crate::leaf::format::owned_run::total_cost;
use crate::leaf::format::{Layout, OwnedRun, bitmap_bytes, bits};
use crate::leaf::read::view::Leaf;
use crate::page::{CHURNED, Page, SPECIAL, THINNED, head, pd};
use crate::policy::leaf::{MAX_TOMBSTONE_SHARE, PARTITION_UNIT, REENCODING_SAMPLE};
use crate::store::{Change, Patch};

impl<const W: usize> Leaf<'_, W> {
    /// The page without those of `entries` (ascending) that it has, marked as thinned. None where
    /// it has none of them. Entries of runs get tombstones and all else stays in place, so the
    /// change is a small one.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read.
    pub fn delete_entries(&self, entries: &[Entry<W>]) -> Result<Option<Box<Page>>> {
        let mut contents = self.contents()?;
        if !contents.delete_entries(entries) {
            return Ok(None);
        }
        contents.flags |= THINNED | CHURNED;
        let fault = || self.fault("does not fit after deletions");
        contents.to_page().map(Some).ok_or_else(fault)
    }

    /// The change that deletes the entries at `places` (ascending, counted as by
    /// [`Leaf::suspects`]) and sets the page's flags to `flags`. None where nothing changes.
    ///
    /// With `leave`, entries of runs get tombstones, as long as the share of slots with tombstones
    /// stays below [`MAX_TOMBSTONE_SHARE`]. Otherwise runs are encoded again without their deleted
    /// entries where that makes them smaller.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read, or the leaf has no such places.
    pub fn delete_places(
        &self,
        places: &[usize],
        leave: bool,
        flags: u16,
    ) -> Result<Option<Change>> {
        let (logged, slots) = places.split_at(places.partition_point(|place| *place < self.log));
        let tombstones = self.tombstones + slots.len();
        let mut patch = Patch::new();
        if flags != self.flags() {
            patch.put(head::FLAGS, &flags.to_le_bytes());
        }
        let flagged = (!patch.is_empty()).then(|| Change::Patch(patch.clone()));
        let many = tombstones > 0 && MAX_TOMBSTONE_SHARE.is_reached(tombstones, self.slots);
        if places.is_empty() && !many {
            return Ok(flagged);
        }
        if leave && !many {
            self.patch_deletions(logged, slots, &mut patch)?;
            return Ok(Some(Change::Patch(patch)));
        }
        let mut contents = self.contents()?;
        let before = contents.bytes();
        contents.delete_places(logged, slots.iter().map(|place| place - self.log));
        if places.is_empty() && contents.bytes() >= before {
            return Ok(flagged);
        }
        contents.flags = flags;
        let fault = || self.fault("does not fit after deletions");
        let page = contents.to_page().ok_or_else(fault)?;
        Ok(Some(Change::between(self.page, page)))
    }

    /// Adds to `patch` what deletes these entries of the log and sets the tombstones of these
    /// slots, which have none yet. Both are places in the leaf.
    fn patch_deletions(&self, logged: &[usize], slots: &[usize], patch: &mut Patch) -> Result<()> {
        if !logged.is_empty() {
            let mut log = Vec::new();
            for i in (0..self.log).filter(|i| logged.binary_search(i).is_err()) {
                push_entry(&mut log, &self.logged(i));
            }
            let upper = SPECIAL - log.len();
            patch.put(pd::UPPER, &(upper as u16).to_le_bytes());
            if !log.is_empty() {
                patch.put(upper, &log);
            }
        }
        let (Some(first), Some(last)) = (slots.first(), slots.last()) else {
            return Ok(());
        };
        let (first, last) = (first - self.log, last - self.log);
        if last >= self.slots {
            return Err(self.fault("has fewer entries than were counted"));
        }
        let mut bitmap = self.bitmap().to_vec();
        bitmap.resize(bitmap_bytes(self.slots), 0);
        for place in slots {
            bits::assign(&mut bitmap, place - self.log, true);
        }
        let tombstones = self.tombstones + slots.len();
        let at = self.data_end();
        patch.put(Layout::<W>::TOMBSTONES, &(tombstones as u16).to_le_bytes());
        patch.put(pd::LOWER, &((at + bitmap.len()) as u16).to_le_bytes());
        let (first, last) = (first / 8, last / 8);
        patch.put(at + first, bitmap.get(first..=last).unwrap_or_default());
        Ok(())
    }
}

impl<const W: usize> Contents<W> {
    /// Deletes those of `entries` (ascending) that are here. Entries of runs get tombstones.
    /// Returns whether there were any.
    fn delete_entries(&mut self, entries: &[Entry<W>]) -> bool {
        let logged = self.log.len();
        self.log.retain(|e| entries.binary_search(e).is_err());
        let mut any = self.log.len() < logged;
        let firsts = self.firsts();
        for e in entries {
            let run = firsts.partition_point(|first| first <= e).saturating_sub(1);
            let Some(owned) = self.runs.get_mut(run) else {
                break;
            };
            let (view, slots) = (owned.run(), owned.header.slots);
            let slot = view.seek(e, 0, slots);
            if slot < slots && view.entry(slot) == *e && !owned.is_deleted(slot) {
                owned.delete(slot);
                any = true;
            }
        }
        any
    }

    /// Deletes these entries of the log and of these slots (both ascending). Runs with deleted
    /// entries are encoded again without them where that is not larger; the others get tombstones.
    /// So contents that fit a page still do.
    pub(in crate::leaf) fn delete_places(
        &mut self,
        logged: &[usize],
        slots: impl Iterator<Item = usize>,
    ) {
        let mut place = 0;
        self.log.retain(|_| {
            place += 1;
            logged.binary_search(&(place - 1)).is_err()
        });
        let mut slots = slots.peekable();
        let mut encoder = Encoder::new();
        let mut runs = Vec::with_capacity(self.runs.len());
        let mut before = 0;
        for mut run in std::mem::take(&mut self.runs) {
            let after = before + run.header.slots;
            while let Some(slot) = slots.next_if(|slot| *slot < after) {
                run.delete(slot - before);
            }
            before = after;
            match encode_live(&run, &mut encoder) {
                Some(encoded) => runs.extend(encoded),
                None => runs.push(run),
            }
        }
        self.runs = runs;
    }

    /// Encodes runs again without their deleted entries where that is not larger.
    pub(in crate::leaf) fn drop_tombstones(&mut self) {
        self.delete_places(&[], std::iter::empty());
    }
}

/// The live entries of `run` as runs without tombstones, of which there may be none. None where
/// `run` has no tombstones, or where these runs are larger.
fn encode_live<const W: usize>(
    run: &OwnedRun<W>,
    encoder: &mut Encoder<W>,
) -> Option<Vec<OwnedRun<W>>> {
    if run.tombstones.is_empty() {
        return None;
    }
    let live = run.live();
    let mut entries = Vec::new();
    if live > 2 * REENCODING_SAMPLE {
        // The beginning of the run tells whether its live entries take more bits than the run.
        let slots = run.header.slots * REENCODING_SAMPLE / live;
        run.slice(0, slots).append_live(&mut entries);
        encoder.plan(&entries, PARTITION_UNIT);
        let enough = entries.len() >= REENCODING_SAMPLE / 2;
        if enough && encoder.estimate() * 8 * live > run.cost() * entries.len() {
            return None;
        }
        entries.clear();
    }
    run.append_live(&mut entries);
    let encoded = encoder.encode(&entries, PARTITION_UNIT);
    (total_cost(&encoded) <= run.cost()).then_some(encoded)
}

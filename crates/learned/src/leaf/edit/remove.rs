//! Removing entries from a leaf for good.
//!
//! A few are left as tombstones: that changes a bit each of a bitmap for which there is always room. Their runs are encoded afresh, without them, when
//! they are many, or when the room is needed: before a split, and where leaves are merged.

use crate::error::Result;
use crate::leaf::edit::contents::{Contents, push_entry};
use crate::leaf::encode::encoder::Encoder;
use crate::leaf::format::bits;
use crate::leaf::format::{Layout, Packed, UNIT};
use crate::leaf::read::view::Leaf;
use crate::page::{SPECIAL, head, pd};
use crate::store::{Change, Patch};

/// So many entries show whether it is worth while to encode a run afresh that is much longer: what lies on a line, with gaps now, may need more bits than before.
const SAMPLE: usize = 128;

impl<const W: usize> Leaf<'_, W> {
    /// What takes the entries at these places (ascending, as [`Leaf::suspects`] counts) off the page; None if nothing changes. With `leave` they
    /// become tombstones as long as less than an eighth of the slots have them. Else all tombstones go, where that saves room. The page gets these `flags`.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read, or there are no such places.
    pub fn without(&self, places: &[usize], leave: bool, flags: u16) -> Result<Option<Change>> {
        let (logged, packed) = places.split_at(places.partition_point(|place| *place < self.log));
        let dead = self.dead + packed.len();
        let mut patch = Patch::new();
        if flags != self.flags() {
            patch.put(head::FLAGS, &flags.to_le_bytes());
        }
        let flagged = (!patch.is_empty()).then(|| Change::Patch(patch.clone()));
        let many = dead > 0 && dead * 8 >= self.slots;
        if places.is_empty() && !many {
            return Ok(flagged);
        }
        if leave && !many {
            self.bury(logged, packed, &mut patch)?;
            return Ok(Some(Change::Patch(patch)));
        }
        let mut contents = self.contents()?;
        let before = contents.bytes();
        contents.remove(logged, packed.iter().map(|place| place - self.log));
        if places.is_empty() && contents.bytes() >= before {
            return Ok(flagged);
        }
        contents.flags = flags;
        let fault = || self.fault("does not fit after removals");
        let page = contents.to_page().ok_or_else(fault)?;
        Ok(Some(Change::between(self.page, page)))
    }

    /// Removes entries of the log, and puts tombstones on some of the slots that have none.
    fn bury(&self, logged: &[usize], packed: &[usize], patch: &mut Patch) -> Result<()> {
        if !logged.is_empty() {
            let mut log = Vec::new();
            for i in (0..self.log).filter(|i| logged.binary_search(i).is_err()) {
                push_entry(&self.logged(i), &mut log);
            }
            let upper = SPECIAL - log.len();
            patch.put(pd::UPPER, &(upper as u16).to_le_bytes());
            if !log.is_empty() {
                patch.put(upper, &log);
            }
        }
        let (Some(first), Some(last)) = (packed.first(), packed.last()) else {
            return Ok(());
        };
        let (first, last) = (first - self.log, last - self.log);
        if last >= self.slots {
            return Err(self.fault("has fewer entries than were counted"));
        }
        let mut bitmap = self.bitmap().to_vec();
        bitmap.resize(self.slots.div_ceil(8), 0);
        for place in packed {
            bits::assign(&mut bitmap, place - self.log, true);
        }
        let dead = self.dead + packed.len();
        let at = self.data_end();
        patch.put(Layout::<W>::COUNTS + 4, &(dead as u16).to_le_bytes());
        patch.put(pd::LOWER, &((at + bitmap.len()) as u16).to_le_bytes());
        let (first, last) = (first / 8, last / 8);
        patch.put(at + first, bitmap.get(first..=last).unwrap_or_default());
        Ok(())
    }
}

impl<const W: usize> Contents<W> {
    /// Deletes entries of the log and of slots (ascending). Packed entries leave tombstones; a run is encoded afresh
    /// without them where that is not larger. So what fitted a page still does.
    pub(in crate::leaf) fn remove(&mut self, logged: &[usize], slots: impl Iterator<Item = usize>) {
        let mut place = 0;
        self.log.retain(|_| {
            place += 1;
            logged.binary_search(&(place - 1)).is_err()
        });
        let mut dying = slots.peekable();
        let mut encoder = Encoder::new();
        let mut entries = Vec::new();
        let mut runs = Vec::with_capacity(self.runs.len());
        let mut before = 0;
        for mut run in std::mem::take(&mut self.runs) {
            let slots = run.head.slots;
            while let Some(slot) = dying.next_if(|slot| *slot < before + slots) {
                if run.dead.is_empty() {
                    run.dead = vec![0; slots.div_ceil(8)];
                }
                bits::assign(&mut run.dead, slot - before, true);
            }
            before += slots;
            if !run.dead.is_empty() {
                let live = slots - run.dead().min(slots);
                if live > 2 * SAMPLE {
                    entries.clear();
                    run.part(0, slots * SAMPLE / live).live(&mut entries);
                    encoder.partition(&entries, UNIT);
                    let enough = entries.len() >= SAMPLE / 2;
                    if enough && encoder.estimate() * 8 * live > run.cost() * entries.len() {
                        runs.push(run);
                        continue;
                    }
                }
                entries.clear();
                run.live(&mut entries);
                let fresh = encoder.encode(&entries, UNIT);
                if fresh.iter().map(Packed::cost).sum::<usize>() <= run.cost() {
                    runs.extend(fresh);
                    continue;
                }
            }
            runs.push(run);
        }
        self.runs = runs;
    }
}

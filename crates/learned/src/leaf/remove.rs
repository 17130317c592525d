//! Removing entries from a leaf for good.
//!
//! A few are left as tombstones: that changes a bit each of a bitmap for which there is always room. Their runs are encoded afresh, without them, when
//! they are many, or when the room is needed: before a split, and where leaves are merged.

use super::bits;
use super::contents::{Contents, push_entry};
use super::encode::{Encoder, Packed};
use super::view::Leaf;
use super::{Layout, UNIT};
use crate::error::Result;
use crate::page::{SPECIAL, pd};
use crate::store::{Change, Patch};

/// So many entries show whether it is worth while to encode a run afresh that is much longer: what lies on a line, with gaps now, may need more bits than before.
const SAMPLE: usize = 256;

impl<const W: usize> Leaf<'_, W> {
    /// Adds the ties of the live entries to `ties`: the log's first, then the runs' in order.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read.
    pub fn ties(&self, ties: &mut Vec<u64>) -> Result<()> {
        ties.extend((0..self.log).map(|i| self.logged(i).tie));
        let bitmap = self.bitmap();
        let mut before = 0;
        for i in 0..self.runs {
            let run = self.run(i)?.run;
            run.ties(|slot, some| {
                if bitmap.is_empty() {
                    ties.extend_from_slice(some);
                    return;
                }
                let live = (before + slot..).zip(some);
                ties.extend(
                    live.filter_map(|(slot, tie)| (!bits::test(bitmap, slot)).then_some(*tie)),
                );
            });
            before += run.head.slots;
        }
        if before != self.slots {
            return Err(self.fault("slots are miscounted"));
        }
        Ok(())
    }

    /// What takes the entries at these places (ascending) of those that [`Leaf::ties`] gives off the page; None if nothing changes. With `leave` they
    /// become tombstones as long as less than an eighth of the slots have them. Else all tombstones go, where that saves room.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read, or there are no such places.
    pub fn without(&self, places: &[usize], leave: bool) -> Result<Option<Change>> {
        let logged = places.partition_point(|place| *place < self.log);
        let dead = self.dead + places.len() - logged;
        let many = dead > 0 && dead * 8 >= self.slots;
        if places.is_empty() && !many {
            return Ok(None);
        }
        if leave && !many {
            return Ok(Some(Change::Patch(self.bury(places.split_at(logged))?)));
        }
        let mut contents = self.contents()?;
        let before = contents.bytes();
        contents.remove(places);
        if places.is_empty() && contents.bytes() >= before {
            return Ok(None);
        }
        let fault = || self.fault("does not fit after removals");
        let page = contents.to_page().ok_or_else(fault)?;
        Ok(Some(Change::between(self.page, page)))
    }

    /// Removes entries of the log, and puts tombstones on some of the slots that have none.
    fn bury(&self, (logged, packed): (&[usize], &[usize])) -> Result<Patch> {
        let mut patch = Patch::new();
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
        let mut bitmap = self.bitmap().to_vec();
        bitmap.resize(self.slots.div_ceil(8), 0);
        let mut slots = (0..self.slots).filter(|&slot| !bits::test(self.bitmap(), slot));
        let (mut passed, mut changed) = (self.log, None);
        for &place in packed {
            let slot = slots.nth(place.saturating_sub(passed));
            let slot = slot.ok_or_else(|| self.fault("has fewer entries than were counted"))?;
            passed = place + 1;
            bits::assign(&mut bitmap, slot, true);
            let first = changed.map_or(slot / 8, |(first, _)| first);
            changed = Some((first, slot / 8));
        }
        if let Some((first, last)) = changed {
            let dead = self.dead + packed.len();
            let at = self.data_end();
            patch.put(Layout::<W>::COUNTS + 4, &(dead as u16).to_le_bytes());
            patch.put(pd::LOWER, &((at + bitmap.len()) as u16).to_le_bytes());
            patch.put(at + first, bitmap.get(first..=last).unwrap_or_default());
        }
        Ok(patch)
    }
}

impl<const W: usize> Contents<W> {
    /// Deletes the live entries at these places (ascending), the log's first. Packed entries leave tombstones; a run is encoded afresh
    /// without them where that is not larger. So what fitted a page still does.
    pub(super) fn remove(&mut self, places: &[usize]) {
        let mut place = 0;
        let mut places = places.iter().peekable();
        let mut is_next = || {
            place += 1;
            places.next_if(|next| **next < place).is_some()
        };
        self.log.retain(|_| !is_next());
        let mut encoder = Encoder::new();
        let mut entries = Vec::new();
        let mut runs = Vec::with_capacity(self.runs.len());
        for mut run in std::mem::take(&mut self.runs) {
            let slots = run.head.slots;
            for slot in 0..slots {
                if !run.is_dead(slot) && is_next() {
                    if run.dead.is_empty() {
                        run.dead = vec![0; slots.div_ceil(8)];
                    }
                    bits::assign(&mut run.dead, slot, true);
                }
            }
            if !run.dead.is_empty() {
                entries.clear();
                run.live(&mut entries);
                let sample = entries
                    .get(..SAMPLE)
                    .filter(|s| entries.len() > 4 * s.len());
                if let Some(sample) = sample {
                    encoder.partition(sample, UNIT);
                    if encoder.estimate() * 8 * entries.len() > run.cost() * sample.len() {
                        runs.push(run);
                        continue;
                    }
                }
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

//! Where new entries go among the slots of a leaf.

use crate::key::Entry;
use crate::leaf::edit::contents::Contents;
use crate::leaf::format::bits;

/// Where a new entry goes: before `slot` of run `run`, or behind the run where `slot` is the number
/// of its slots.
#[derive(Debug, Clone, Copy)]
pub(super) struct InsertPoint<const W: usize> {
    pub run: usize,
    pub slot: usize,
    pub entry: Entry<W>,
}

/// The entries of the slots of those runs that new entries come amid.
#[derive(Debug, Default)]
pub(super) struct UnpackedRuns<const W: usize> {
    entries: Vec<Entry<W>>,
    /// For each run, the end of its entries; those of a run that is not unpacked are none.
    ends: Vec<usize>,
}

impl<const W: usize> UnpackedRuns<W> {
    /// The entries of the slots of run `i`; none where it is not unpacked.
    pub(super) fn slots(&self, i: usize) -> &[Entry<W>] {
        let from = i.checked_sub(1).and_then(|i| self.ends.get(i));
        let to = self.ends.get(i).copied().unwrap_or(0);
        self.entries
            .get(from.copied().unwrap_or(0)..to)
            .unwrap_or_default()
    }
}

impl<const W: usize> Contents<W> {
    /// The entry in the first slot of each run.
    pub(in crate::leaf) fn firsts(&self) -> Vec<Entry<W>> {
        self.runs.iter().map(|r| r.run().entry(0)).collect()
    }

    /// The places of those of `new` (ascending) that have no slot yet. Where a deleted entry is
    /// inserted again, its tombstone is taken away. `unpacked` gets the slots of the runs that new
    /// entries come amid.
    pub(super) fn insert_points(
        &mut self,
        new: &[Entry<W>],
        unpacked: &mut UnpackedRuns<W>,
    ) -> Vec<InsertPoint<W>> {
        let firsts = self.firsts();
        let mut points = Vec::with_capacity(new.len());
        let mut rest = new;
        for (run, owned) in self.runs.iter_mut().enumerate() {
            let count = match firsts.get(run + 1) {
                Some(next) => rest.partition_point(|e| e < next),
                None => rest.len(),
            };
            let (here, later) = rest.split_at(count);
            rest = later;
            if here.is_empty() {
                unpacked.ends.push(unpacked.entries.len());
                continue;
            }
            let slots = owned.header.slots;
            let last = owned.run().entry(slots - 1);
            let from = unpacked.entries.len();
            if here.first().is_some_and(|e| *e <= last) {
                owned.run().ascend(0, slots, &mut unpacked.entries);
            }
            unpacked.ends.push(unpacked.entries.len());
            let entries = unpacked.entries.get(from..).unwrap_or_default();
            let mut slot = 0;
            for &entry in here {
                slot = if entry > last {
                    slots
                } else {
                    gallop(entries, slot, &entry)
                };
                if entries.get(slot) == Some(&entry) {
                    bits::assign(&mut owned.tombstones, slot, false);
                } else {
                    points.push(InsertPoint { run, slot, entry });
                }
            }
            if owned.deleted() == 0 {
                owned.tombstones.clear();
            }
        }
        if self.runs.is_empty() {
            points.extend(new.iter().map(|&entry| InsertPoint {
                run: 0,
                slot: 0,
                entry,
            }));
        }
        points
    }
}

/// The first of `entries` (ascending), from number `from` on, that is not below `e`, or their
/// number. All before `from` are below `e`.
pub(super) fn gallop<const W: usize>(entries: &[Entry<W>], from: usize, e: &Entry<W>) -> usize {
    let (mut from, mut step) = (from, 1);
    while entries.get(from + step - 1).is_some_and(|at| at < e) {
        from += step;
        step *= 2;
    }
    let end = entries.len().min(from + step);
    from + entries
        .get(from..end)
        .map_or(0, |some| some.partition_point(|at| at < e))
}

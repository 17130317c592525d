//! The insert log's entries, and one more, into a leaf's runs.

use crate::key::Entry;
use crate::leaf::edit::contents::Contents;
use crate::leaf::encode::encoder::Encoder;
use crate::leaf::format::{Layout, Packed, UNIT, bits};

/// So few entries, merged at once, do not tell what is to come ([`Contents::latest`]).
const FEW: usize = 8;

/// Where a new entry goes: before `slot` of run `run` (its number of slots: behind it).
#[derive(Debug, Clone, Copy)]
struct InsertPoint<const W: usize> {
    run: usize,
    slot: usize,
    entry: Entry<W>,
}

/// The slots of those runs that new entries come amid, unpacked.
#[derive(Debug, Default)]
struct Unpacked<const W: usize> {
    entries: Vec<Entry<W>>,
    /// Where each run's end among them.
    ends: Vec<usize>,
}

impl<const W: usize> Unpacked<W> {
    /// The slots of run `i`; none if it is not here.
    fn of(&self, i: usize) -> &[Entry<W>] {
        let from = i.checked_sub(1).and_then(|i| self.ends.get(i));
        let to = self.ends.get(i).copied().unwrap_or(0);
        self.entries
            .get(from.copied().unwrap_or(0)..to)
            .unwrap_or_default()
    }
}

impl<const W: usize> Contents<W> {
    /// Adds an entry and merges the insert log into the runs. An entry that is here already stays once. New entries that follow a run
    /// and fit it are appended to it. Of the other runs only those that new entries come amid, and tiny ones beside them, change: they are
    /// encoded afresh, without their deleted entries, or cut around the new entries as they are, whichever is smaller, as far as can be told
    /// without encoding both ways.
    pub fn insert(&mut self, e: Entry<W>) {
        self.merge(&self.log_and(Some(e)));
    }

    /// Merges the insert log into the runs.
    pub(in crate::leaf) fn merge_log(&mut self) {
        self.merge(&self.log_and(None));
    }

    /// The log's entries, and one more, in order.
    pub(in crate::leaf) fn log_and(&self, e: Option<Entry<W>>) -> Vec<Entry<W>> {
        let mut all: Vec<_> = self.log.iter().copied().chain(e).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Merges the log, which is `new` or part of it, and what else there is in `new` (ascending) into the runs.
    pub(in crate::leaf) fn merge(&mut self, new: &[Entry<W>]) {
        self.log.clear();
        self.latest = match new {
            [first, .., last] if new.len() > FEW => Some((*first, *last)),
            _ => None,
        };
        let mut unpacked = Unpacked::default();
        let mut places = self.places(new, &mut unpacked);
        self.extend_runs(&mut places);
        if places.is_empty() {
            return;
        }
        let hot = hot(&self.runs, &places);
        let mut old = std::mem::take(&mut self.runs).into_iter();
        let mut encoder = Encoder::new();
        let mut places = places.as_slice();
        let mut start = 0;
        loop {
            let rest = hot.get(start..).unwrap_or_default();
            let end = start + rest.iter().take_while(|hot| **hot).count();
            let region: Vec<_> = old.by_ref().take(end - start).collect();
            let is_here = |p: &&InsertPoint<W>| p.run < end || (p.run == end && p.slot == 0);
            let (here, later) = places.split_at(places.iter().take_while(is_here).count());
            places = later;
            if here.is_empty() {
                self.runs.extend(region);
            } else if region.is_empty() {
                let entries: Vec<_> = here.iter().map(|p| p.entry).collect();
                self.runs.extend(encoder.encode(&entries, UNIT));
            } else {
                self.merge_region(&mut encoder, &region, start, here, &unpacked);
            }
            let Some(cold) = old.next() else { break };
            self.runs.push(cold);
            start = end + 1;
        }
    }

    /// Appends new entries to the runs that they follow, as far as they fit there; the others stay, and those that may be better off in a run of
    /// their own, since they would take more than two headers' room.
    fn extend_runs(&mut self, places: &mut Vec<InsertPoint<W>>) {
        let mut left = Vec::with_capacity(places.len());
        for here in places.chunk_by(|a, b| a.run == b.run) {
            let mut taken = 0;
            if let Some(p) = here.first()
                && let Some(run) = self.runs.get_mut(p.run)
                && p.slot == run.head.slots
                && here.len() * run.head.record() <= 2 * 8 * Layout::<W>::RUN
            {
                taken = run.extend(here.iter().map(|p| &p.entry));
            }
            // The run's end has moved.
            left.extend(here.iter().skip(taken).map(|p| InsertPoint {
                slot: p.slot + taken,
                ..*p
            }));
        }
        *places = left;
    }

    /// Whether the runs amid which (not behind which) a merge would put entries (ascending) have more than `most` slots.
    pub(in crate::leaf) fn touches_more(&self, new: &[Entry<W>], most: usize) -> bool {
        let firsts = self.firsts();
        let (mut slots, mut at) = (0, 0);
        for (i, (run, first)) in self.runs.iter().zip(&firsts).enumerate() {
            at = gallop(new, at, first);
            let Some(e) = new.get(at) else { break };
            // Then this run's end need not be decoded.
            let elsewhere = firsts.get(i + 1).is_some_and(|next| e >= next);
            if !elsewhere && *e < run.run().entry(run.head.slots - 1) {
                slots += run.head.slots;
                if slots > most {
                    return true;
                }
            }
        }
        false
    }

    /// The first slot's entry of each run.
    pub(in crate::leaf) fn firsts(&self) -> Vec<Entry<W>> {
        self.runs.iter().map(|r| r.run().entry(0)).collect()
    }

    /// Where entries (ascending) that are not here yet go. Deleted ones come back to life in their slots.
    fn places(&mut self, new: &[Entry<W>], unpacked: &mut Unpacked<W>) -> Vec<InsertPoint<W>> {
        let firsts = self.firsts();
        let mut places = Vec::with_capacity(new.len());
        let mut rest = new;
        for (run, packed) in self.runs.iter_mut().enumerate() {
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
            let slots = packed.head.slots;
            let last = packed.run().entry(slots - 1);
            let from = unpacked.entries.len();
            if here.first().is_some_and(|e| *e <= last) {
                packed.run().ascend(0, slots, &mut unpacked.entries);
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
                    bits::assign(&mut packed.dead, slot, false);
                } else {
                    places.push(InsertPoint { run, slot, entry });
                }
            }
            if packed.dead() == 0 {
                packed.dead.clear();
            }
        }
        if self.runs.is_empty() {
            let place = |&entry| InsertPoint {
                run: 0,
                slot: 0,
                entry,
            };
            places.extend(new.iter().map(place));
        }
        places
    }

    /// Appends the runs of `region`, which starts at run `first`, with the new entries to `self.runs`.
    fn merge_region(
        &mut self,
        encoder: &mut Encoder<W>,
        region: &[Packed<W>],
        first: usize,
        new: &[InsertPoint<W>],
        unpacked: &Unpacked<W>,
    ) {
        let count = new.len();
        let slots = region.iter().map(|r| r.head.slots).sum::<usize>();
        let mut all = Vec::with_capacity(slots + count);
        // Where runs end, with their new entries.
        let mut ends = Vec::with_capacity(region.len());
        let mut live = Vec::new();
        let mut rest = new;
        for (i, run) in region.iter().enumerate() {
            let is_here = |p: &&InsertPoint<W>| p.run <= first + i;
            let (here, later) = rest.split_at(rest.iter().take_while(is_here).count());
            let mut old = unpacked.of(first + i);
            if old.len() != run.head.slots || !run.dead.is_empty() {
                live.clear();
                run.live(&mut live);
                old = &live;
            }
            let mut done = 0;
            for p in here {
                let at = match p.run < first + i {
                    true => 0,
                    false if run.dead.is_empty() => p.slot,
                    false => gallop(old, done, &p.entry),
                };
                all.extend_from_slice(old.get(done..at).unwrap_or_default());
                all.push(p.entry);
                done = at;
            }
            all.extend_from_slice(old.get(done..).unwrap_or_default());
            ends.push(all.len());
            rest = later;
        }
        all.extend(rest.iter().map(|p| p.entry));
        let cost = |runs: &[Packed<W>]| runs.iter().map(Packed::cost).sum::<usize>();
        let before = cost(region);
        // Where new entries go, and those that go to one place in such numbers that they may be runs of their own either way.
        let (mut gaps, mut many) = (0, 0);
        for gap in new.chunk_by(|a, b| (a.run, a.slot) == (b.run, b.slot)) {
            gaps += 1;
            many += if gap.len() > UNIT { gap.len() } else { 0 };
        }
        // About the same runs are to be expected, as long as they are as dense. Scattered entries make any less so.
        encoder.partition_between(&all, &ends);
        let old = all.len() - count;
        if gaps * 2 <= count && encoder.estimate() * 8 * 32 * old > before * 33 * all.len() {
            encoder.partition(&all, UNIT);
        }
        // Cutting costs one or two headers a gap, and the new entries: often that settles it. Many of them take no less than a quarter of what they take
        // afresh.
        let most = before + gaps * 16 * (Layout::<W>::RUN + 1) + count * 8 * Layout::<W>::ENTRY;
        if encoder.estimate() * 7 > most {
            self.runs.extend(cut_around(encoder, region, first, new));
        } else {
            let fresh = encoder.runs();
            let fresh_cost = cost(&fresh);
            let many = many * fresh_cost / (4 * all.len()).max(1);
            let least = before + gaps * 8 * Layout::<W>::RUN + many;
            if fresh_cost <= least {
                self.runs.extend(fresh);
            } else {
                let cut = cut_around(encoder, region, first, new);
                self.runs
                    .extend(if fresh_cost <= cost(&cut) { fresh } else { cut });
            }
        }
    }
}

/// Which runs are to be encoded again with the new entries: those that these come amid, and tiny ones. A larger one that they only follow
/// is not worth it: they gather in runs beside it until they are an eighth of it.
fn hot<const W: usize>(old: &[Packed<W>], places: &[InsertPoint<W>]) -> Vec<bool> {
    let mut hot = vec![false; old.len()];
    let mut rest = places;
    // Entries to be encoded behind the run at hand: all new ones, and those of tiny runs.
    let mut loose = 0;
    for (i, (run, hot)) in old.iter().zip(&mut hot).enumerate().rev() {
        let (before, here) =
            rest.split_at(rest.iter().rposition(|p| p.run < i).map_or(0, |p| p + 1));
        rest = before;
        let slots = run.head.slots;
        if slots <= UNIT {
            loose += slots + here.len();
            *hot = true;
            continue;
        }
        let amid = here.iter().any(|p| p.slot > 0 && p.slot < slots);
        *hot = amid || !here.is_empty() && slots <= 8 * (here.len() + loose);
        loose = 0;
    }
    hot
}

/// The first of `entries` from `from` on that is not below `e`, or their number; those before it are.
fn gallop<const W: usize>(entries: &[Entry<W>], from: usize, e: &Entry<W>) -> usize {
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

/// The runs of `region`, cut where new entries go, with these in runs of their own between.
fn cut_around<const W: usize>(
    encoder: &mut Encoder<W>,
    region: &[Packed<W>],
    first: usize,
    new: &[InsertPoint<W>],
) -> Vec<Packed<W>> {
    let mut out = Vec::new();
    let mut new = new.iter().peekable();
    let mut gap = Vec::new();
    // New entries behind the runs before the region.
    while let Some(p) = new.next_if(|p| p.run < first) {
        gap.push(p.entry);
    }
    for (i, run) in region.iter().enumerate() {
        let slots = run.head.slots;
        let mut done = 0;
        while let Some(p) = new.next_if(|p| p.run == first + i) {
            if p.slot > done {
                flush(encoder, &mut gap, &mut out);
                out.push(run.part(done, p.slot));
                done = p.slot;
            }
            gap.push(p.entry);
        }
        if done < slots {
            flush(encoder, &mut gap, &mut out);
            out.push(run.part(done, slots));
        }
    }
    // Behind the region, or, where it has no runs left, all of them.
    gap.extend(new.map(|p| p.entry));
    flush(encoder, &mut gap, &mut out);
    out
}

fn flush<const W: usize>(
    encoder: &mut Encoder<W>,
    gap: &mut Vec<Entry<W>>,
    out: &mut Vec<Packed<W>>,
) {
    if !gap.is_empty() {
        out.extend(encoder.encode(gap, UNIT));
        gap.clear();
    }
}

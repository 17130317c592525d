//! The owned form of a leaf, for changes that are more than a patch.

use super::encode::{Encoder, Packed, encode};
use super::view::Leaf;
use super::{Layout, MAX_SLOTS, UNIT, bits};
use crate::error::Result;
use crate::key::Entry;
use crate::page::{self, Block, Kind, NO_BLOCK, Page, SPECIAL, head, pd};

/// A leaf's contents: fences, links, runs, tombstones, insert log.
#[derive(Debug, Clone)]
pub struct Contents<const W: usize> {
    /// Low fence, inclusive.
    pub low: Entry<W>,
    /// High fence, exclusive.
    pub high: Entry<W>,
    /// Right sibling.
    pub right: Option<Block>,
    /// Flag bits.
    pub flags: u16,
    pub(super) runs: Vec<Packed<W>>,
    /// Newest first, as on the page.
    pub(super) log: Vec<Entry<W>>,
    /// The lowest and the highest of the entries merged last, if they were more than a few.
    pub(super) latest: Option<(Entry<W>, Entry<W>)>,
}

/// Where a new entry goes: before `slot` of run `run` (its number of slots: behind it).
struct Place<const W: usize> {
    run: usize,
    slot: usize,
    entry: Entry<W>,
}

impl<const W: usize> Leaf<'_, W> {
    /// The page's contents in owned form, runs as they are.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read.
    pub fn contents(&self) -> Result<Contents<W>> {
        let mut runs = Vec::with_capacity(self.runs);
        let mut before = 0;
        for i in 0..self.runs {
            let run = self.run(i)?.run;
            let slots = run.head.slots;
            let mut dead = Vec::new();
            if self.dead > 0 {
                dead = bits::copy(self.bitmap(), before, slots);
                if bits::count(&dead) == 0 {
                    dead.clear();
                }
            }
            before += slots;
            let bits = slots * run.head.record();
            runs.push(Packed {
                head: run.head,
                data: bits::copy(run.data, 0, bits),
                dead,
            });
        }
        if before != self.slots {
            return Err(self.fault("slots are miscounted"));
        }
        Ok(Contents {
            low: self.low(),
            high: self.high(),
            right: self.right(),
            flags: self.flags(),
            runs,
            log: (0..self.log).map(|i| self.logged(i)).collect(),
            latest: None,
        })
    }
}

impl<const W: usize> Contents<W> {
    /// No entries between these fences; no right sibling, no flags.
    pub fn empty(low: Entry<W>, high: Entry<W>) -> Self {
        Self {
            low,
            high,
            right: None,
            flags: 0,
            runs: Vec::new(),
            log: Vec::new(),
            latest: None,
        }
    }

    /// Number of live entries.
    pub fn live(&self) -> usize {
        let packed: usize = self
            .runs
            .iter()
            .map(|r| r.head.slots - r.dead().min(r.head.slots))
            .sum();
        packed + self.log.len()
    }

    /// The live entries in order, the log's among them.
    pub fn entries(&self) -> Vec<Entry<W>> {
        let mut all = Vec::with_capacity(self.slots() + self.log.len());
        for run in &self.runs {
            run.live(&mut all);
        }
        if !self.log.is_empty() {
            all.extend_from_slice(&self.log);
            all.sort();
        }
        all
    }

    /// Slots of all runs.
    pub(super) fn slots(&self) -> usize {
        self.runs.iter().map(|r| r.head.slots).sum()
    }

    /// Bytes that the page would take of [`Layout::ROOM`], room for a bitmap included.
    pub(super) fn bytes(&self) -> usize {
        let runs: usize = self
            .runs
            .iter()
            .map(|r| Layout::<W>::RUN + r.data.len())
            .sum();
        runs + self.slots().div_ceil(8) + self.log.len() * Layout::<W>::ENTRY
    }

    /// Whether the page would be so full that its log could take only a few entries.
    pub fn is_tight(&self) -> bool {
        let most = Layout::<W>::ROOM - Layout::<W>::LEAST * Layout::<W>::ENTRY;
        self.bytes() > most || self.slots() + Layout::<W>::LEAST > MAX_SLOTS
    }

    /// Whether [`Self::to_page`] would give a page.
    pub(super) fn fits(&self) -> bool {
        self.bytes() <= Layout::<W>::ROOM
            && self.slots() <= MAX_SLOTS
            && self.log.len() <= Layout::<W>::LOG
    }

    /// Adds an entry to the insert log, if that has room for it.
    pub(super) fn try_log(&mut self, e: Entry<W>) -> bool {
        let room = self.log.len() < Layout::<W>::LOG
            && self.bytes() + Layout::<W>::ENTRY <= Layout::<W>::ROOM
            && e.tie != 0;
        if room {
            self.log.insert(0, e);
        }
        room
    }

    /// Adds an entry and merges the insert log into the runs. An entry that is here already stays once. Only the runs
    /// touched and tiny ones beside them change: they are encoded afresh, without their deleted
    /// entries, or cut around the new entries as they are, whichever is smaller.
    pub fn insert(&mut self, e: Entry<W>) {
        self.merge(Some(e));
    }

    /// Merges the log, and one more entry, into the runs.
    pub(super) fn merge(&mut self, e: Option<Entry<W>>) {
        let mut new = std::mem::take(&mut self.log);
        new.extend(e);
        new.sort_unstable();
        new.dedup();
        self.latest = match new.as_slice() {
            [first, .., last] if new.len() > Layout::<W>::LEAST => Some((*first, *last)),
            _ => None,
        };
        let places = self.places(&new);
        if places.is_empty() {
            return;
        }
        let old = std::mem::take(&mut self.runs);
        let mut touched = vec![false; old.len()];
        for p in &places {
            if let Some(t) = touched.get_mut(p.run) {
                *t = true;
            }
        }
        let tiny = |i: usize| old.get(i).is_some_and(|r| r.head.slots <= UNIT);
        let hot = |i: usize| touched.get(i).is_some_and(|t| *t) || tiny(i);
        if old.is_empty() {
            self.runs = encode(&new);
            return;
        }
        let mut encoder = Encoder::new();
        let mut places = places.as_slice();
        let mut i = 0;
        while i < old.len() {
            let mut end = i;
            while hot(end) {
                end += 1;
            }
            let region = old.get(i..end).unwrap_or_default();
            let count = places.iter().take_while(|p| p.run < end).count();
            let (here, rest) = places.split_at(count);
            if here.is_empty() {
                // Nothing new: up to the end of the region as it was, at least one run.
                let end = end.max(i + 1);
                self.runs
                    .extend_from_slice(old.get(i..end).unwrap_or_default());
                i = end;
                continue;
            }
            places = rest;
            self.merge_region(&mut encoder, region, i, here);
            i = end;
        }
    }

    /// Slots of the runs amid which (not behind which) a merge would put `e` or an entry of the log.
    pub(super) fn touched_slots(&self, e: &Entry<W>) -> usize {
        let mut new: Vec<_> = self.log.iter().chain([e]).collect();
        new.sort_unstable();
        let mut new = new.as_slice();
        let mut slots = 0;
        for run in &self.runs {
            let run = run.run();
            let (first, last) = (run.entry(0), run.entry(run.head.slots - 1));
            let before = new.partition_point(|e| **e < first);
            let count = new.partition_point(|e| **e < last);
            if count > before {
                slots += run.head.slots;
            }
            new = new.get(count..).unwrap_or_default();
        }
        slots
    }

    /// The first slot's entry of each run.
    pub(super) fn firsts(&self) -> Vec<Entry<W>> {
        self.runs.iter().map(|r| r.run().entry(0)).collect()
    }

    /// Where entries (ascending) that are not here yet go. Deleted ones come back to life in their slots.
    fn places(&mut self, new: &[Entry<W>]) -> Vec<Place<W>> {
        let firsts = self.firsts();
        let mut places = Vec::with_capacity(new.len());
        for &entry in new {
            let run = firsts.partition_point(|f| *f <= entry).saturating_sub(1);
            let mut slot = 0;
            if let Some(packed) = self.runs.get_mut(run) {
                let view = packed.run();
                slot = view.seek(&entry, 0, view.head.slots);
                if slot < view.head.slots && view.entry(slot) == entry {
                    bits::assign(&mut packed.dead, slot, false);
                    if packed.dead() == 0 {
                        packed.dead.clear();
                    }
                    continue;
                }
            }
            places.push(Place { run, slot, entry });
        }
        places
    }

    /// Appends the runs of `region`, which starts at run `first`, with the new entries to `self.runs`.
    fn merge_region(
        &mut self,
        encoder: &mut Encoder<W>,
        region: &[Packed<W>],
        first: usize,
        new: &[Place<W>],
    ) {
        // A large run that only grows at an end is not worth encoding again: new entries gather in
        // runs beside it until they are an eighth of it.
        let mut region = region;
        let mut first = first;
        let count = new.len();
        let slots = |runs: &[Packed<W>]| runs.iter().map(|r| r.head.slots).sum::<usize>();
        let mut kept_behind = None;
        if let Some((head, tail)) = region.split_first()
            && head.head.slots > 8 * (slots(tail) + count)
            && new
                .iter()
                .all(|p| p.run > first || p.slot == head.head.slots)
        {
            self.runs.push(head.clone());
            region = tail;
            first += 1;
        } else if let Some((last, before)) = region.split_last()
            && last.head.slots > 8 * (slots(before) + count)
            && new
                .iter()
                .all(|p| p.run < first + before.len() || (before.is_empty() && p.slot == 0))
        {
            kept_behind = Some(last);
            region = before;
        }
        let mut all = Vec::with_capacity(slots(region) + count);
        let mut ends = Vec::with_capacity(region.len());
        for (i, run) in region.iter().enumerate() {
            run.live(&mut all);
            ends.push(all.len() + new.partition_point(|p| p.run <= first + i));
        }
        let old = all.len();
        insert_all(&mut all, new);
        let cost = |runs: &[Packed<W>]| runs.iter().map(Packed::cost).sum::<usize>();
        // About the same runs are to be expected, as long as they are as dense.
        let before = cost(region);
        encoder.partition_between(&all, &ends);
        if encoder.estimate() * 8 * 32 * old > before * 33 * all.len() {
            encoder.partition(&all, UNIT);
        }
        // Cutting costs one or two headers a gap, and the new entries: often that settles it.
        let gaps = new
            .chunk_by(|a, b| (a.run, a.slot) == (b.run, b.slot))
            .count();
        let least = before + gaps * 8 * Layout::<W>::RUN;
        let most = before + gaps * 16 * (Layout::<W>::RUN + 1) + count * 8 * Layout::<W>::ENTRY;
        if encoder.estimate() * 7 > most {
            self.runs.extend(cut_around(region, first, new));
        } else {
            let fresh = encoder.runs();
            let fresh_cost = cost(&fresh);
            if fresh_cost <= least {
                self.runs.extend(fresh);
            } else {
                let cut = cut_around(region, first, new);
                self.runs
                    .extend(if fresh_cost <= cost(&cut) { fresh } else { cut });
            }
        }
        self.runs.extend(kept_behind.cloned());
    }

    /// The page; None where the contents do not fit one.
    pub fn to_page(&self) -> Option<Box<Page>> {
        if !self.fits() {
            return None;
        }
        let mut page = page::init(Kind::Leaf, 0, W);
        let right = self.right.unwrap_or(NO_BLOCK);
        page::put(&mut page, head::FLAGS, &self.flags.to_le_bytes());
        page::put(&mut page, head::RIGHT, &right.to_le_bytes());
        let mut out = Vec::with_capacity(Layout::<W>::ROOM);
        push_entry(&self.low, &mut out);
        push_entry(&self.high, &mut out);
        let slots = self.slots();
        let dead: usize = self.runs.iter().map(Packed::dead).sum();
        for count in [self.runs.len(), slots, dead, 0] {
            out.extend_from_slice(&(count as u16).to_le_bytes());
        }
        let mut data = Layout::<W>::DIRECTORY + self.runs.len() * Layout::<W>::RUN;
        for run in &self.runs {
            run.head.write(data, &mut out);
            data += run.data.len();
        }
        for run in &self.runs {
            out.extend_from_slice(&run.data);
        }
        if dead > 0 {
            let mut bitmap = bits::Writer::new(slots);
            for run in &self.runs {
                for from in (0..run.head.slots).step_by(64) {
                    let width = (run.head.slots - from).min(64) as u32;
                    bitmap.push(bits::read(&run.dead, from, width, bits::mask(width)), width);
                }
            }
            out.extend_from_slice(&bitmap.finish());
        }
        page::put(&mut page, head::END, &out);
        let lower = head::END + out.len();
        page::put(&mut page, pd::LOWER, &(lower as u16).to_le_bytes());
        let upper = SPECIAL - self.log.len() * Layout::<W>::ENTRY;
        page::put(&mut page, pd::UPPER, &(upper as u16).to_le_bytes());
        out.clear();
        for e in &self.log {
            push_entry(e, &mut out);
        }
        page::put(&mut page, upper, &out);
        Some(page)
    }
}

/// Appends an entry's plain bytes.
pub(super) fn push_entry<const W: usize>(e: &Entry<W>, out: &mut Vec<u8>) {
    for word in e.key.iter().chain([&e.tie]) {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

/// Inserts ascending entries into ascending ones.
fn insert_all<const W: usize>(all: &mut Vec<Entry<W>>, new: &[Place<W>]) {
    let mut end = all.len();
    all.resize(end + new.len(), Entry::MIN);
    // From the back: what is above entry `i` moves by i + 1 at once.
    for (i, place) in new.iter().enumerate().rev() {
        let before = all.get(..end).unwrap_or_default();
        let at = before.partition_point(|e| *e < place.entry);
        all.copy_within(at..end, at + i + 1);
        if let Some(to) = all.get_mut(at + i) {
            *to = place.entry;
        }
        end = at;
    }
}

/// The runs of `region`, cut where new entries go, with these in runs of their own between.
fn cut_around<const W: usize>(
    region: &[Packed<W>],
    first: usize,
    new: &[Place<W>],
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
                flush(&mut gap, &mut out);
                out.push(run.part(done, p.slot));
                done = p.slot;
            }
            gap.push(p.entry);
        }
        if done < slots {
            flush(&mut gap, &mut out);
            out.push(run.part(done, slots));
        }
    }
    // Behind the region, or, where it has no runs left, all of them.
    gap.extend(new.map(|p| p.entry));
    flush(&mut gap, &mut out);
    out
}

fn flush<const W: usize>(gap: &mut Vec<Entry<W>>, out: &mut Vec<Packed<W>>) {
    if !gap.is_empty() {
        out.extend(encode(gap));
        gap.clear();
    }
}

//! A scan over a range of entries, in both directions, in batches.
//!
//! The cursor's position is an entry, never a slot or a block: between two batches the leaf may be
//! re-encoded, split, merged or reused. A batch holds **all** entries of the range within
//! `[low, high)`, so the next one continues at either edge, whatever happened to the pages.
//! Several ranges (`= ANY`), in ascending order, follow one another. Conditions that no range
//! expresses filter the entries of each batch.
//! The first batches are small: most scans end after a few rows.

use crate::error::{Error, Result};
use crate::fences;
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::page::Block;
use crate::range::Range;
use crate::search::{self, Condition};
use crate::skip::{self, successor};
use crate::store::{Guard, Store};
use crate::tree::Tree;

/// Entries of the first batch.
const FIRST: usize = 32;
/// Each batch is that many times as long as the one before.
const GROWTH: usize = 8;
/// Entries of the longest batch.
const LONGEST: usize = 1024;

/// A batch has to lead on from its edge, else a damaged leaf could be read for ever.
const OUT_OF_ORDER: &str = "entries are not in order";

/// "Before the first entry" of a batch, in the order in which it was read.
const BEFORE: usize = usize::MAX;

/// A scan's ranges, filters, position and batch. It owns no page and borrows nothing, so it can be kept
/// between calls and used for one range after another.
#[derive(Debug)]
pub struct Cursor<const W: usize> {
    range: Range<W>,
    /// No entry of the batch needs a recheck.
    exact: bool,
    /// All ranges, where there are several, of which `range` is the one at `current`.
    ranges: Vec<Range<W>>,
    current: usize,
    /// Entries that one of these does not admit are left out of the batch.
    filters: Vec<Condition<W>>,
    /// Whether a batch was asked for since the range was set.
    started: bool,
    /// In the order in which they were read.
    batch: Vec<Entry<W>>,
    descending: bool,
    /// The entry last returned, as an index of `batch`; [`BEFORE`] or the length next to its ends.
    at: usize,
    low: Entry<W>,
    high: Entry<W>,
    limit: usize,
    trail: Trail,
    /// The fences that the batch's leaf had.
    fences: (Entry<W>, Entry<W>),
    /// Changes with each batch.
    serial: u64,
}

/// Where the leaf was that the batch came from: a hint.
#[derive(Debug, Clone, Copy)]
enum Trail {
    None,
    /// It may have more of the range.
    Within(Block),
    /// The batch ends where this leaf ends, and this was its right link.
    Finished(Block, Option<Block>),
}

/// A position to come back to.
#[derive(Debug, Clone, Copy)]
pub struct Mark<const W: usize> {
    place: MarkedPlace<W>,
    current: usize,
    serial: u64,
    at: usize,
}

/// Where several cursors with the same ranges and filters, which share the work of one scan, go on. Without
/// references, so it may be kept in memory that processes share.
#[derive(Debug, Clone, Copy)]
pub struct SharedPosition<const W: usize> {
    current: usize,
    edge: Entry<W>,
    trail: Trail,
    fences: (Entry<W>, Entry<W>),
}

#[derive(Debug, Clone, Copy)]
enum MarkedPlace<const W: usize> {
    Unstarted,
    On(Entry<W>),
    /// Between entries, at the range's end.
    Edge(Entry<W>),
}

impl<const W: usize> Default for Cursor<W> {
    fn default() -> Self {
        Self {
            range: Range::NONE,
            exact: true,
            ranges: Vec::new(),
            current: 0,
            filters: Vec::new(),
            started: false,
            batch: Vec::with_capacity(FIRST),
            descending: false,
            at: BEFORE,
            low: Entry::MIN,
            high: Entry::MIN,
            limit: FIRST,
            trail: Trail::None,
            fences: (Entry::MIN, Entry::MIN),
            serial: 0,
        }
    }
}

impl<const W: usize> Cursor<W> {
    /// Begins anew with another range.
    #[inline]
    pub fn reset(&mut self, range: Range<W>) {
        self.ranges.clear();
        self.filters.clear();
        self.rewind(range);
    }

    /// Begins anew with the entries that satisfy conditions on the key's columns, which are in the key's order.
    pub fn search(&mut self, conditions: &[Condition<W>]) {
        self.ranges.clear();
        self.filters.clear();
        let used = search::ranges(conditions, &mut self.ranges);
        let filters = conditions.get(used..).unwrap_or_default();
        self.filters.extend_from_slice(filters);
        let first = match self.ranges.first() {
            Some(range) if filters.iter().all(|filter| !filter.spans.is_empty()) => *range,
            _ => Range::NONE,
        };
        if self.ranges.len() < 2 || first == Range::NONE {
            self.ranges.clear();
        }
        self.rewind(first);
    }

    #[inline]
    fn rewind(&mut self, range: Range<W>) {
        self.set_range(range);
        self.current = 0;
        self.started = false;
        self.batch.clear();
        self.at = BEFORE;
        self.limit = FIRST;
        self.trail = Trail::None;
        self.serial += 1;
    }

    #[inline(always)]
    fn set_range(&mut self, range: Range<W>) {
        self.range = range;
        self.exact = range.sure && self.filters.iter().all(Condition::is_exact);
    }

    /// Whether an entry of the batch satisfies the search condition for certain.
    #[inline(always)]
    pub fn is_sure(&self, entry: &Entry<W>) -> bool {
        self.exact || self.is_within_sure_limits(entry)
    }

    #[inline(never)]
    fn is_within_sure_limits(&self, entry: &Entry<W>) -> bool {
        self.range.sure && self.filters.iter().all(|filter| filter.is_sure(entry))
    }

    /// The next entry in a direction, if the batch has it.
    #[inline(always)]
    pub fn step(&mut self, forward: bool) -> Option<Entry<W>> {
        // Both are "one beyond" where the other direction has its end: BEFORE + 1 is 0.
        let next = if forward != self.descending {
            self.at.wrapping_add(1)
        } else {
            self.at.wrapping_sub(1)
        };
        let entry = self.batch.get(next).copied();
        if entry.is_some() {
            self.at = next;
        }
        entry
    }

    /// The entries that [`Self::step`] will return next in a direction, and how many the batch had before; none where the batch was read in the other one.
    pub fn to_come(&self, forward: bool) -> (usize, &[Entry<W>]) {
        let next = self.at.wrapping_add(1);
        let rest = self.batch.get(next..).unwrap_or_default();
        (
            next,
            if forward == self.descending {
                &[]
            } else {
                rest
            },
        )
    }

    /// The entry last returned and the leaf that it came from, as long as the batch has it.
    pub fn current(&self) -> Option<(Entry<W>, Block)> {
        match self.trail {
            Trail::Within(block) | Trail::Finished(block, _) => {
                Some((*self.batch.get(self.at)?, block))
            }
            Trail::None => None,
        }
    }

    /// Whether a batch was read since the range was set.
    #[inline(always)]
    pub const fn is_started(&self) -> bool {
        self.started
    }

    /// The whole range will be wanted: no small batches.
    pub fn read_far(&mut self) {
        self.limit = LONGEST;
    }

    /// Whether a batch in this direction could hold anything: false at the range's end.
    #[inline]
    pub fn has_more(&self, forward: bool) -> bool {
        self.range_has_more(forward) || self.started && self.next_range(forward).is_some()
    }

    #[inline]
    fn range_has_more(&self, forward: bool) -> bool {
        match (self.started, forward) {
            (false, _) => self.range.from < self.range.until,
            (true, true) => self.high < self.range.until,
            (true, false) => self.range.from < self.low,
        }
    }

    /// The range after the current one, and its number.
    #[inline]
    fn next_range(&self, forward: bool) -> Option<(usize, Range<W>)> {
        let next = if forward {
            self.current + 1
        } else {
            self.current.wrapping_sub(1)
        };
        self.ranges.get(next).map(|range| (next, *range))
    }

    /// Turns to another range of several, where the batch has nothing left of this one.
    fn enter(&mut self, number: usize, range: Range<W>, forward: bool) {
        self.current = number;
        self.set_range(range);
        let edge = if forward { range.from } else { range.until };
        (self.low, self.high) = (edge, edge);
        // The leaf at hand may well have the next range, too.
        self.trail = match self.trail {
            Trail::Within(block) | Trail::Finished(block, _)
                if self.started && lies_in(&edge, &self.fences, forward) =>
            {
                Trail::Within(block)
            }
            _ => Trail::None,
        };
        self.started = true;
    }

    /// Goes beyond the last entry in a direction, where [`Self::has_more`] says there is none. The
    /// batch is given up: its leaf need not stay pinned, and who turns round reads it anew.
    #[inline]
    pub fn finish(&mut self, forward: bool) {
        if self.started {
            let end = if forward { self.high } else { self.low };
            (self.low, self.high) = (end, end);
            self.batch.clear();
            self.at = BEFORE;
            self.serial += 1;
        }
    }

    /// Replaces the batch by the next one in a direction, from one leaf, which is returned still
    /// locked. The batch may be empty although there is more: the caller lets go of the leaf and
    /// asks again. To be called when [`Self::step`] returned None and [`Self::has_more`] true.
    pub fn load<S: Store>(&mut self, tree: &Tree<'_, S, W>, forward: bool) -> Result<S::Read> {
        if self.started && forward == self.descending {
            // Turned round: the trail leads the other way.
            self.limit = FIRST;
            if let Trail::Finished(block, _) = self.trail {
                self.trail = Trail::Within(block);
            }
        }
        if !self.started && self.ranges.is_empty() {
            let edge = if forward {
                self.range.from
            } else {
                self.range.until
            };
            (self.low, self.high) = (edge, edge);
            self.started = true;
        } else if !self.started {
            let last = self.ranges.len().saturating_sub(1);
            let number = if forward { 0 } else { last };
            let range = self.ranges.get(number).copied().unwrap_or(self.range);
            self.enter(number, range, forward);
        } else if !self.range_has_more(forward)
            && let Some((number, range)) = self.next_range(forward)
        {
            self.enter(number, range, forward);
        }
        if !self.filters.is_empty() && self.low == self.high {
            self.skip(forward);
        }
        let edge = if forward { self.high } else { self.low };
        let page = self.leaf(tree, &edge, forward)?;
        self.descending = !forward;
        self.at = BEFORE;
        self.batch.clear();
        self.serial += 1;

        let block = page.block();
        let leaf = Leaf::<W>::open(&page, block)?;
        let Range { from, until, .. } = self.range;
        self.fences = (leaf.low(), leaf.high());
        if forward {
            let more = self.read(|limit, batch| leaf.forward(&edge, &until, limit, batch))?;
            if self.batch.last().is_some_and(|last| *last < edge) {
                return Err(Error::corrupted(block, OUT_OF_ORDER));
            }
            self.low = edge;
            (self.high, self.trail) = match self.batch.last() {
                Some(last) if more => (successor(last), Trail::Within(block)),
                _ if until <= leaf.high() => (until, Trail::Within(block)),
                _ => (leaf.high(), Trail::Finished(block, leaf.right())),
            };
        } else {
            let more = self.read(|limit, batch| leaf.backward(&from, &edge, limit, batch))?;
            if self.batch.last().is_some_and(|last| *last >= edge) {
                return Err(Error::corrupted(block, OUT_OF_ORDER));
            }
            self.high = edge;
            (self.low, self.trail) = match self.batch.last() {
                Some(last) if more => (*last, Trail::Within(block)),
                _ if leaf.low() <= from => (from, Trail::Within(block)),
                _ => (leaf.low(), Trail::Finished(block, None)),
            };
        }
        self.limit = (self.limit * GROWTH).min(LONGEST);
        if !self.filters.is_empty() {
            let filters = &self.filters;
            self.batch
                .retain(|entry| filters.iter().all(|filter| filter.admits(entry)));
            self.skip(forward);
        }
        Ok(page)
    }

    /// Moves the edge past what no filter admits. Where that leads away from the leaf, the entries of the next
    /// one may be few again.
    fn skip(&mut self, forward: bool) {
        let Range { from, until, .. } = self.range;
        let (edge, end) = if forward {
            (skip::above(&self.filters, &self.high).min(until), until)
        } else {
            (skip::below(&self.filters, &self.low).max(from), from)
        };
        let side = if forward {
            &mut self.high
        } else {
            &mut self.low
        };
        if *side == edge {
            return;
        }
        *side = edge;
        if edge != end && !lies_in(&edge, &self.fences, forward) {
            self.trail = Trail::None;
            self.limit = (self.limit / GROWTH).max(FIRST);
        }
    }

    /// Fills the batch from one leaf. A leaf that may have more gave us at least one entry, since
    /// the next batch begins behind it.
    #[inline]
    fn read(
        &mut self,
        mut entries: impl FnMut(usize, &mut Vec<Entry<W>>) -> Result<bool>,
    ) -> Result<bool> {
        while entries(self.limit, &mut self.batch)? {
            if !self.batch.is_empty() {
                return Ok(true);
            }
            self.limit = self.limit.saturating_mul(GROWTH);
        }
        Ok(false)
    }

    /// The leaf with the entries from `edge` on, or those below it.
    fn leaf<S: Store>(
        &self,
        tree: &Tree<'_, S, W>,
        edge: &Entry<W>,
        forward: bool,
    ) -> Result<S::Read> {
        match self.trail {
            Trail::Within(block) => {
                let page = tree.store.read(block)?;
                if fences::of::<W>(&page, block, 0)?.is_some_and(|f| lies_in(edge, &f, forward)) {
                    return Ok(page);
                }
            }
            Trail::Finished(_, right) if forward => {
                if let Some(page) = tree.next(edge, right)? {
                    return Ok(page);
                }
            }
            _ => {}
        }
        if !forward && let Some(page) = tree.find_before(edge)? {
            return Ok(page);
        }
        tree.find(edge)
    }

    /// The current position.
    pub fn mark(&self) -> Mark<W> {
        let place = match self.batch.get(self.at) {
            Some(entry) => MarkedPlace::On(*entry),
            None if !self.started => MarkedPlace::Unstarted,
            // Next to the batch's first or last entry, in the order of reading.
            None if (self.at == BEFORE) != self.descending => MarkedPlace::Edge(self.low),
            None => MarkedPlace::Edge(self.high),
        };
        Mark {
            place,
            current: self.current,
            serial: self.serial,
            at: self.at,
        }
    }

    /// Goes back to a position of the same range: the next entry in either direction is the one
    /// that followed, or went before, when it was marked.
    pub fn restore(&mut self, mark: &Mark<W>) {
        if mark.serial == self.serial {
            self.at = mark.at;
            return;
        }
        let range = self.ranges.get(mark.current).copied();
        self.rewind(range.unwrap_or(self.range));
        self.current = mark.current;
        match mark.place {
            MarkedPlace::Unstarted => {}
            MarkedPlace::On(entry) => {
                self.started = true;
                self.batch.push(entry);
                self.at = 0;
                (self.low, self.high) = (entry, successor(&entry));
                self.descending = false;
            }
            MarkedPlace::Edge(edge) => {
                self.started = true;
                (self.low, self.high) = (edge, edge);
            }
        }
    }

    /// Where another cursor goes on behind the batch that was just loaded in this direction; None at the end.
    pub fn share(&self, forward: bool) -> Option<SharedPosition<W>> {
        self.has_more(forward).then_some(SharedPosition {
            current: self.current,
            edge: if forward { self.high } else { self.low },
            trail: self.trail,
            fences: self.fences,
        })
    }

    /// Goes on where another cursor says; the batch is given up.
    pub fn go_on(&mut self, from: &SharedPosition<W>, forward: bool) {
        if let Some(range) = self.ranges.get(from.current) {
            self.set_range(*range);
        }
        self.current = from.current;
        self.started = true;
        self.descending = !forward;
        (self.low, self.high) = (from.edge, from.edge);
        (self.trail, self.fences) = (from.trail, from.fences);
        self.batch.clear();
        self.at = BEFORE;
        self.serial += 1;
    }

    /// The entries that the last [`Self::load`] read, for callers that take whole batches.
    pub fn batch(&self) -> &[Entry<W>] {
        &self.batch
    }
}

/// Whether a leaf with these fences has the entries from `edge` on, or those just below it.
#[inline]
fn lies_in<const W: usize>(edge: &Entry<W>, fences: &(Entry<W>, Entry<W>), forward: bool) -> bool {
    let (low, high) = fences;
    if forward {
        low <= edge && edge < high
    } else {
        low < edge && edge <= high
    }
}

#[cfg(test)]
mod tests;

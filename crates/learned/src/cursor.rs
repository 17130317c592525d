//! A scan over a range of entries, in both directions, in batches.
//!
//! The cursor's position is an entry, never a slot or a block: between two batches the leaf may be
//! encoded again, split, joined or recycled. A batch holds **all** entries of the range within
//! `[low, high)`, so the next batch continues at either edge, even if the pages have changed.
//!
//! Several ranges (`= ANY`) follow one another in ascending order. Conditions that no range
//! expresses filter the entries of each batch. The first batches are small, because most scans end
//! after a few rows.

use crate::error::{Error, Result};
use crate::fences;
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::page::Block;
use crate::policy::tree::{BATCH_GROWTH_FACTOR, FIRST_BATCH_ENTRIES, MAX_BATCH_ENTRIES};
use crate::range::Range;
use crate::search::{self, Condition};
use crate::skip::{self, successor};
use crate::store::{Guard, Store};
use crate::tree::Tree;

mod position;

pub use position::{Mark, SharedPosition};

/// The fault of a batch that does not continue from its edge. It is an error because a scan could
/// read such a damaged leaf endlessly.
const OUT_OF_ORDER: &str = "entries are not in order";

/// The index that stands for "before the first entry" of a batch, in the order of reading.
const BEFORE: usize = usize::MAX;

/// A scan's ranges, filters, position and batch. A cursor holds no page and borrows nothing, so it
/// can be kept between calls and used for one range after another.
#[derive(Debug)]
pub struct Cursor<const W: usize> {
    range: Range<W>,
    /// No entry of the current range needs a recheck.
    exact: bool,
    /// All ranges, if there are several; `range` is the one at `current`.
    ranges: Vec<Range<W>>,
    current: usize,
    /// An entry gets into the batch if all of these admit it.
    filters: Vec<Condition<W>>,
    /// A batch was read since the ranges were set.
    started: bool,
    /// In the order of reading.
    batch: Vec<Entry<W>>,
    /// The batch was read backward.
    descending: bool,
    /// The entry last returned, as an index of `batch`; [`BEFORE`] or the length beyond its ends.
    at: usize,
    /// The batch holds all entries from here on ...
    low: Entry<W>,
    /// ... and below here.
    high: Entry<W>,
    /// Entries of the next batch, at most.
    limit: usize,
    trail: Trail,
    /// The fences of the batch's leaf when it was read.
    fences: (Entry<W>, Entry<W>),
    /// The number of the batch.
    serial: u64,
}

/// The leaf that the batch came from: a hint where to continue.
#[derive(Debug, Clone, Copy)]
enum Trail {
    None,
    /// This leaf may have more of the range.
    Within(Block),
    /// The batch ends where this leaf ends. The second block is its right link.
    Finished(Block, Option<Block>),
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
            batch: Vec::with_capacity(FIRST_BATCH_ENTRIES),
            descending: false,
            at: BEFORE,
            low: Entry::MIN,
            high: Entry::MIN,
            limit: FIRST_BATCH_ENTRIES,
            trail: Trail::None,
            fences: (Entry::MIN, Entry::MIN),
            serial: 0,
        }
    }
}

impl<const W: usize> Cursor<W> {
    /// Starts over with another range.
    #[inline]
    pub fn reset(&mut self, range: Range<W>) {
        self.ranges.clear();
        self.filters.clear();
        self.rewind(range);
    }

    /// Starts over with the entries that satisfy `conditions`, which are in the order of the key's
    /// columns.
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
        self.limit = FIRST_BATCH_ENTRIES;
        self.trail = Trail::None;
        self.serial += 1;
    }

    #[inline(always)]
    fn set_range(&mut self, range: Range<W>) {
        self.range = range;
        self.exact = range.sure && self.filters.iter().all(Condition::is_exact);
    }

    /// Whether an entry of the batch satisfies the search condition without a recheck.
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
        // At the ends: BEFORE + 1 is 0, and 0 - 1 is BEFORE.
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

    /// The entries that [`Self::step`] will return next in a direction, and the number of entries
    /// before them in the batch. No entries if the batch was read in the other direction.
    pub fn upcoming(&self, forward: bool) -> (usize, &[Entry<W>]) {
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

    /// The entry last returned and the leaf that it came from. None: the batch has been given up.
    pub fn current(&self) -> Option<(Entry<W>, Block)> {
        match self.trail {
            Trail::Within(block) | Trail::Finished(block, _) => {
                Some((*self.batch.get(self.at)?, block))
            }
            Trail::None => None,
        }
    }

    /// Whether a batch was read since the ranges were set.
    #[inline(always)]
    pub const fn is_started(&self) -> bool {
        self.started
    }

    /// The caller will read the whole range: no small batches.
    pub fn read_whole_range(&mut self) {
        self.limit = MAX_BATCH_ENTRIES;
    }

    /// Whether a batch in this direction could hold entries: false at the end of the last range.
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

    /// Continues with another of several ranges, when the current one has no entries left.
    fn enter(&mut self, number: usize, range: Range<W>, forward: bool) {
        self.current = number;
        self.set_range(range);
        let edge = if forward { range.from } else { range.until };
        (self.low, self.high) = (edge, edge);
        // The current leaf often has the next range, too.
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

    /// Moves beyond the last entry in a direction, when [`Self::has_more`] says that there is no
    /// more. The batch is given up, so its leaf need not stay pinned; a scan that turns round reads
    /// the leaf again.
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
    /// locked. Call it when [`Self::step`] returned None and [`Self::has_more`] true. The batch may
    /// be empty although there is more: then the caller releases the leaf and calls again.
    pub fn load<S: Store>(&mut self, tree: &Tree<'_, S, W>, forward: bool) -> Result<S::Read> {
        if self.started && forward == self.descending {
            // The scan turned round: the right link is of no use.
            self.limit = FIRST_BATCH_ENTRIES;
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
            self.skip_edge(forward);
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
        self.limit = (self.limit * BATCH_GROWTH_FACTOR).min(MAX_BATCH_ENTRIES);
        if !self.filters.is_empty() {
            let filters = &self.filters;
            self.batch
                .retain(|entry| filters.iter().all(|filter| filter.admits(entry)));
            self.skip_edge(forward);
        }
        Ok(page)
    }

    /// Moves the edge beyond entries that no filter admits. If the edge leaves the leaf, the next
    /// batch is short again: the next leaf may have few entries to return.
    fn skip_edge(&mut self, forward: bool) {
        let Range { from, until, .. } = self.range;
        let (edge, end) = if forward {
            (
                skip::next_admitted(&self.filters, &self.high).min(until),
                until,
            )
        } else {
            (
                skip::end_of_previous_admitted(&self.filters, &self.low).max(from),
                from,
            )
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
            self.limit = (self.limit / BATCH_GROWTH_FACTOR).max(FIRST_BATCH_ENTRIES);
        }
    }

    /// Fills the batch from one leaf. If the leaf may have more, the batch gets at least one entry,
    /// because the next batch starts behind the last one.
    #[inline]
    fn read(
        &mut self,
        mut entries: impl FnMut(usize, &mut Vec<Entry<W>>) -> Result<bool>,
    ) -> Result<bool> {
        while entries(self.limit, &mut self.batch)? {
            if !self.batch.is_empty() {
                return Ok(true);
            }
            self.limit = self.limit.saturating_mul(BATCH_GROWTH_FACTOR);
        }
        Ok(false)
    }

    /// The leaf with the entries from `edge` on, or, backward, the leaf with the entries below
    /// `edge`.
    fn leaf<S: Store>(
        &self,
        tree: &Tree<'_, S, W>,
        edge: &Entry<W>,
        forward: bool,
    ) -> Result<S::Read> {
        match self.trail {
            Trail::Within(block) => {
                let page = tree.store.read(block)?;
                if fences::read::<W>(&page, block, 0)?.is_some_and(|f| lies_in(edge, &f, forward)) {
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

    /// The entries that the last [`Self::load`] read, for callers that use whole batches.
    pub fn batch(&self) -> &[Entry<W>] {
        &self.batch
    }
}

/// Whether a leaf with these fences has the entries from `edge` on, or, backward, those just below
/// `edge`.
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

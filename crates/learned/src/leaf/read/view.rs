//! The read-only view of a leaf: what a search needs, and no more than it needs.

use crate::error::{Error, Result};
use crate::key::Entry;
use crate::leaf::format::run::{Head, Run};
use crate::leaf::format::{Layout, MAX_SLOTS, bits};
use crate::page::{self, Block, Kind, Page, SPECIAL};

/// A leaf page's bytes, read in place.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a, const W: usize> {
    pub(in crate::leaf) page: &'a Page,
    pub(in crate::leaf) block: Block,
    pub(in crate::leaf) runs: usize,
    pub(in crate::leaf) slots: usize,
    pub(in crate::leaf) dead: usize,
    /// Entries of the log.
    pub(in crate::leaf) log: usize,
    /// Free places of the log, below them.
    pub(in crate::leaf) free: usize,
    pub(in crate::leaf) lower: usize,
    pub(in crate::leaf) upper: usize,
}

/// Where the data of a leaf's runs begins and ends, for keys of so many words. For prefetching: nothing
/// is checked.
#[inline(always)]
pub fn data_span(page: &Page, words: usize) -> (u16, u16) {
    let counts = Layout::<0>::COUNTS + 16 * words;
    let runs = page::u16_at(page, counts);
    let run = (Layout::<0>::RUN + 24 * words) as u16;
    let begin = runs.wrapping_mul(run).wrapping_add(counts as u16 + 8);
    (begin, page::u16_at(page, page::pd::LOWER))
}

/// Entries found in the log: mostly none or one.
pub(in crate::leaf) type LogMatches<const W: usize> = smallvec::SmallVec<[Entry<W>; 4]>;

/// A run of the page, and the number of slots before it.
#[derive(Debug, Clone, Copy)]
pub(in crate::leaf) struct Placed<'a, const W: usize> {
    pub run: Run<'a, W>,
    /// Offset of its data in the page.
    pub data: usize,
}

/// An entry stored plainly at `at`.
#[inline(always)]
pub(in crate::leaf) fn entry_at<const W: usize>(page: &Page, at: usize) -> Entry<W> {
    Entry::new(
        std::array::from_fn(|i| page::u64_at(page, at + 8 * i)),
        page::u64_at(page, at + 8 * W),
    )
}

impl<'a, const W: usize> Leaf<'a, W> {
    /// The leaf in `page`, after checks that cost little: kind, level, counts, offsets.
    ///
    /// # Errors
    /// [`Error::Corrupted`] where the page is no leaf or its header contradicts itself.
    #[inline(always)]
    pub fn open(page: &'a Page, block: Block) -> Result<Self> {
        let (lower, upper) = page::hole(page, block)?;
        let counts = page::u64_at(page, Layout::<W>::COUNTS);
        let field = |i: u32| (counts >> (16 * i) & 0xFFFF) as usize;
        let log = SPECIAL.saturating_sub(upper) / Layout::<W>::ENTRY;
        let mut leaf = Self {
            page,
            block,
            runs: field(0),
            slots: field(1),
            dead: field(2),
            log,
            free: 0,
            lower,
            upper,
        };
        let directory = Layout::<W>::DIRECTORY + leaf.runs * Layout::<W>::RUN;
        let sane = page::kind(page) == Some(Kind::Leaf)
            && page::level(page) == 0
            && directory + leaf.bitmap_bytes() <= lower
            && leaf.slots <= MAX_SLOTS
            && leaf.dead <= leaf.slots
            && leaf.runs <= leaf.slots
            && (leaf.runs == 0) == (leaf.slots == 0)
            && leaf.log <= Layout::<W>::LOG
            && upper + log * Layout::<W>::ENTRY == SPECIAL;
        if log > 0 {
            leaf.free = leaf.free_places();
            leaf.log -= leaf.free;
        }
        if sane {
            Ok(leaf)
        } else {
            Err(leaf.fault("no leaf, or its counts and offsets disagree"))
        }
    }

    /// The error that blames this page.
    #[cold]
    pub(in crate::leaf) fn fault(&self, what: &str) -> Error {
        Error::corrupted(self.block, what)
    }

    /// The low fence, inclusive.
    #[inline]
    pub fn low(&self) -> Entry<W> {
        entry_at(self.page, Layout::<W>::LOW)
    }

    /// The high fence, exclusive.
    #[inline]
    pub fn high(&self) -> Entry<W> {
        entry_at(self.page, Layout::<W>::HIGH)
    }

    /// The right sibling.
    #[inline]
    pub fn right(&self) -> Option<Block> {
        page::right(self.page)
    }

    /// The page's flag bits.
    #[inline]
    pub fn flags(&self) -> u16 {
        page::flags(self.page)
    }

    /// Whether `e` belongs here: low <= e < high.
    #[inline]
    pub fn covers(&self, e: &Entry<W>) -> bool {
        self.low() <= *e && *e < self.high()
    }

    /// Slots of the packed region, with those of deleted entries.
    #[inline]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Slots whose entries are deleted.
    #[inline]
    pub fn dead(&self) -> usize {
        self.dead
    }

    /// Entries in the insert log.
    #[inline]
    pub fn log_len(&self) -> usize {
        self.log
    }

    /// Number of runs.
    #[inline]
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// Live entries.
    #[inline]
    pub fn live(&self) -> usize {
        self.slots - self.dead + self.log
    }

    /// Bytes of the tombstone bitmap.
    #[inline(always)]
    pub(in crate::leaf) fn bitmap_bytes(&self) -> usize {
        if self.dead > 0 {
            self.slots.div_ceil(8)
        } else {
            0
        }
    }

    /// End of the runs' data.
    #[inline(always)]
    pub(in crate::leaf) fn data_end(&self) -> usize {
        self.lower.saturating_sub(self.bitmap_bytes())
    }

    /// The tombstone bitmap; empty while no entry is deleted.
    #[inline(always)]
    pub(in crate::leaf) fn bitmap(&self) -> &'a [u8] {
        self.page
            .get(self.data_end()..self.lower)
            .unwrap_or_default()
    }

    /// Offset of the header of run `i`.
    #[inline(always)]
    pub(in crate::leaf) fn header(i: usize) -> usize {
        Layout::<W>::DIRECTORY + i * Layout::<W>::RUN
    }

    /// Run `i`, its data within the page's data.
    #[inline(always)]
    pub(in crate::leaf) fn run(&self, i: usize) -> Result<Placed<'a, W>> {
        let (head, data) = Head::<W>::read(self.page, Self::header(i), self.block)?;
        let directory = Self::header(self.runs);
        // Data of no bytes has an offset too, so that an append in place can start there.
        match self.page.get(data..) {
            Some(bytes) if data >= directory && data + head.bytes() <= self.data_end() => {
                Ok(Placed {
                    run: Run::new(head, bytes),
                    data,
                })
            }
            _ => Err(self.fault("a run's data are out of bounds")),
        }
    }

    /// Whether run `i` starts above `e`; from the first word alone where that tells.
    #[inline(always)]
    fn starts_above(&self, i: usize, e: &Entry<W>) -> Result<bool> {
        let at = Self::header(i);
        let base = page::u64_at(self.page, at + 8);
        let word = e.key.first().copied().unwrap_or(0);
        // The first word ascends: no value is below the base, and for start = 0 the first is the base.
        if base > word {
            return Ok(true);
        }
        if base < word && page::u64_at(self.page, at) >> 32 & 0xFFFF == 0 {
            return Ok(false);
        }
        Ok(self.run(i)?.run.entry(0) > *e)
    }

    /// The run in which `e` is or would be: the last that does not start above it, else the first.
    #[inline(always)]
    pub(in crate::leaf) fn find(&self, e: &Entry<W>) -> Result<usize> {
        let (mut lo, mut hi) = (1, self.runs);
        while lo < hi {
            let mid = lo + (hi - lo) / 2;
            if self.starts_above(mid, e)? {
                hi = mid;
            } else {
                lo = mid + 1;
            }
        }
        Ok(lo.saturating_sub(1))
    }

    /// The entries in the middles of so many equal parts of the packed region, in order; fewer where it has fewer. Deleted ones
    /// are among them.
    ///
    /// # Errors
    /// [`Error::Corrupted`] where a run cannot be read.
    pub fn middles(&self, parts: usize) -> Result<Vec<Entry<W>>> {
        let step = self.slots.div_ceil(parts.max(1)).max(1);
        let mut some = Vec::with_capacity(parts);
        let (mut slot, mut before) = (step / 2, 0);
        for i in 0..self.runs {
            let run = self.run(i)?.run;
            let after = before + run.head.slots;
            while slot < after {
                some.push(run.entry(slot - before));
                slot += step;
            }
            before = after;
        }
        Ok(some)
    }

    /// Slots before run `i`; only tombstones need it.
    pub(in crate::leaf) fn slots_before(&self, i: usize) -> usize {
        (0..i)
            .map(|i| usize::from(page::u16_at(self.page, Self::header(i))))
            .sum()
    }

    /// Free places of the log: the lowest, whose ties are 0.
    #[inline]
    fn free_places(&self) -> usize {
        let tie = |i| page::u64_at(self.page, self.upper + i * Layout::<W>::ENTRY + 8 * W);
        let most = (Layout::<W>::STEP - 1).min(self.log);
        (0..most).take_while(|&i| tie(i) == 0).count()
    }

    /// Where entry `i` of the log is.
    #[inline(always)]
    pub(in crate::leaf) fn log_at(&self, i: usize) -> usize {
        self.upper + (self.free + i) * Layout::<W>::ENTRY
    }

    /// Entry `i` of the log, newest first.
    #[inline(always)]
    pub(in crate::leaf) fn logged(&self, i: usize) -> Entry<W> {
        entry_at(self.page, self.log_at(i))
    }

    /// The log's entries with `from <= e < until`, in no order.
    #[inline(always)]
    pub(in crate::leaf) fn logged_between(
        &self,
        from: &Entry<W>,
        until: &Entry<W>,
    ) -> LogMatches<W> {
        let mut found = LogMatches::new();
        let first = |e: &Entry<W>| e.key.first().copied().unwrap_or(0);
        let (low, high) = (first(from), first(until));
        for i in 0..self.log {
            // The first word alone mostly tells.
            let word = page::u64_at(self.page, self.log_at(i));
            if low <= word && word <= high {
                let e = self.logged(i);
                if *from <= e && e < *until {
                    found.push(e);
                }
            }
        }
        found
    }

    /// Whether `e` is a live entry of this leaf.
    ///
    /// # Errors
    /// [`Error::Corrupted`] where a run cannot be read.
    pub fn contains(&self, e: &Entry<W>) -> Result<bool> {
        if self.runs > 0 {
            let i = self.find(e)?;
            let run = self.run(i)?.run;
            let slot = run.seek(e, 0, run.head.slots);
            if slot < run.head.slots
                && run.entry(slot) == *e
                && (self.dead == 0 || !bits::test(self.bitmap(), self.slots_before(i) + slot))
            {
                return Ok(true);
            }
        }
        Ok((0..self.log).any(|i| self.logged(i) == *e))
    }
}

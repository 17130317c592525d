//! The view of a leaf over the bytes of its page: what a search needs, and no more.

use crate::error::{Error, Result};
use crate::fences::entry_at;
use crate::key::Entry;
use crate::leaf::format::run::{Run, RunHeader, first_base_at, slots_at, start_at};
use crate::leaf::format::{Layout, bitmap_bytes, bits};
use crate::page::{self, Block, Kind, Page, SPECIAL};
use crate::policy::leaf::MAX_SLOTS;

/// A leaf, read in place from the bytes of its page.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a, const W: usize> {
    pub(in crate::leaf) page: &'a Page,
    pub(in crate::leaf) block: Block,
    /// Number of runs.
    pub(in crate::leaf) runs: usize,
    /// Number of slots of all runs.
    pub(in crate::leaf) slots: usize,
    /// Number of slots that have a tombstone.
    pub(in crate::leaf) tombstones: usize,
    /// Number of entries of the insert log.
    pub(in crate::leaf) log: usize,
    /// Number of free places of the log, which lie below its entries.
    pub(in crate::leaf) free: usize,
    /// Offset of the hole.
    pub(in crate::leaf) lower: usize,
    /// Offset of the end of the hole.
    pub(in crate::leaf) upper: usize,
}

/// Entries found in the log; mostly none or one.
pub(in crate::leaf) type LogMatches<const W: usize> = smallvec::SmallVec<[Entry<W>; 4]>;

/// A run of the page, and where it is.
#[derive(Debug, Clone, Copy)]
pub(in crate::leaf) struct PlacedRun<'a, const W: usize> {
    pub run: Run<'a, W>,
    /// Offset of the run's data in the page.
    pub data: usize,
}

impl<'a, const W: usize> Leaf<'a, W> {
    /// The leaf in `page`, which is block `block`, after checks that cost little: kind, level,
    /// counts, offsets.
    ///
    /// # Errors
    /// [`Error::Corrupted`] where the page is not a leaf, or its header contradicts itself.
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
            tombstones: field(2),
            log,
            free: 0,
            lower,
            upper,
        };
        let data = Layout::<W>::run_header(leaf.runs);
        let sane = page::kind(page) == Some(Kind::Leaf)
            && page::level(page) == 0
            && data + leaf.bitmap_bytes() <= lower
            && leaf.slots <= MAX_SLOTS
            && leaf.tombstones <= leaf.slots
            && leaf.runs <= leaf.slots
            && (leaf.runs == 0) == (leaf.slots == 0)
            && leaf.log <= Layout::<W>::MAX_LOG
            && upper + log * Layout::<W>::ENTRY == SPECIAL;
        if log > 0 {
            leaf.free = leaf.free_places();
            leaf.log -= leaf.free;
        }
        if sane {
            Ok(leaf)
        } else {
            Err(leaf.fault("not a leaf, or its counts and offsets disagree"))
        }
    }

    /// The error for this page.
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

    /// Whether `e` lies between the fences: low <= e < high.
    #[inline]
    pub fn covers(&self, e: &Entry<W>) -> bool {
        self.low() <= *e && *e < self.high()
    }

    /// Number of slots of all runs, with those of deleted entries.
    #[inline]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Number of slots whose entries are deleted.
    #[inline]
    pub fn tombstones(&self) -> usize {
        self.tombstones
    }

    /// Number of entries of the insert log.
    #[inline]
    pub fn log_len(&self) -> usize {
        self.log
    }

    /// Number of runs.
    #[inline]
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// Number of live entries.
    #[inline]
    pub fn live(&self) -> usize {
        self.slots - self.tombstones + self.log
    }

    /// Number of bytes of the tombstone bitmap; 0 while no entry is deleted.
    #[inline(always)]
    pub(in crate::leaf) fn bitmap_bytes(&self) -> usize {
        if self.tombstones > 0 {
            bitmap_bytes(self.slots)
        } else {
            0
        }
    }

    /// Offset of the end of the runs' data.
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

    /// Run `i`, after a check that its data lie within the data of the page.
    ///
    /// # Errors
    /// [`Error::Corrupted`] where the header or the data are not sound.
    #[inline(always)]
    pub(in crate::leaf) fn run(&self, i: usize) -> Result<PlacedRun<'a, W>> {
        let (header, data) =
            RunHeader::<W>::read(self.page, Layout::<W>::run_header(i), self.block)?;
        let directory = Layout::<W>::run_header(self.runs);
        // Data of no bytes have an offset, too, so that an append in place can start there.
        match self.page.get(data..) {
            Some(bytes) if data >= directory && data + header.data_bytes() <= self.data_end() => {
                Ok(PlacedRun {
                    run: Run::new(header, bytes),
                    data,
                })
            }
            _ => Err(self.fault("the data of a run are out of bounds")),
        }
    }

    /// Whether run `i` starts above `e`. The first word of the header mostly tells.
    #[inline(always)]
    fn starts_above(&self, i: usize, e: &Entry<W>) -> Result<bool> {
        let at = Layout::<W>::run_header(i);
        let base = first_base_at(self.page, at);
        let word = e.key.first().copied().unwrap_or(0);
        // The first word ascends: no value is below the base. If the run starts at line index 0,
        // its first value is the base.
        if base > word {
            return Ok(true);
        }
        if base < word && start_at(self.page, at) == 0 {
            return Ok(false);
        }
        Ok(self.run(i)?.run.entry(0) > *e)
    }

    /// The run in which `e` is or would be: the last run that does not start above `e`, else the
    /// first one.
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

    /// The entries in the middles of `parts` equal parts of all slots, in order; fewer where there
    /// are fewer slots. Deleted entries are among them.
    ///
    /// # Errors
    /// [`Error::Corrupted`] where a run cannot be read.
    pub fn middles(&self, parts: usize) -> Result<Vec<Entry<W>>> {
        let step = self.slots.div_ceil(parts.max(1)).max(1);
        let mut some = Vec::with_capacity(parts);
        let (mut slot, mut before) = (step / 2, 0);
        for i in 0..self.runs {
            let run = self.run(i)?.run;
            let after = before + run.header.slots;
            while slot < after {
                some.push(run.entry(slot - before));
                slot += step;
            }
            before = after;
        }
        Ok(some)
    }

    /// Number of slots before run `i`. Only a look at tombstones needs it.
    pub(in crate::leaf) fn slots_before(&self, i: usize) -> usize {
        (0..i)
            .map(|i| slots_at(self.page, Layout::<W>::run_header(i)))
            .sum()
    }

    /// Number of free places of the log: the lowest ones, whose ties are 0.
    #[inline]
    fn free_places(&self) -> usize {
        let tie = |i| page::u64_at(self.page, self.upper + i * Layout::<W>::ENTRY + 8 * W);
        let most = (Layout::<W>::LOG_STEP - 1).min(self.log);
        (0..most).take_while(|&i| tie(i) == 0).count()
    }

    /// Offset of entry `i` of the log.
    #[inline(always)]
    pub(in crate::leaf) fn log_at(&self, i: usize) -> usize {
        self.upper + (self.free + i) * Layout::<W>::ENTRY
    }

    /// Entry `i` of the log; the newest one is entry 0.
    #[inline(always)]
    pub(in crate::leaf) fn logged(&self, i: usize) -> Entry<W> {
        entry_at(self.page, self.log_at(i))
    }

    /// The entries `e` of the log with `from <= e < until`, in no order.
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
            // The first word mostly tells.
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
            let slot = run.seek(e, 0, run.header.slots);
            if slot < run.header.slots
                && run.entry(slot) == *e
                && (self.tombstones == 0 || !bits::test(self.bitmap(), self.slots_before(i) + slot))
            {
                return Ok(true);
            }
        }
        Ok((0..self.log).any(|i| self.logged(i) == *e))
    }
}

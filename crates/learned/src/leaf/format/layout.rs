//! Where the parts of a leaf are. docs/format.md draws them.

use crate::fences;
use crate::page::{self, Page, SPECIAL, head};
use crate::policy::leaf::{self as policy, EARLY_SPLIT_LOG_SHARE, SHORT_LOG_SHARE};

/// Bytes of an entry that is stored plainly, for keys of `words` words.
const fn entry_bytes(words: usize) -> usize {
    8 * (words + 1)
}

/// Offset of the counts, which follow both fences, for keys of `words` words.
const fn counts_at(words: usize) -> usize {
    fences::LOW + 2 * entry_bytes(words)
}

/// Bytes of the counts.
const COUNTS_BYTES: usize = 8;

/// Bytes of a run header, for keys of `words` words.
const fn run_header_bytes(words: usize) -> usize {
    24 + 24 * words
}

/// Offsets and sizes of a leaf for keys of `W` words, in bytes, and what follows from them.
pub(in crate::leaf) struct Layout<const W: usize>;

impl<const W: usize> Layout<W> {
    /// Offset of the low fence.
    pub(in crate::leaf) const LOW: usize = fences::LOW;
    /// Offset of the high fence.
    pub(in crate::leaf) const HIGH: usize = Self::LOW + Self::ENTRY;
    /// Offset of the counts: runs u16, slots u16, tombstones u16, reserved u16.
    pub(in crate::leaf) const COUNTS: usize = counts_at(W);
    /// Offset of the number of slots.
    pub(in crate::leaf) const SLOTS: usize = Self::COUNTS + 2;
    /// Offset of the number of tombstones.
    pub(in crate::leaf) const TOMBSTONES: usize = Self::COUNTS + 4;
    /// Offset of the run directory.
    pub(in crate::leaf) const DIRECTORY: usize = Self::COUNTS + COUNTS_BYTES;
    /// Bytes of a run header.
    pub(in crate::leaf) const RUN_HEADER: usize = run_header_bytes(W);
    /// Bytes of an entry of the insert log.
    pub(in crate::leaf) const ENTRY: usize = entry_bytes(W);
    /// Bytes that directory, data, bitmap (or the room kept for it) and log take together at most.
    pub(in crate::leaf) const ROOM: usize = SPECIAL - Self::DIRECTORY;

    /// Largest number of entries of the insert log.
    pub(in crate::leaf) const MAX_LOG: usize = policy::max_log_entries(Self::ROOM, Self::ENTRY);
    /// Number of entries by which the log's area grows. The free places of the area, which are
    /// zero, lie below its entries.
    pub(in crate::leaf) const LOG_STEP: usize = policy::log_growth_step(Self::ENTRY);
    /// Number of entries below which a log counts as short.
    pub(in crate::leaf) const SHORT_LOG: usize = SHORT_LOG_SHARE.times(Self::MAX_LOG);
    /// Number of log entries: with less room than for these a leaf that grows at one end is split.
    pub(in crate::leaf) const EARLY_SPLIT_ROOM: usize = EARLY_SPLIT_LOG_SHARE.times(Self::MAX_LOG);

    /// Offset of the header of run `i`.
    #[inline(always)]
    pub(in crate::leaf) const fn run_header(i: usize) -> usize {
        Self::DIRECTORY + i * Self::RUN_HEADER
    }
}

/// Bytes of a bitmap with a bit for each of `slots` slots.
#[inline(always)]
pub(in crate::leaf) const fn bitmap_bytes(slots: usize) -> usize {
    slots.div_ceil(8)
}

/// Offsets where the data of a leaf's runs begin and end, for keys of `words` words. This is for
/// prefetching: nothing is checked.
#[inline(always)]
pub fn data_span(page: &Page, words: usize) -> (u16, u16) {
    let counts = counts_at(words);
    let runs = page::u16_at(page, counts);
    let directory = (counts + COUNTS_BYTES) as u16;
    let begin = runs
        .wrapping_mul(run_header_bytes(words) as u16)
        .wrapping_add(directory);
    (begin, page::u16_at(page, page::pd::LOWER))
}

const _: () = assert!(fences::LOW == head::END);

//! Thresholds of the leaf: its size, its insert log, its runs, its splits.
//!
//! The measurements that led to the values are in docs/leaf-policy.md.

use super::Ratio;
use crate::page::PAGE_SIZE;

// How large a leaf may become.

/// Largest number of slots of a leaf. Unit: slots.
///
/// Trades: a merge of the insert log encodes up to this many slots again, so the time of an insert
/// among regular keys grows with it. A smaller value makes the index of regular keys larger: at
/// 8192 it takes twice the space, at 4096 four times. The format allows 65535 (line indices are
/// u16).
///
/// Measured by: `timing::merges` ("constant step"), `sizes::sizes`.
pub const MAX_SLOTS: usize = 16384;

/// Lowest fill factor that a build or a split obeys; a lower one counts as this. Unit: percent of
/// a page.
///
/// Trades: nothing in practice. The bound keeps a page from holding no entry at all.
///
/// Measured by: `packer_loses_nothing` fills pages by this value.
pub const MIN_FILL_PERCENT: usize = 10;

// The insert log.

/// Largest number of entries of the insert log. Unit: entries.
///
/// Trades: a longer log is merged less often, so an insert takes less time and writes less WAL. But
/// each search looks through the log. From 16 entries to 126, random inserts into 3 million
/// entries went from 2.9 to 1.9 us of CPU time and from 485 to 299 bytes of WAL an entry.
///
/// Measured by: `timing::merges`, `timing::logged`, `timing::inserts`.
pub const MAX_LOG_ENTRIES: usize = 256;

/// Largest share of a leaf's room that the insert log takes. Bounds the log of wide keys, whose
/// entries would otherwise fill the page.
///
/// Trades: as [`MAX_LOG_ENTRIES`]. More than half is not possible: half of a page's runs and all of
/// its log must fit a page, so that a leaf can always be bisected, and a patch of the whole log
/// must not be longer than half a page.
///
/// Measured by: `a_leaf_behaves_as_a_set` (fails at two thirds with [`MAX_LOG_ENTRIES`] of 512),
/// `full_pages_with_full_logs`.
pub const MAX_LOG_SHARE: Ratio = Ratio::new(1, 2);

/// Number of bytes by which the insert log's area grows at a time, rounded down to whole entries,
/// but by one entry at least. Unit: bytes; a cache line.
///
/// Trades: only growth changes `upper` in the page header, which has to be logged, too: with one
/// word, one insert in four does. A larger value leaves more bytes of a page unused.
///
/// Measured by: `timing::inserts` (bytes a patch).
pub const LOG_GROWTH_BYTES: usize = 64;

/// Largest number of bytes of the records that one patch appends in place. One more record may
/// follow. Unit: bytes.
///
/// Trades: with a smaller value an insert of many entries in order needs more patches. A patch of
/// more than half a page cannot be logged as one: the limit is half a page less some room for the
/// last record and for the other fields that the patch changes.
///
/// Measured by: `many_are_appended_in_one_patch` (fails where a patch is longer).
pub const MAX_APPEND_BYTES: usize = PAGE_SIZE / 2 - 128;

// Merging the insert log.

/// Length of an insert log that counts as short, as a share of the longest one. A page that is full
/// while its log is short is bisected rather than merged, since it would soon be full again.
///
/// Trades: a larger share bisects pages that had room for more merges, so leaves are less full. A
/// smaller one merges nearly full pages again and again, each time for fewer entries.
///
/// Measured by: `timing::merges`, `timing::sessions`; the tests of `tests/bisect.rs`.
pub const SHORT_LOG_SHARE: Ratio = Ratio::new(3, 16);

/// Largest number of slots that a merge of the log encodes again. A page whose merge would encode
/// more is bisected first, which encodes nothing. Unit: slots.
///
/// Trades: a larger value makes single inserts slower (a page of regular keys has up to
/// [`MAX_SLOTS`] slots). A smaller one bisects pages that had room, so leaves are less full.
///
/// Measured by: `timing::merges` (the 99 % of merges), `a_leaf_of_very_many_entries_is_bisected`.
pub const MAX_REENCODED_SLOTS: usize = 1536;

/// Largest share of its slots that a full page with a short log encodes again. A page whose merge
/// would encode more is bisected.
///
/// Trades: what comes at the ends of groups of keys encodes little, and such leaves stay full. A
/// smaller share would bisect them as well.
///
/// Measured by: `a_leaf_is_not_bisected_where_entries_come_between_groups`.
pub const MAX_REENCODED_SHARE_OF_SHORT_LOG: Ratio = Ratio::new(1, 2);

/// Number of log entries for which there is still room when an early merge begins. Other sessions
/// add these while the leaf is not locked. Unit: entries.
///
/// Trades: with less room the log may be full before the merge is done; then the merge is lost.
/// With more room each merge is of fewer entries, so there are more merges.
///
/// Measured by: `benches/inserts.sh` with several clients;
/// `entries_logged_meanwhile_stay_in_the_log`.
pub const EARLY_MERGE_ROOM: usize = 8;

/// Shortest insert log that is merged early, as a multiple of [`EARLY_MERGE_ROOM`]. A log that is
/// short by [`SHORT_LOG_SHARE`] is not merged early, either.
///
/// Trades: as a leaf fills up, its log gets shorter, and so do early merges. A smaller factor
/// merges for a few entries again and again.
///
/// Measured by: `short_logs_are_not_merged_early`.
pub const EARLY_MERGE_FACTOR: usize = 4;

/// Largest number of entries, merged at once, that show no trend: they do not tell where later
/// inserts will come.
/// Unit: entries.
///
/// Trades: a smaller value lets a few inserts decide where a page is split. A larger one splits
/// pages in halves that grow at one end.
///
/// Measured by: `timing::sessions` (number of leaves), `tree/tests/sessions.rs`.
pub const MAX_ENTRIES_WITHOUT_TREND: usize = 8;

/// Largest size of the new entries that are appended to the run before them, in bits of its
/// records. Unit: run headers.
///
/// Trades: more new entries may be smaller in a run of their own, which costs a header. With a
/// smaller value more runs arise, with a larger one wider records stay.
///
/// Measured by: `timing::merges`, `a_run_takes_entries_that_follow_it_and_fit`.
pub const MAX_EXTENSION_HEADERS: usize = 2;

/// Share of a large run that the new entries, which only follow it and do not fit it, must be
/// before the run is encoded again with them. Until then they gather in runs beside it.
///
/// Trades: a smaller share encodes large runs more often. A larger one leaves more small runs.
///
/// Measured by: `timing::inserts` (runs a page), `timing::merges`.
pub const MIN_FOLLOWING_SHARE: Ratio = Ratio::new(1, 8);

/// Share of the new entries that the gaps (places between two slots) which they go to must exceed
/// for the entries to count as scattered. Scattered entries are partitioned along the old runs
/// only: a finer partition finds nothing better.
///
/// Trades: a smaller share saves time on partitions. A larger one finds smaller runs.
///
/// Measured by: `timing::merging`, `timing::merges` ("uniform").
pub const SCATTERED_SHARE: Ratio = Ratio::new(1, 2);

/// Smallest size of encoded runs, as a share of the estimate from which they are planned. Where
/// even this is more than cutting can cost, the region is cut and nothing is encoded.
///
/// Trades: a larger share cuts regions that would have been smaller encoded. A smaller one encodes
/// regions in vain.
///
/// Measured by: `timing::merging` (bytes and time of a merge).
pub const MIN_ENCODED_SHARE: Ratio = Ratio::new(7, 8);

/// Largest number of headers (with a byte of padding each) that cutting a region costs for one gap:
/// one of the run of new entries, and one of the second part of the run that is cut. Unit: run
/// headers. This is a fact about cutting, not a choice.
pub const MAX_HEADERS_PER_GAP: usize = 2;

/// Smallest number of headers that cutting a region costs for one gap. Unit: run headers. This is
/// a fact about cutting, as long as the gaps are apart.
pub const MIN_HEADERS_PER_GAP: usize = 1;

/// Smallest size of new entries that go to one gap in large numbers, in a run of their own, as a
/// share of what as many entries take on average where the region is encoded again.
///
/// Trades: a larger share takes the encoded runs without a look at the cut ones.
///
/// Measured by: `timing::sessions` (1000 groups), `timing::merges`.
pub const MIN_SHARE_OF_A_LARGE_GAP: Ratio = Ratio::new(1, 4);

// Deleting.

/// Share of the slots of a leaf that may be tombstones. Where it is reached, runs are encoded again
/// without their deleted entries.
///
/// Trades: a larger share leaves more bytes to deleted entries. A smaller one makes VACUUM encode
/// and log more.
///
/// Measured by: `make bench-vacuum`, `scattered_deletions_never_grow_a_page`.
pub const MAX_TOMBSTONE_SHARE: Ratio = Ratio::new(1, 8);

/// Number of live entries at the beginning of a run whose encoding tells whether the whole run gets
/// smaller without its deleted entries. A run that is more than twice as long is judged by this
/// sample first. Unit: entries.
///
/// Trades: a smaller sample misjudges. A larger one takes time that is lost where the run keeps its
/// tombstones: entries on a line, with gaps now, may need more bits than before.
///
/// Measured by: `a_run_mostly_deleted_is_encoded_again`.
pub const REENCODING_SAMPLE: usize = 128;

// Splits.

/// Smallest number of entries for which the insert log has room after a merge. A leaf with less
/// room is split when its log is merged. Unit: entries.
///
/// Trades: with a smaller value a leaf is merged again and again until its last byte is used. At
/// 24, one merge in six is saved, but sessions that drift apart leave almost half as many leaves
/// again: where 4 sessions load rows of the same moments, `(ts DESC)` is 6.5 times smaller than
/// btree instead of 11.2 times.
///
/// Measured by: `timing::sessions`, `PARTS=load benches/columns.sh`.
pub const MIN_LOG_ROOM: usize = 8;

/// Room of the insert log below which the last leaf is split early, where the last inserts all came
/// at its end (the first leaf likewise). As a share of the longest log.
///
/// Trades: the last merges of such a leaf, of few entries each, would be a third of all. At one
/// sixth, the leaves that 8 sessions leave behind overflow more often, by rows that come later. A
/// larger share leaves them less full.
///
/// Measured by: `timing::sessions`, `tree/tests/sessions.rs`.
pub const EARLY_SPLIT_LOG_SHARE: Ratio = Ratio::new(1, 4);

/// Percentage of a page that a page which has grown at one end may be below the fill factor after
/// its split. Unit: percent of a page.
///
/// Trades: a larger value keeps the entries merged last together in the new leaf. A smaller one
/// leaves the old leaf fuller.
///
/// Measured by: `timing::sessions`, `tree/tests/sessions.rs`.
pub const MAX_PERCENT_BELOW_FILL: usize = 12;

/// Share of the slots of the last leaf, at its end, within which the entries merged last must lie
/// for the leaf to count as growing there. For the first leaf, at its beginning.
///
/// Trades: a larger share takes random inserts for growth at an end.
///
/// Measured by: `timing::sessions`, `tree/tests/sessions.rs`.
pub const GROWING_END_SHARE: Ratio = Ratio::new(1, 8);

/// Share of the slots at each end of any leaf within which an insert counts as one at the end: the
/// leaf is split so that the other part is filled.
///
/// Trades: a larger share leaves small pages beside random inserts. A smaller one splits a page in
/// halves that grows at its end a little out of order.
///
/// Measured by: `a_page_extended_at_an_end_splits_there`.
pub const END_SHARE: Ratio = Ratio::new(1, 100);

/// Largest share of the slots over which the entries merged last may spread if they are to tell
/// how large the parts of a split shall be. Where they spread further, the leaf is split in halves.
///
/// Trades: with a larger share random inserts split pages unevenly. With a smaller one leaves of
/// groups that ascend stay half empty.
///
/// Measured by: `tree/tests/sessions.rs` (20 to 30 % fewer leaves).
pub const MAX_SPREAD_OF_LAST_MERGE: Ratio = Ratio::new(1, 4);

// Joining leaves and shifting entries.

/// Percentage of a page up to which leaves are filled from which VACUUM has deleted entries. Unit:
/// percent of a page.
///
/// Trades: a higher value frees more pages, but the next inserts split the leaves again.
///
/// Measured by: `tree/tests/shift.rs`, `make bench-vacuum`.
pub const DENSE_FILL_PERCENT: usize = 90;

/// Smallest percentage of a page that is shifted from one leaf to another. Unit: percent of a page.
///
/// Trades: a shift of less would log two pages for nearly nothing. A higher value leaves more pages
/// as they are.
///
/// Measured by: `tree/tests/shift.rs`.
pub const MIN_SHIFT_PERCENT: usize = 2;

// Partitioning entries into runs.

/// Number of entries of a unit, the piece from which runs are put together. A run of no more slots
/// is tiny: a merge encodes it again with its neighbours. Unit: entries.
///
/// Trades: smaller units find the borders between runs more exactly. Partitioning takes more time.
///
/// Measured by: `timing::timing` ("partition"), `sizes::sizes`, `heap_pages_of_several_sessions`.
pub const PARTITION_UNIT: usize = 32;

/// Largest number of entries of a unit, for entries that are likely to lie in long runs. Unit:
/// entries, a power of two.
///
/// Trades: larger units are partitioned sooner, but a border within one is not seen.
///
/// Measured by: `timing::packing`, `timing::timing` ("coarse").
pub const MAX_PARTITION_UNIT: usize = 512;

/// Largest size of an entry in coarsely partitioned runs, relative to the fine runs before them.
/// Above it the partition is done again with units of [`PARTITION_UNIT`].
///
/// Trades: a larger factor makes leaves less dense. A smaller one partitions more pages twice.
///
/// Measured by: `timing::packing` (bytes an entry against time), `timing::merging`.
pub const MAX_COARSE_SIZE: Ratio = Ratio::new(33, 32);

/// Number of entries that must belong together behind a border for a unit to end there: rows of one
/// heap page whose TIDs follow one another, or rows with the same first word of a composite key.
/// Unit: entries.
///
/// Trades: a smaller value cuts where rows follow one another by chance. A larger one misses groups
/// that are worth a run.
///
/// Measured by: `heap_pages_of_several_sessions`, `timing::packing` ("(device, time)").
pub const MIN_GROUP_BEHIND_BORDER: usize = PARTITION_UNIT / 2;

/// Number of groups of which each gives its two extreme points to the hull of a unit, for a unit
/// whose length is a power of two.
///
/// Trades: more points make the hull exact but slower to build.
///
/// Measured by: `timing::timing` ("partition"), `sizes::sizes`.
pub const HULL_GROUPS: usize = 4;

/// Smallest number of values of such a group. Unit: entries.
///
/// Trades and measurement: as [`HULL_GROUPS`].
pub const MIN_HULL_GROUP: usize = 4;

/// Width of the narrowest band around a line, as a share of the spread of the values, from which on
/// the line is of no use, for columns that do not ascend. Random TIDs are such a column.
///
/// Trades: at a smaller share columns lose lines that save a bit a record. At a larger one random
/// columns get lines, which take time to decode.
///
/// Measured by: `timing::timing` ("uniform"), `sizes::sizes`.
pub const MIN_NOISE_SHARE: Ratio = Ratio::new(7, 8);

// Bulk packing.

/// Number of log entries for which a leaf of a build has room, unless the fill factor is 100.
/// Unit: entries.
///
/// Trades: with less room the first inserts after a build split leaves. With more the index is
/// larger.
///
/// Measured by: `pages_of_the_default_fill_take_a_dozen_inserts`.
pub const LOG_ROOM_OF_A_BUILD: usize = 12;

/// Number of coarsely partitioned leaves of a build between two that are partitioned finely. Unit:
/// leaves.
///
/// Trades: a build is faster with a larger value, but notices later that the data have changed.
///
/// Measured by: `timing::packing`.
pub const MAX_COARSE_LEAVES: usize = 15;

/// Largest number of fine leaves that a build waits, after coarse ones that came out too large,
/// before it tries a coarse one again. The wait doubles with each failure. Unit: leaves.
///
/// Trades: a failure partitions a leaf twice. A longer wait is slower where the data become
/// regular.
///
/// Measured by: `timing::packing`.
pub const MAX_WAIT_FOR_COARSE: usize = 32;

/// Number of entries that a build gathers before it first tries to fill a leaf. Unit: entries.
///
/// Trades: nothing but the time of the first leaf.
pub const FIRST_GATHERED: usize = 512;

/// Share of a leaf by which the estimate of the gathered entries' size may be too low. Below it, a
/// build gathers more entries at once.
///
/// Trades: a larger share encodes leaves that turn out not to be full. A smaller one gathers more
/// than a leaf takes, and these entries are partitioned twice.
///
/// Measured by: `timing::packing`.
pub const ESTIMATE_SLACK: Ratio = Ratio::new(1, 64);

/// Smallest and largest number of entries that a build gathers beyond those of the last leaf, in
/// 1/256 of these.
///
/// Trades: with too many, the surplus is partitioned twice. With too few, all of them are.
///
/// Measured by: `timing::packing`.
pub const GATHER_MARGIN: (usize, usize) = (8, 64);

/// Share of the margin by which it shrinks with each leaf that was gathered at once. It doubles
/// where the entries were too few.
///
/// Trades and measurement: as [`GATHER_MARGIN`].
pub const GATHER_MARGIN_DECAY: Ratio = Ratio::new(1, 8);

/// Surplus over the expected number of entries when those that were gathered did not fill a leaf.
///
/// Trades and measurement: as [`GATHER_MARGIN`].
pub const GATHER_SURPLUS: Ratio = Ratio::new(1, 8);

/// Smallest number of entries by which a build gathers more. Unit: entries.
///
/// Trades and measurement: as [`GATHER_MARGIN`].
pub const MIN_GATHER_STEP: usize = 16;

/// Largest factor by which the number of gathered entries grows at a time, and a number of entries
/// that is allowed on top. Unit: entries.
///
/// Trades: a misjudged density gathers at most this much in vain.
///
/// Measured by: `timing::packing`.
pub const MAX_GATHER_GROWTH: (usize, usize) = (2, 64);

// Searching.

/// Largest number of guesses by interpolation in a run before the search gallops and bisects.
/// Unit: comparisons.
///
/// Trades: each guess decodes a value. After fewer guesses the search gallops from a worse place;
/// on uneven data more guesses come no nearer.
///
/// Measured by: `timing::timing` ("point"), `cargo bench -p learned --bench leaf`.
pub const MAX_GUESSES: usize = 4;

/// Largest number of entries of an insert log in a leaf with `room` bytes for directory, data,
/// bitmap and log, for entries of `entry` bytes.
pub const fn max_log_entries(room: usize, entry: usize) -> usize {
    let limit = MAX_LOG_SHARE.times(room) / entry;
    if limit < MAX_LOG_ENTRIES {
        limit
    } else {
        MAX_LOG_ENTRIES
    }
}

/// Number of entries by which the insert log's area grows, for entries of `entry` bytes.
pub const fn log_growth_step(entry: usize) -> usize {
    let step = LOG_GROWTH_BYTES / entry;
    if step > 1 { step } else { 1 }
}

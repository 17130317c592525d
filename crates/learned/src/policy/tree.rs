//! Thresholds of the tree, the cursor and VACUUM.
//!
//! Tests are named by their path below `crates/learned/src`, benchmarks by their command.

use crate::page::Block;

// ---- Searches ----

/// Restarts of one search before it fails with [`crate::Error::SearchLost`]. A concurrent split or
/// join costs a search one restart, so concurrency alone does not explain this many.
///
/// - Higher: a search in a damaged tree takes longer to fail.
/// - Lower: a search beside many concurrent splits could fail without need.
/// - Test: `tree/tests/damage.rs`, `right_links_in_a_circle_end_in_an_error`.
pub const MAX_RESTARTS: u32 = 100;

/// Leaves that one session remembers where the model does not know them. Between two trainings only
/// an index of several thousand leaves gets more new ones.
///
/// - Higher: 24 bytes and 16 bytes a key word more for each, and slower additions.
/// - Lower: searches for new leaves descend from the root more often.
/// - Test: `tree/tests/pages_read.rs`, `one_page_for_appended_rows`,
///   `few_pages_after_random_growth`.
pub const MAX_RECENT_LEAVES: usize = 64;

/// Words (of 64 bits) of the filter by which most searches learn that no leaf is remembered for
/// them.
///
/// - Higher: more bytes to clear for each new leaf.
/// - Lower: more searches look at the table in vain.
/// - Benchmark: `make bench PARTS=lookups` after inserts.
pub const RECENT_FILTER_WORDS: usize = 8;

// ---- Cursor ----

/// Entries of a cursor's first batch. Most scans end after a few rows.
///
/// - Higher: a scan with LIMIT decodes entries that nobody reads.
/// - Lower: a scan of some rows locks the leaf more often.
/// - Benchmark: `make bench PARTS="lookups ranges"`.
pub const FIRST_BATCH_ENTRIES: usize = 32;

/// Factor by which each batch is longer than the batch before, up to [`MAX_BATCH_ENTRIES`].
///
/// - Higher: fewer locks of a leaf in a long scan.
/// - Lower: less is decoded in vain at the scan's end.
/// - Benchmark: `make bench PARTS=ranges`.
pub const BATCH_GROWTH_FACTOR: usize = 8;

/// Entries of a cursor's longest batch.
///
/// - Higher: more memory for each scan, and leaves stay locked longer.
/// - Lower: a long scan locks each leaf more often.
/// - Benchmark: `make bench PARTS=ranges`.
/// - Test: `cursor/tests.rs`, `long_scans_read_each_leaf_few_times`.
pub const MAX_BATCH_ENTRIES: usize = 1024;

/// Ranges that several lists of values (`= ANY`) may multiply to; the conditions left over become
/// filters.
///
/// - Higher: more memory and planning for one scan.
/// - Lower: more entries are read and filtered out.
/// - Test: `search/tests.rs`, `lists_that_multiply_to_too_many_ranges_become_filters`.
pub const MAX_RANGES: usize = 1 << 14;

// ---- Inserts and splits ----

/// Percentage of a leaf's entries that may be above a new entry that still counts as an append. A
/// split by an append leaves the left leaf full. Making room first would gain nothing there, so
/// such a leaf is split at once.
///
/// - Higher: full leaves are split although deletions or a neighbour would have made room.
/// - Lower: appends that arrive a little out of order first look for room in vain.
/// - Test: `tree/tests/delete_dead.rs`, `appending_splits_at_once`.
pub const MAX_APPEND_DISORDER_PERCENT: usize = 1;

/// Percentage of an inner page's items that go to the fuller page when an ascending or descending
/// insert splits the page.
///
/// - Higher: denser inner pages.
/// - Lower: the page is not split again by the next late insert.
/// - Test: `tree/tests/simulate.rs`, `random_work_matches_a_set`.
pub const INNER_SPLIT_PERCENT: usize = 90;

/// Percentage of an inner page that a build fills.
///
/// - Higher: fewer inner pages.
/// - Lower: the first inserts after the build split no inner page.
/// - Test: `tree/tests/simulate.rs`, `builds_of_every_size_are_sound`.
pub const INNER_BUILD_PERCENT: usize = 90;

/// Items that inner pages take at most in builds for tests on servers, so that small trees are
/// high. No effect otherwise.
pub const TESTING_INNER_ITEMS: usize = 4;

// ---- Room: joins and shifts ----

/// Percentage of a page that two neighbours may take together to be joined, where nothing has died
/// in them: the next inserts should not split the page again.
///
/// - Higher: fewer pages.
/// - Lower: fewer pages that are joined and split in turn.
/// - Test: `tree/tests/join.rs`, `sparse_neighbours_are_joined`; `tree/tests/shift.rs`,
///   `an_index_that_only_grows_is_left_alone`.
pub const MAX_JOINED_PERCENT: usize = 70;

/// Leaves that VACUUM looks back at, to fit their entries on one leaf less.
///
/// - Higher: denser leaves, and more pages rewritten for each page that is freed.
/// - Lower: leaves stay sparse where each alone wastes little.
/// - Test: `tree/tests/shift.rs`, `half_empty_leaves_become_dense`,
///   `random_churn_keeps_leaves_dense`.
pub const CONDENSE_WINDOW_LEAVES: usize = 5;

/// Percentage of a page that filling leaves up may waste: entries may take a little more room where
/// they go.
///
/// - Higher: fewer leaves are condensed.
/// - Lower: pages are rewritten and then do not fit.
/// - Test: `tree/tests/shift.rs`, `random_churn_keeps_leaves_dense`.
pub const CONDENSE_MARGIN_PERCENT: usize = 3;

/// Percentage of its page that a right neighbour may fill to take entries from a full leaf.
///
/// - Higher: both leaves are full again soon.
/// - Lower: leaves are split beside room.
/// - Test: `tree/tests/shift.rs`, `full_leaves_shift_to_their_neighbours`.
pub const MAX_NEIGHBOUR_PERCENT: usize = 95;

/// Leaves to the right in which a full leaf looks for room.
///
/// - Higher: an insert rewrites more pages.
/// - Lower: leaves are split beside room.
/// - Test: `tree/tests/shift.rs`, `full_leaves_shift_to_their_neighbours`.
pub const MAX_NEIGHBOURS: usize = 3;

// ---- The model's life ----

/// A writer trains a new model when the index has grown by one block in this many since the last
/// training. At 64 all trainings together look at each leaf about 64 times, and write some 800
/// bytes of models for it.
///
/// - Higher: more trainings.
/// - Lower: more searches that the model leads to a wrong leaf.
/// - Test: `tree/tests/pages_read.rs`, `trainings_are_rare`, `one_page_after_growing_from_nothing`.
pub const RETRAIN_GROWTH_DIVISOR: Block = 64;

/// Blocks that the index grows by at least between two trainings by writers.
///
/// - Higher: small indexes work longer with an old model.
/// - Lower: more trainings of small indexes.
/// - Test: `tree/tests/pages_read.rs`, `one_page_after_growing_from_nothing`.
pub const MIN_RETRAIN_GROWTH: Block = 8;

/// Percentage of leaves that may not be where the model says, or of the model's leaves that may no
/// longer exist, before VACUUM trains a new model.
///
/// - Higher: more searches that the model leads to a wrong leaf.
/// - Lower: more trainings.
/// - Test: `tree/tests/join.rs`, `a_model_goes_stale_in_a_sliding_window`.
pub const MAX_STALE_PERCENT: usize = 10;

/// Sets of [`crate::tree::SharedSearchCounts`], which counts searches of indexes in shared memory.
/// With [`SHARED_COUNT_WAYS`] = 8 slots in each, 1,024 indexes are counted at the same time.
///
/// - Higher: 512 bytes of shared memory for each set.
/// - Lower: the counts of idle indexes are dropped earlier.
/// - Test: `tree/shared_counts.rs`, `the_longest_idle_makes_room`.
pub const SHARED_COUNT_SETS: usize = 128;

/// Slots that an index can have in [`crate::tree::SharedSearchCounts`].
///
/// - Higher: longer searches for a slot.
/// - Lower: more indexes share a slot by chance.
pub const SHARED_COUNT_WAYS: usize = 8;

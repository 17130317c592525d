//! Leaves that searches found elsewhere than the model said: leaves made by splits since the model
//! was trained, above all those at the end of a growing index, which the next searches need most.
//!
//! A table of fixed size that its owner keeps as long as the model it belongs to. Like the model it
//! is advice: a leaf may have been split or freed since.

use std::cell::Cell;
use std::cmp::Ordering;

use super::descend::SearchTarget;
use crate::key::Entry;
use crate::page::Block;
use crate::policy::tree::{MAX_RECENT_LEAVES, RECENT_FILTER_WORDS};

/// A leaf and the fences that it had when it was found.
#[derive(Debug, Clone, Copy)]
struct FoundLeaf<const W: usize> {
    /// The ordinal that the model predicts for keys of the leaf.
    ordinal: u32,
    block: Block,
    low: Entry<W>,
    high: Entry<W>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct RecentLeaves<const W: usize> {
    /// The bits of the ordinals in the table ([`filter_bit`]): by them most searches learn that the
    /// table has no leaf for them.
    filter: [Cell<u64>; RECENT_FILTER_WORDS],
    len: Cell<usize>,
    /// The next leaf to be forgotten when the table is full.
    oldest: Cell<usize>,
    /// In order of ordinal and low fence; the leaves of one ordinal do not overlap.
    leaves: [Cell<FoundLeaf<W>>; MAX_RECENT_LEAVES],
}

impl<const W: usize> Default for RecentLeaves<W> {
    fn default() -> Self {
        let none = FoundLeaf {
            ordinal: 0,
            block: 0,
            low: Entry::MIN,
            high: Entry::MIN,
        };
        Self {
            filter: Default::default(),
            len: Cell::new(0),
            oldest: Cell::new(0),
            leaves: std::array::from_fn(|_| Cell::new(none)),
        }
    }
}

impl<const W: usize> RecentLeaves<W> {
    /// The block of the leaf for `target`, for which the model predicts `ordinal`.
    #[inline(always)]
    pub(super) fn find(&self, ordinal: u32, target: &SearchTarget<W>) -> Option<Block> {
        let (word, bit) = filter_bit(ordinal);
        if self.filter[word].get() & bit == 0 {
            return None;
        }
        self.look_up(ordinal, target)
    }

    #[inline(never)]
    fn look_up(&self, ordinal: u32, target: &SearchTarget<W>) -> Option<Block> {
        let after = self.leaves().partition_point(|leaf| {
            let leaf = leaf.get();
            leaf.ordinal < ordinal
                || leaf.ordinal == ordinal
                    && target.seen_from(&leaf.low, &leaf.high) == Ordering::Greater
        });
        let leaf = self.leaves().get(after)?.get();
        let there =
            leaf.ordinal == ordinal && target.seen_from(&leaf.low, &leaf.high) == Ordering::Equal;
        there.then_some(leaf.block)
    }

    /// Adds a leaf that was found where the model predicted `ordinal`.
    #[cold]
    pub(super) fn add(&self, ordinal: u32, block: Block, low: Entry<W>, high: Entry<W>) {
        self.exclude(ordinal, &low, &high);
        if self.len.get() == MAX_RECENT_LEAVES {
            let oldest = self.oldest.get() % MAX_RECENT_LEAVES;
            self.oldest.set(oldest + 1);
            self.forget(oldest);
        }
        let at = self.leaves().partition_point(|leaf| {
            let leaf = leaf.get();
            (leaf.ordinal, leaf.low) < (ordinal, low)
        });
        let mut carried = FoundLeaf {
            ordinal,
            block,
            low,
            high,
        };
        self.len.set(self.len.get() + 1);
        for slot in self.leaves().iter().skip(at) {
            carried = slot.replace(carried);
        }
        self.filter.iter().for_each(|word| word.set(0));
        for leaf in self.leaves() {
            let (word, bit) = filter_bit(leaf.get().ordinal);
            let word = &self.filter[word];
            word.set(word.get() | bit);
        }
    }

    /// Excludes `low..high` from the leaves of an ordinal: another leaf covers this range now.
    fn exclude(&self, ordinal: u32, low: &Entry<W>, high: &Entry<W>) {
        let mut at = 0;
        while let Some(slot) = self.leaves().get(at) {
            let leaf = slot.get();
            let overlaps = leaf.ordinal == ordinal && leaf.low < *high && *low < leaf.high;
            if overlaps && leaf.low < *low {
                slot.set(FoundLeaf { high: *low, ..leaf });
            } else if overlaps {
                self.forget(at);
                continue;
            }
            at += 1;
        }
    }

    fn forget(&self, at: usize) {
        let leaves = self.leaves();
        for pair in leaves.get(at..).unwrap_or_default().windows(2) {
            if let [this, next] = pair {
                this.set(next.get());
            }
        }
        self.len.set(self.len.get().saturating_sub(1));
    }

    fn leaves(&self) -> &[Cell<FoundLeaf<W>>] {
        self.leaves.get(..self.len.get()).unwrap_or_default()
    }
}

/// An ordinal's word of the filter, and its bit in that word.
const fn filter_bit(ordinal: u32) -> (usize, u64) {
    let word = ordinal / u64::BITS;
    (
        word as usize % RECENT_FILTER_WORDS,
        1 << (ordinal % u64::BITS),
    )
}

//! Leaves that searches found elsewhere than the model said: those made by splits since it was trained, above all the
//! ones at the end of a growing index, which the next searches want most.
//!
//! A table of fixed size that its owner keeps as long as the model it belongs to. Like the model it is advice: a leaf
//! may have been split or freed since.

use std::cell::Cell;
use std::cmp::Ordering;

use super::descend::Target;
use crate::key::Entry;
use crate::page::Block;

/// Leaves remembered. Between two trainings more new ones come only to indexes of several thousand.
const ROOM: usize = 64;
/// Bits, in words of 64, by which most searches learn that there is no leaf for them here.
const FILTER: usize = 8;

/// A leaf and the fences it had.
#[derive(Debug, Clone, Copy)]
struct FoundLeaf<const W: usize> {
    /// What the model says for it: the leaf of this ordinal.
    ordinal: u32,
    block: Block,
    low: Entry<W>,
    high: Entry<W>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Recent<const W: usize> {
    /// A bit for each ordinal, modulo their number, that there is a leaf for.
    ordinals: [Cell<u64>; FILTER],
    len: Cell<usize>,
    /// The next leaf to be forgotten when the table is full.
    oldest: Cell<usize>,
    /// By ordinal and low fence; the leaves of one ordinal do not overlap.
    leaves: [Cell<FoundLeaf<W>>; ROOM],
}

impl<const W: usize> Default for Recent<W> {
    fn default() -> Self {
        let none = FoundLeaf {
            ordinal: 0,
            block: 0,
            low: Entry::MIN,
            high: Entry::MIN,
        };
        Self {
            ordinals: Default::default(),
            len: Cell::new(0),
            oldest: Cell::new(0),
            leaves: std::array::from_fn(|_| Cell::new(none)),
        }
    }
}

impl<const W: usize> Recent<W> {
    /// Where the leaf for `target` was met, if the model says `ordinal` for it.
    #[inline(always)]
    pub(super) fn find(&self, ordinal: u32, target: &Target<W>) -> Option<Block> {
        let (word, bit) = place(ordinal);
        if self.ordinals[word].get() & bit == 0 {
            return None;
        }
        self.look_up(ordinal, target)
    }

    #[inline(never)]
    fn look_up(&self, ordinal: u32, target: &Target<W>) -> Option<Block> {
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

    /// Remembers a leaf found where the model said `ordinal`.
    #[cold]
    pub(super) fn learn(&self, ordinal: u32, block: Block, low: Entry<W>, high: Entry<W>) {
        self.cut(ordinal, &low, &high);
        if self.len.get() == ROOM {
            let oldest = self.oldest.get() % ROOM;
            self.oldest.set(oldest + 1);
            self.remove(oldest);
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
        self.ordinals.iter().for_each(|word| word.set(0));
        for leaf in self.leaves() {
            let (word, bit) = place(leaf.get().ordinal);
            let word = &self.ordinals[word];
            word.set(word.get() | bit);
        }
    }

    /// Takes `low..high` from the leaves of an ordinal: it is another leaf's now.
    fn cut(&self, ordinal: u32, low: &Entry<W>, high: &Entry<W>) {
        let mut at = 0;
        while let Some(slot) = self.leaves().get(at) {
            let leaf = slot.get();
            let overlaps = leaf.ordinal == ordinal && leaf.low < *high && *low < leaf.high;
            if overlaps && leaf.low < *low {
                slot.set(FoundLeaf { high: *low, ..leaf });
            } else if overlaps {
                self.remove(at);
                continue;
            }
            at += 1;
        }
    }

    fn remove(&self, at: usize) {
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

/// An ordinal's word and bit of the filter.
const fn place(ordinal: u32) -> (usize, u64) {
    let word = ordinal / u64::BITS;
    (word as usize % FILTER, 1 << (ordinal % u64::BITS))
}

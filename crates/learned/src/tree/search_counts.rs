//! Statistics: how searches found their leaves.

use std::cell::Cell;

/// Numbers of searches by how they found their leaf. A search descends from the root if the model
/// makes no prediction for its key, or if the leaf is not where the model says.
#[derive(Debug, Clone, Default)]
pub struct SearchCounts {
    /// Searches whose leaf was the first one read, as predicted: nearly all in an index without
    /// writes.
    pub hits: Cell<u64>,
    /// Searches of writers whose leaf was the right sibling of the one predicted.
    pub near_hits: Cell<u64>,
    /// Moves right.
    pub right_links: Cell<u64>,
    /// Searches that descended from the root although there was a prediction.
    pub misses: Cell<u64>,
    /// Searches that descended from the root, with or without a prediction.
    pub descents: Cell<u64>,
}

impl SearchCounts {
    /// All searches.
    pub fn searches(&self) -> u64 {
        self.hits.get() + self.near_hits.get() + self.descents.get()
    }

    /// Searches with a prediction.
    pub fn predicted(&self) -> u64 {
        self.hits.get() + self.near_hits.get() + self.misses.get()
    }

    /// Searches that a better model might have made shorter.
    #[inline(always)]
    pub fn improvable(&self) -> u64 {
        self.near_hits.get() + self.descents.get()
    }

    /// Number of counters.
    pub const FIELDS: usize = 5;

    /// The values of all counters.
    pub fn values(&self) -> [u64; Self::FIELDS] {
        [
            self.hits.get(),
            self.near_hits.get(),
            self.right_links.get(),
            self.misses.get(),
            self.descents.get(),
        ]
    }

    /// Counters with these values, in the order of [`Self::values`].
    pub fn from_values(
        [hits, near_hits, right_links, misses, descents]: [u64; Self::FIELDS],
    ) -> Self {
        Self {
            hits: Cell::new(hits),
            near_hits: Cell::new(near_hits),
            right_links: Cell::new(right_links),
            misses: Cell::new(misses),
            descents: Cell::new(descents),
        }
    }

    /// Moves the counts out: all counters start from 0 again.
    pub fn take(&self) -> Self {
        Self {
            hits: self.hits.take().into(),
            near_hits: self.near_hits.take().into(),
            right_links: self.right_links.take().into(),
            misses: self.misses.take().into(),
            descents: self.descents.take().into(),
        }
    }

    /// Adds other counts.
    #[inline(always)]
    pub fn add(&self, other: &Self) {
        bump(&self.hits, other.hits.get());
        if other.improvable() > 0 {
            bump(&self.near_hits, other.near_hits.get());
            bump(&self.right_links, other.right_links.get());
            bump(&self.misses, other.misses.get());
            bump(&self.descents, other.descents.get());
        }
    }
}

/// Adds to a counter.
#[inline(always)]
pub fn bump(counter: &Cell<u64>, by: u64) {
    counter.set(counter.get().wrapping_add(by));
}

//! What searches for leaves met on their way.

use std::cell::Cell;

/// Numbers of searches by what they met. A search that the model says nothing about, or whose
/// leaf is not where the model says, descends from the root.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Searches whose leaf was the first one read, as predicted. In an index at rest nearly all.
    pub straight: Cell<u64>,
    /// Searches of writers whose leaf was found to the right of the one predicted.
    pub strayed: Cell<u64>,
    /// Right links that searches followed.
    pub links: Cell<u64>,
    /// Searches that descended from the root although there was a prediction.
    pub missed: Cell<u64>,
    /// Searches that descended from the root, with or without a prediction.
    pub descents: Cell<u64>,
}

impl Counts {
    /// All searches.
    pub fn searches(&self) -> u64 {
        self.straight.get() + self.strayed.get() + self.descents.get()
    }

    /// Searches with a prediction.
    pub fn predicted(&self) -> u64 {
        self.straight.get() + self.strayed.get() + self.missed.get()
    }

    /// Searches that a better model might have made shorter.
    #[inline(always)]
    pub fn astray(&self) -> u64 {
        self.strayed.get() + self.descents.get()
    }

    /// How many counters there are.
    pub const FIELDS: usize = 5;

    /// All counters.
    pub fn values(&self) -> [u64; Self::FIELDS] {
        [
            self.straight.get(),
            self.strayed.get(),
            self.links.get(),
            self.missed.get(),
            self.descents.get(),
        ]
    }

    /// Counters with these values, in the order of [`Self::values`].
    pub fn of([straight, strayed, links, missed, descents]: [u64; Self::FIELDS]) -> Self {
        Self {
            straight: Cell::new(straight),
            strayed: Cell::new(strayed),
            links: Cell::new(links),
            missed: Cell::new(missed),
            descents: Cell::new(descents),
        }
    }

    /// Takes the counts away: all counters begin at 0 again.
    pub fn take(&self) -> Self {
        Self {
            straight: self.straight.take().into(),
            strayed: self.strayed.take().into(),
            links: self.links.take().into(),
            missed: self.missed.take().into(),
            descents: self.descents.take().into(),
        }
    }

    /// Adds what others met.
    #[inline(always)]
    pub fn add(&self, other: &Self) {
        bump(&self.straight, other.straight.get());
        if other.astray() > 0 {
            bump(&self.strayed, other.strayed.get());
            bump(&self.links, other.links.get());
            bump(&self.missed, other.missed.get());
            bump(&self.descents, other.descents.get());
        }
    }
}

/// Adds to a counter.
#[inline(always)]
pub fn bump(counter: &Cell<u64>, by: u64) {
    counter.set(counter.get().wrapping_add(by));
}

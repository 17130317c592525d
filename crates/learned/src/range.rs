//! The algebra of search bounds: from comparisons with a column of integers to ranges of entries.
//!
//! A search key of another type than the column's type need not be a value of the column: the key
//! lies at, or between, or beyond the column's integers ([`Place`]). Where the comparison is not
//! monotone (local times where clocks jump), the key has a zone in which only the operator itself
//! can decide. [`Limits`] intersects any number of such conditions; they may repeat or contradict
//! each other. [`crate::search`] combines the limits of several columns.
//!
//! Throughout, *sure* entries satisfy the search condition without a recheck.

use crate::key::{Entry, NULL_BIT};

/// The place of a search key among the integers of a column. Integers below `below` compare less
/// than the key, integers above `last` compare greater. The integers in between equal the key if
/// the place is exact (then there is at most one); else only the operator can decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    below: i128,
    last: i128,
    exact: bool,
}

impl Place {
    /// The key is the integer `value`.
    pub const fn at(value: i128) -> Self {
        Self::zone(value, value).known()
    }

    /// The key is greater than `next - 1` and less than `next`, which is above `i128::MIN`.
    pub const fn before(next: i128) -> Self {
        Self::zone(next, next - 1)
    }

    /// The integers from `first` to `last`, both included, may compare either way. An empty zone
    /// (`first == last + 1`) is a place between two integers.
    pub const fn zone(first: i128, last: i128) -> Self {
        Self {
            below: first,
            last,
            exact: last < first,
        }
    }

    const fn known(self) -> Self {
        Self {
            exact: true,
            ..self
        }
    }

    /// The place among the integers `k` if the column compares as `k * unit`. `unit` is positive,
    /// and the place is within 64 bits.
    #[must_use]
    pub const fn divided(self, unit: i128) -> Self {
        let below = ceil(self.below, unit);
        let last = ceil(self.last + 1, unit) - 1;
        Self {
            below,
            last,
            exact: self.exact || last < below,
        }
    }
}

/// The least `k` with `k * unit >= n`.
const fn ceil(n: i128, unit: i128) -> i128 {
    -(-n).div_euclid(unit)
}

/// A comparison `column <op> key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

/// The integers from `first` to `last`, both included; none if `last < first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    pub first: i128,
    pub last: i128,
}

impl Interval {
    /// No integer. Its intersection with any interval is empty.
    const EMPTY: Self = Self {
        first: i128::MAX,
        last: i128::MIN,
    };

    const fn up_to(last: i128) -> Self {
        Self {
            first: i128::MIN,
            last,
        }
    }

    const fn from(first: i128) -> Self {
        Self {
            first,
            last: i128::MAX,
        }
    }

    const fn below(end: i128) -> Self {
        match end.checked_sub(1) {
            Some(last) => Self::up_to(last),
            None => Self::EMPTY,
        }
    }

    const fn above(end: i128) -> Self {
        match end.checked_add(1) {
            Some(first) => Self::from(first),
            None => Self::EMPTY,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            first: self.first.max(other.first),
            last: self.last.min(other.last),
        }
    }

    const fn is_empty(self) -> bool {
        self.last < self.first
    }
}

/// The integers that may satisfy some comparisons (`may`), and those of them that surely do
/// (`sure`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    may: Interval,
    sure: Interval,
}

impl Limits {
    /// The limits of a column without a condition: its values lie from `first` to `last`, both
    /// included.
    pub const fn within(first: i128, last: i128) -> Self {
        let all = Interval { first, last };
        Self {
            may: all,
            sure: all,
        }
    }

    /// Adds a condition.
    pub fn restrict(&mut self, comparison: Comparison, key: Place) {
        use Comparison::*;
        let Place { below, last, exact } = key;
        let same = Interval { first: below, last };
        let (may, sure) = match (comparison, exact) {
            (Less, true) => (Interval::below(below), Interval::below(below)),
            (LessOrEqual, true) => (Interval::up_to(last), Interval::up_to(last)),
            (Less | LessOrEqual, false) => (Interval::up_to(last), Interval::below(below)),
            (Equal, true) => (same, same),
            (Equal, false) => (same, Interval::EMPTY),
            (GreaterOrEqual, true) => (Interval::from(below), Interval::from(below)),
            (Greater, true) => (Interval::above(last), Interval::above(last)),
            (GreaterOrEqual | Greater, false) => (Interval::from(below), Interval::above(last)),
        };
        *self = self.and(&Self { may, sure });
    }

    /// Whether no integer can satisfy the conditions.
    pub const fn is_empty(&self) -> bool {
        self.may.is_empty()
    }

    /// The integers that satisfy both conditions.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            may: self.may.and(other.may),
            sure: self.sure.and(other.sure),
        }
    }

    fn is_exact(&self) -> bool {
        self.may == self.sure
    }

    /// The integers as ascending intervals; true: its integers surely satisfy the conditions.
    pub fn pieces(&self) -> impl DoubleEndedIterator<Item = (Interval, bool)> {
        let Self { may, sure } = *self;
        let pieces = if sure.is_empty() {
            [
                (may, false),
                (Interval::EMPTY, false),
                (Interval::EMPTY, false),
            ]
        } else {
            [
                (may.and(Interval::below(sure.first)), false),
                (sure, true),
                (may.and(Interval::above(sure.last)), false),
            ]
        };
        pieces.into_iter().filter(|(piece, _)| !piece.is_empty())
    }
}

/// Conditions of which at least one must hold: brings them into ascending order and unites those
/// that overlap, so that no integer is in two of them.
pub fn union(list: &mut Vec<Limits>) {
    list.retain(|limits| !limits.is_empty());
    list.sort_unstable_by_key(|limits| (limits.may.first, limits.may.last));
    list.dedup_by(|next, last| {
        if next.may.first > last.may.last {
            return false;
        }
        if next != last {
            let exact = next.is_exact() && last.is_exact();
            last.may.last = last.may.last.max(next.may.last);
            // All are rechecked: to find out which part is sure would cost more.
            last.sure = if exact { last.may } else { Interval::EMPTY };
        }
        true
    });
}

/// The integers that satisfy a condition of both lists. Both lists and the result are ascending and
/// disjoint, as after [`union`].
pub fn intersection(left: &[Limits], right: &[Limits]) -> Vec<Limits> {
    let mut result = Vec::new();
    let (mut lefts, mut rights) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(a), Some(b)) = (lefts.peek(), rights.peek()) {
        let limits = a.and(b);
        if !limits.is_empty() {
            result.push(limits);
        }
        if a.may.last < b.may.last {
            lefts.next();
        } else {
            rights.next();
        }
    }
    result
}

/// The entries from `from` (included) to `until` (excluded).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range<const W: usize> {
    pub from: Entry<W>,
    pub until: Entry<W>,
    /// The entries satisfy the search condition without a recheck.
    pub sure: bool,
}

impl<const W: usize> Range<W> {
    /// All entries.
    pub const ALL: Self = Self::exact(Entry::MIN, Entry::MAX);
    /// No entry.
    pub const NONE: Self = Self::exact(Entry::MIN, Entry::MIN);

    /// A range whose entries all satisfy the condition.
    #[inline(always)]
    pub const fn exact(from: Entry<W>, until: Entry<W>) -> Self {
        Self {
            from,
            until,
            sure: true,
        }
    }

    /// The entries of one value of a key of one word; NULLs as in [`crate::key`].
    #[inline(always)]
    pub fn point(word: u64, nulls_first: bool) -> Self {
        let floor = |word, bit| {
            let mut key = [0; W];
            if let Some(first) = key.first_mut() {
                *first = word;
            }
            Entry::new(key, bit)
        };
        let zero = if nulls_first { NULL_BIT } else { 0 };
        let from = floor(word, if word == 0 { zero } else { 0 });
        let until = match word.checked_add(1) {
            Some(next) => floor(next, 0),
            None if nulls_first => Entry::MAX,
            None => floor(u64::MAX, NULL_BIT),
        };
        Self::exact(from, until)
    }
}

#[cfg(test)]
mod tests;

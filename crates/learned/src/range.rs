//! The algebra of search bounds: from comparisons with a column of integers to one range of entries.
//!
//! A search key of another type than the column's need not be a value of the column: it lies at, or
//! between, or beyond the column's integers ([`Place`]). Where the comparison is not monotone (local
//! times where clocks jump) it has a zone in which only the operator itself can tell.
//! [`Limits`] intersects any number of such conditions; they may repeat or contradict each other.

use crate::key::{Entry, NULL_BIT};

/// One beyond the greatest integer: no value of a column is that great.
pub const BEYOND: i128 = i64::MAX as i128 + 1;

/// Where a search key lies among the integers of a column: integers below `below` compare less
/// than the key, integers from `above` on compare greater. In between they are equal to it if the
/// place is exact (then there is one such integer, or none); else only the operator can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    below: i128,
    above: i128,
    exact: bool,
}

impl Place {
    /// The key is the integer `value`.
    pub const fn at(value: i128) -> Self {
        Self {
            below: value,
            above: value + 1,
            exact: true,
        }
    }

    /// The key is greater than `next - 1` and less than `next`.
    pub const fn before(next: i128) -> Self {
        Self {
            below: next,
            above: next,
            exact: true,
        }
    }

    /// The integers from `first` up to and with `last` may compare either way. An empty zone
    /// (`first == last + 1`) is a place between two integers.
    pub const fn zone(first: i128, last: i128) -> Self {
        Self {
            below: first,
            above: last + 1,
            exact: last < first,
        }
    }

    /// The place among multiples: where this one lies among the integers `k` if the column
    /// compares as `k * unit`.
    #[must_use]
    pub const fn divided(self, unit: i128) -> Self {
        let below = ceil(self.below, unit);
        let above = ceil(self.above, unit);
        Self {
            below,
            above,
            exact: self.exact || below == above,
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

/// The integers that satisfy some comparisons, as `[from, until)`; of those only the ones in
/// `[sure_from, sure_until)` are known to satisfy them without asking the operators again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    from: i128,
    until: i128,
    sure_from: i128,
    sure_until: i128,
}

impl Default for Limits {
    fn default() -> Self {
        Self::ALL
    }
}

impl Limits {
    /// No condition yet.
    pub const ALL: Self = Self {
        from: i64::MIN as i128,
        until: BEYOND,
        sure_from: i64::MIN as i128,
        sure_until: BEYOND,
    };

    /// Adds a condition.
    pub fn restrict(&mut self, comparison: Comparison, key: Place) {
        // What passes for certain, and what may pass, on either side.
        let (least, sure_least, most, sure_most);
        match comparison {
            Comparison::Less | Comparison::LessOrEqual => {
                (least, sure_least) = (self.from, self.sure_from);
                (most, sure_most) = match (key.exact, comparison) {
                    (true, Comparison::Less) => (key.below, key.below),
                    (true, _) => (key.above, key.above),
                    (false, _) => (key.above, key.below),
                };
            }
            Comparison::GreaterOrEqual | Comparison::Greater => {
                (most, sure_most) = (self.until, self.sure_until);
                (least, sure_least) = match (key.exact, comparison) {
                    (true, Comparison::Greater) => (key.above, key.above),
                    (true, _) => (key.below, key.below),
                    (false, _) => (key.below, key.above),
                };
            }
            Comparison::Equal => {
                (least, most) = (key.below, key.above);
                (sure_least, sure_most) = match key.exact {
                    true => (least, most),
                    false => (most, least),
                };
            }
        }
        self.from = self.from.max(least);
        self.sure_from = self.sure_from.max(sure_least);
        self.until = self.until.min(most);
        self.sure_until = self.sure_until.min(sure_most);
    }

    /// Whether nothing can satisfy the conditions.
    pub const fn is_empty(&self) -> bool {
        self.from >= self.until
    }

    /// What satisfies both conditions.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            from: self.from.max(other.from),
            until: self.until.min(other.until),
            sure_from: self.sure_from.max(other.sure_from),
            sure_until: self.sure_until.min(other.sure_until),
        }
    }

    const fn is_exact(&self) -> bool {
        self.from == self.sure_from && self.until == self.sure_until
    }

    /// The entries with such values in a one-word key: `value ^ i64::MIN`, NULLs as in [`crate::key`].
    pub fn range(&self, nulls_first: bool) -> Range<1> {
        let floor = |value| floor(value, nulls_first);
        Range {
            from: floor(self.from),
            until: floor(self.until),
            sure_from: floor(self.sure_from),
            sure_until: floor(self.sure_until),
        }
    }
}

/// Conditions of which at least one must hold: puts them into ascending order and merges those that
/// overlap, so that no entry is in two of them.
pub fn any_of(list: &mut Vec<Limits>) {
    list.retain(|limits| !limits.is_empty());
    list.sort_unstable_by_key(|limits| (limits.from, limits.until));
    list.dedup_by(|next, last| {
        if next.from >= last.until {
            return false;
        }
        if next != last {
            let exact = next.is_exact() && last.is_exact();
            last.until = last.until.max(next.until);
            (last.sure_from, last.sure_until) = if exact {
                (last.from, last.until)
            } else {
                // Recheck all: which part is sure is not worth finding out.
                (last.until, last.from)
            };
        }
        true
    });
}

/// What satisfies a condition of both lists, each as [`any_of`] left it; so is the result.
pub fn both(left: &[Limits], right: &[Limits]) -> Vec<Limits> {
    let mut result = Vec::new();
    let (mut lefts, mut rights) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(a), Some(b)) = (lefts.peek(), rights.peek()) {
        let limits = a.and(b);
        if !limits.is_empty() {
            result.push(limits);
        }
        if a.until < b.until {
            lefts.next();
        } else {
            rights.next();
        }
    }
    result
}

/// Below all entries of values from `value` on, above all others (but NULLs that sort last).
fn floor(value: i128, nulls_first: bool) -> Entry<1> {
    match i64::try_from(value) {
        Ok(value) => floor_of(value as u64 ^ 1 << 63, nulls_first),
        Err(_) if value < 0 => floor_of(0, nulls_first),
        Err(_) => values_end(nulls_first),
    }
}

/// The lowest entry that a value with `word` can have.
#[inline(always)]
const fn floor_of(word: u64, nulls_first: bool) -> Entry<1> {
    let bit = if nulls_first && word == 0 {
        NULL_BIT
    } else {
        0
    };
    Entry::new([word], bit)
}

/// Above the entries of all values.
#[inline(always)]
const fn values_end(nulls_first: bool) -> Entry<1> {
    if nulls_first {
        Entry::MAX
    } else {
        Entry::new([u64::MAX], NULL_BIT)
    }
}

/// The entries from `from` up to, not with, `until`. Those outside `[sure_from, sure_until)` need
/// the search condition rechecked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range<const W: usize> {
    pub from: Entry<W>,
    pub until: Entry<W>,
    pub sure_from: Entry<W>,
    pub sure_until: Entry<W>,
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
            sure_from: from,
            sure_until: until,
        }
    }

    /// Whether no entry of the range needs a recheck.
    #[inline(always)]
    pub fn is_exact(&self) -> bool {
        self.sure_from == self.from && self.sure_until == self.until
    }

    /// Whether an entry of the range satisfies the condition for certain.
    #[inline(always)]
    pub fn is_sure(&self, entry: &Entry<W>) -> bool {
        self.sure_from <= *entry && *entry < self.sure_until
    }
}

impl Range<1> {
    /// The entries of one value, given as its word.
    #[inline(always)]
    pub fn point(word: u64, nulls_first: bool) -> Self {
        let until = match word.checked_add(1) {
            Some(next) => floor_of(next, nulls_first),
            None => values_end(nulls_first),
        };
        Self::exact(floor_of(word, nulls_first), until)
    }

    /// The entries that are not NULL.
    pub const fn values(nulls_first: bool) -> Self {
        Self::exact(floor_of(0, nulls_first), values_end(nulls_first))
    }

    /// The entries that are NULL.
    pub const fn nulls(nulls_first: bool) -> Self {
        if nulls_first {
            Self::exact(Entry::MIN, floor_of(0, true))
        } else {
            Self::exact(values_end(false), Entry::MAX)
        }
    }
}

#[cfg(test)]
mod tests;

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
mod tests {
    use super::*;
    use Comparison::*;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    const ALL: [Comparison; 5] = [Less, LessOrEqual, Equal, GreaterOrEqual, Greater];

    fn holds(comparison: Comparison, order: Ordering) -> bool {
        match comparison {
            Less => order.is_lt(),
            LessOrEqual => order.is_le(),
            Equal => order.is_eq(),
            GreaterOrEqual => order.is_ge(),
            Greater => order.is_gt(),
        }
    }

    fn entry(value: Option<i64>, nulls_first: bool) -> Entry<1> {
        let tid = 7 << 16 | 3;
        match value {
            None if nulls_first => Entry::new([0], tid),
            None => Entry::new([u64::MAX], NULL_BIT | tid),
            Some(i64::MIN) if nulls_first => Entry::new([0], NULL_BIT | tid),
            Some(v) => Entry::new([v as u64 ^ 1 << 63], tid),
        }
    }

    fn within(range: &Range<1>, e: &Entry<1>) -> bool {
        range.from <= *e && *e < range.until
    }

    /// Values around the key and at the ends of the domain.
    fn probes(keys: &[i128]) -> Vec<i64> {
        let mut all = vec![i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
        for k in keys {
            all.extend((-3..=3).filter_map(|d| i64::try_from(k + d).ok()));
        }
        all
    }

    fn any_key() -> impl Strategy<Value = i128> {
        prop_oneof![
            -5i128..5,
            any::<i64>().prop_map(i128::from),
            (i64::MIN as i128 - 3)..(i64::MIN as i128 + 3),
            (i64::MAX as i128 - 3)..(i64::MAX as i128 + 3),
        ]
    }

    proptest! {
        #[test]
        fn exact_keys_select_what_the_comparisons_select(
            keys in prop::collection::vec((any_key(), 0usize..5, any::<bool>()), 1..5),
            nulls_first: bool,
        ) {
            let mut limits = Limits::ALL;
            for &(key, op, between) in &keys {
                // "between" stands for key - 1/2.
                limits.restrict(ALL[op], if between { Place::before(key) } else { Place::at(key) });
            }
            let range = limits.range(nulls_first);
            prop_assert!(range.is_exact() || limits.is_empty());
            for v in probes(&keys.iter().map(|k| k.0).collect::<Vec<_>>()) {
                let want = keys.iter().all(|&(key, op, between)| {
                    holds(ALL[op], (2 * i128::from(v)).cmp(&(2 * key - i128::from(between))))
                });
                let e = entry(Some(v), nulls_first);
                prop_assert_eq!(within(&range, &e), want, "{} {:?}", v, keys);
                prop_assert!(!want || range.is_sure(&e));
            }
            prop_assert!(!within(&range, &entry(None, nulls_first)));
        }

        #[test]
        fn zones_keep_all_matches_and_are_sure_only_of_matches(
            keys in prop::collection::vec((any_key(), 0i128..4, any::<u64>(), 0usize..5), 1..4),
            nulls_first: bool,
        ) {
            let mut limits = Limits::ALL;
            for &(first, length, _, op) in &keys {
                limits.restrict(ALL[op], Place::zone(first, first + length - 1));
            }
            let range = limits.range(nulls_first);
            for v in probes(&keys.iter().map(|k| k.0).collect::<Vec<_>>()) {
                let e = entry(Some(v), nulls_first);
                let v = i128::from(v);
                // Inside the zone the order is arbitrary: two bits of `chaos` each.
                let want = keys.iter().all(|&(first, length, chaos, op)| {
                    let order = if v < first {
                        Ordering::Less
                    } else if v >= first + length {
                        Ordering::Greater
                    } else {
                        match chaos >> (2 * (v - first)) & 3 {
                            0 => Ordering::Less,
                            1 => Ordering::Equal,
                            _ => Ordering::Greater,
                        }
                    };
                    holds(ALL[op], order)
                });
                let zone = keys.iter().any(|&(first, length, ..)| first <= v && v < first + length);
                if want {
                    prop_assert!(within(&range, &e));
                }
                if within(&range, &e) {
                    prop_assert!(want || !range.is_sure(&e));
                    prop_assert!(zone || range.is_sure(&e), "recheck outside of all zones");
                }
            }
        }

        #[test]
        fn lists_select_what_one_condition_of_each_selects(
            lists in prop::collection::vec(prop::collection::vec((-9i128..9, 0i128..4, 0usize..5), 0..6), 1..4),
        ) {
            let limits = |&(first, length, op): &(i128, i128, usize)| {
                let mut limits = Limits::ALL;
                // Zones only where the length is odd: points else.
                let place = if length % 2 == 1 { Place::zone(first, first + length) } else { Place::at(first) };
                limits.restrict(ALL[op], place);
                limits
            };
            let mut found = vec![Limits::ALL];
            for list in &lists {
                let mut any: Vec<_> = list.iter().map(limits).collect();
                any_of(&mut any);
                found = both(&found, &any);
            }
            let within = |l: &Limits, v: i128| l.from <= v && v < l.until;
            let sure = |l: &Limits, v: i128| within(l, v) && l.sure_from <= v && v < l.sure_until;
            for v in -12i128..15 {
                let may = lists.iter().all(|list| list.iter().map(limits).any(|l| within(&l, v)));
                let must = lists.iter().all(|list| list.iter().map(limits).any(|l| sure(&l, v)));
                let hits: Vec<_> = found.iter().filter(|l| within(l, v)).collect();
                prop_assert_eq!(hits.len(), usize::from(may));
                prop_assert!(must || !hits.iter().any(|l| sure(l, v)));
                let exact = lists.iter().flatten().all(|&(_, length, _)| length % 2 == 0);
                prop_assert!(!exact || hits.iter().all(|l| sure(l, v)));
            }
            prop_assert!(found.is_sorted_by(|a, b| a.until <= b.from));
        }

        #[test]
        fn division_keeps_the_order(below in -1000i128..1000, length in 0i128..50, unit in 1i128..40, k in -1100i128..1100) {
            let place = Place { below, above: below + length, exact: length == 0 }.divided(unit);
            prop_assert_eq!(k < place.below, k * unit < below);
            prop_assert_eq!(k >= place.above, k * unit >= below + length);
        }

        #[test]
        fn a_point_is_an_equality(value: i64, nulls_first: bool) {
            for value in [value, i64::MIN, i64::MAX] {
                let mut limits = Limits::ALL;
                limits.restrict(Equal, Place::at(value.into()));
                let word = value as u64 ^ 1 << 63;
                prop_assert_eq!(limits.range(nulls_first), Range::point(word, nulls_first));
            }
        }
    }

    #[test]
    fn beyond_the_domain() {
        let key = Place::at(BEYOND + 5);
        for (comparison, all) in [(Less, true), (Equal, false), (Greater, false)] {
            let mut limits = Limits::ALL;
            limits.restrict(comparison, key);
            assert_eq!(limits.is_empty(), !all);
            if all {
                assert_eq!(limits.range(false), Range::values(false));
                assert_eq!(limits.range(true), Range::values(true));
            }
        }
    }

    #[test]
    fn nulls_and_values_partition_the_entries() {
        for first in [true, false] {
            let (nulls, values) = (Range::nulls(first), Range::values(first));
            for e in [
                entry(None, first),
                entry(Some(i64::MIN), first),
                entry(Some(i64::MAX), first),
            ] {
                assert_ne!(within(&nulls, &e), within(&values, &e));
            }
            assert!(within(&nulls, &entry(None, first)));
        }
    }
}

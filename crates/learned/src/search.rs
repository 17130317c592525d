//! From conditions on the columns of a key to ranges of entries, and to filters for the rest.
//!
//! A column takes one or more words of the key ([`Field`]). A condition on the column is a list of
//! spans of these words. Columns are used in the key's order as long as each has a condition and
//! all columns before it are limited to single values: `a = 1 AND b IN (2, 3) AND c > 4` gives two
//! ranges. The other conditions, behind a span or behind a column without a condition, filter the
//! entries that are read; [`crate::skip`] says which entries need not be read.

use smallvec::SmallVec;

use crate::key::{Entry, NULL_BIT};
use crate::policy::tree::MAX_RANGES;
use crate::range::Range;

/// The place of a column in the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its first word.
    pub at: usize,
    /// Number of its words.
    pub words: usize,
    /// [`NULL_BIT`] of the tie belongs to the column, behind its words.
    pub has_null_bit: bool,
}

impl Field {
    /// The empty column behind the last word of a key of `W` words.
    pub(crate) const fn behind<const W: usize>() -> Self {
        Self {
            at: W,
            words: 0,
            has_null_bit: false,
        }
    }

    pub(crate) const fn end(&self) -> usize {
        self.at + self.words
    }

    /// The entry's columns up to and including this one; everything else is 0.
    #[inline]
    pub fn prefix<const W: usize>(&self, entry: &Entry<W>) -> Entry<W> {
        let all = Self {
            at: 0,
            words: self.end(),
            ..*self
        };
        all.part_of(entry)
    }

    /// All entries with the same columns up to and including this one.
    #[inline]
    pub fn same<const W: usize>(&self, entry: &Entry<W>) -> Range<W> {
        let from = self.prefix(entry);
        Range {
            from,
            until: end_of_prefix(&from, self),
            sure: true,
        }
    }

    /// This column of the entry; everything else is 0.
    #[inline]
    pub(crate) fn part_of<const W: usize>(&self, entry: &Entry<W>) -> Entry<W> {
        let mut part = Entry::MIN;
        let words = self.at..self.end();
        if let (Some(to), Some(from)) = (part.key.get_mut(words.clone()), entry.key.get(words)) {
            to.copy_from_slice(from);
        }
        if self.has_null_bit {
            part.tie = entry.tie & NULL_BIT;
        }
        part
    }
}

/// Values of one column, or of several adjacent columns, from `first` to `last`, both included.
/// Words and bits of other columns are 0 in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span<const W: usize> {
    pub first: Entry<W>,
    pub last: Entry<W>,
    /// The values satisfy the condition without a recheck.
    pub sure: bool,
}

impl<const W: usize> Span<W> {
    /// The span of no column.
    const EMPTY_PREFIX: Self = Self {
        first: Entry::MIN,
        last: Entry::MIN,
        sure: true,
    };

    /// The span of the columns of both, which do not overlap.
    pub(crate) fn then(&self, next: &Self) -> Self {
        let join = |a: &Entry<W>, b: &Entry<W>| Entry {
            key: std::array::from_fn(|i| {
                a.key.get(i).copied().unwrap_or(0) | b.key.get(i).copied().unwrap_or(0)
            }),
            tie: a.tie | b.tie,
        };
        Self {
            first: join(&self.first, &next.first),
            last: join(&self.last, &next.last),
            sure: self.sure && next.sure,
        }
    }

    fn is_single(&self) -> bool {
        self.first == self.last
    }

    /// The entries of the span, which has all words of the key up to its last column, `field`.
    fn range(&self, field: &Field) -> Range<W> {
        Range {
            from: self.first,
            until: end_of_prefix(&self.last, field),
            sure: self.sure,
        }
    }
}

/// The least entry above all entries whose columns up to `field` are as in `last`.
fn end_of_prefix<const W: usize>(last: &Entry<W>, field: &Field) -> Entry<W> {
    let words = last.key.get(field.at..field.end()).unwrap_or_default();
    let same = |word: u64| words.iter().all(|&w| w == word);
    if field.has_null_bit && last.tie == 0 && (same(0) || same(u64::MAX)) {
        // The same words with the bit are another value or NULL.
        return Entry::new(last.key, NULL_BIT);
    }
    // Other words never have the bit. A search for an entry with tie 0 is faster.
    let mut next = Entry::floor(last.key);
    for word in next.key.iter_mut().take(field.end()).rev() {
        let (sum, over) = word.overflowing_add(1);
        *word = sum;
        if !over {
            return next;
        }
    }
    Entry::MAX
}

/// The values that a column may have: spans in ascending order, disjoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition<const W: usize> {
    pub field: Field,
    pub spans: SmallVec<[Span<W>; 1]>,
}

impl<const W: usize> Condition<W> {
    /// The span that the entry is in.
    #[inline]
    fn find(&self, entry: &Entry<W>) -> Option<&Span<W>> {
        let part = self.field.part_of(entry);
        let at = self.spans.partition_point(|span| span.last < part);
        self.spans.get(at).filter(|span| span.first <= part)
    }

    /// Whether an entry may satisfy the condition.
    #[inline]
    pub fn admits(&self, entry: &Entry<W>) -> bool {
        self.find(entry).is_some()
    }

    /// Whether an entry satisfies the condition without a recheck.
    #[inline]
    pub fn is_sure(&self, entry: &Entry<W>) -> bool {
        self.find(entry).is_some_and(|span| span.sure)
    }

    /// Whether no entry that may satisfy the condition needs a recheck.
    pub fn is_exact(&self) -> bool {
        self.spans.iter().all(|span| span.sure)
    }
}

/// Adds to `ranges` the ranges that have all entries that satisfy the conditions, ascending and
/// disjoint. Returns the number of conditions that the ranges express: the others are filters.
/// `conditions` are in the key's order, at most one for each column.
pub fn ranges<const W: usize>(conditions: &[Condition<W>], ranges: &mut Vec<Range<W>>) -> usize {
    let mut spans: SmallVec<[Span<W>; 1]> = SmallVec::from_buf([Span::EMPTY_PREFIX]);
    let mut field = Field {
        at: 0,
        words: 0,
        has_null_bit: false,
    };
    let mut used = 0;
    for condition in conditions {
        let many = spans.len().saturating_mul(condition.spans.len());
        if condition.field.at != field.end() || many > MAX_RANGES {
            break;
        }
        if let ([span], [next]) = (&mut spans[..], &condition.spans[..]) {
            *span = span.then(next);
        } else {
            let next = |span: Span<W>| condition.spans.iter().map(move |next| span.then(next));
            spans = spans.into_iter().flat_map(next).collect();
        }
        field = condition.field;
        used += 1;
        if !condition.spans.iter().all(Span::is_single) {
            break;
        }
    }
    if used == 0 {
        ranges.push(Range::ALL);
    } else {
        ranges.extend(spans.iter().map(|span| span.range(&field)));
    }
    used
}

#[cfg(test)]
pub(crate) mod tests;

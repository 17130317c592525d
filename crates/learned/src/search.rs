//! From conditions on the columns of a key to ranges of entries, and to filters for the rest.
//!
//! A column takes one or more words of the key ([`Field`]); a condition on it is a list of spans of
//! these words. Columns are taken in the key's order as long as each has a condition and the ones
//! before it are confined to single values: `a = 1 AND b IN (2, 3) AND c > 4` gives two ranges. What is left,
//! a condition behind a span or behind a column without one, filters the entries read ([`crate::skip`] tells which
//! need not be read).

use smallvec::SmallVec;

use crate::key::{Entry, NULL_BIT};
use crate::range::Range;

/// More ranges than this are not made of several lists: the conditions left become filters.
const MOST_RANGES: usize = 1 << 14;

/// The place of a column in the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its first word.
    pub at: usize,
    /// Number of its words.
    pub words: usize,
    /// [`NULL_BIT`] of the tie is a part of the column, behind its words.
    pub ties: bool,
}

impl Field {
    /// Behind the last column of a key of `W` words.
    pub(crate) const fn behind<const W: usize>() -> Self {
        Self {
            at: W,
            words: 0,
            ties: false,
        }
    }

    pub(crate) const fn end(&self) -> usize {
        self.at + self.words
    }

    /// The entry's columns up to this one, and nothing else.
    #[inline]
    pub fn prefix<const W: usize>(&self, entry: &Entry<W>) -> Entry<W> {
        let all = Self {
            at: 0,
            words: self.end(),
            ..*self
        };
        all.of(entry)
    }

    /// All entries that have the same columns up to this one.
    #[inline]
    pub fn same<const W: usize>(&self, entry: &Entry<W>) -> Range<W> {
        let from = self.prefix(entry);
        Range {
            from,
            until: end_of(&from, self),
            sure: true,
        }
    }

    /// An entry with nothing but this column.
    #[inline]
    pub(crate) fn of<const W: usize>(&self, entry: &Entry<W>) -> Entry<W> {
        let mut part = Entry::MIN;
        let words = self.at..self.end();
        if let (Some(to), Some(from)) = (part.key.get_mut(words.clone()), entry.key.get(words)) {
            to.copy_from_slice(from);
        }
        if self.ties {
            part.tie = entry.tie & NULL_BIT;
        }
        part
    }
}

/// Values of one column (or of several, one behind the other) from `first` up to and with `last`.
/// Whatever does not belong to the columns is zero in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span<const W: usize> {
    pub first: Entry<W>,
    pub last: Entry<W>,
    /// They satisfy the condition for certain; else it has to be rechecked.
    pub sure: bool,
}

impl<const W: usize> Span<W> {
    const NOTHING_YET: Self = Self {
        first: Entry::MIN,
        last: Entry::MIN,
        sure: true,
    };

    /// The span of the columns of both.
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

    /// The entries of the span, which has the words before `end`; `field` is its last column.
    fn range(&self, field: &Field) -> Range<W> {
        Range {
            from: self.first,
            until: end_of(&self.last, field),
            sure: self.sure,
        }
    }
}

/// Above all entries that begin with the columns up to `field` as `last` has them, and not above any other.
fn end_of<const W: usize>(last: &Entry<W>, field: &Field) -> Entry<W> {
    let words = last.key.get(field.at..field.end()).unwrap_or_default();
    let same = |word: u64| words.iter().all(|&w| w == word);
    if field.ties && last.tie == 0 && (same(0) || same(u64::MAX)) {
        // The same words with the bit are another value, or NULL.
        return Entry::new(last.key, NULL_BIT);
    }
    // Elsewhere they do not occur, and a search is faster for an entry without a tie.
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

/// What a column may be: spans in ascending order, disjoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition<const W: usize> {
    pub field: Field,
    pub spans: SmallVec<[Span<W>; 1]>,
}

impl<const W: usize> Condition<W> {
    /// The span in which an entry is.
    #[inline]
    fn find(&self, entry: &Entry<W>) -> Option<&Span<W>> {
        let part = self.field.of(entry);
        let at = self.spans.partition_point(|span| span.last < part);
        self.spans.get(at).filter(|span| span.first <= part)
    }

    /// Whether an entry may satisfy the condition.
    #[inline]
    pub fn admits(&self, entry: &Entry<W>) -> bool {
        self.find(entry).is_some()
    }

    /// Whether an entry satisfies the condition for certain.
    #[inline]
    pub fn is_sure(&self, entry: &Entry<W>) -> bool {
        self.find(entry).is_some_and(|span| span.sure)
    }

    /// Whether each entry that may satisfy the condition does so for certain.
    pub fn is_exact(&self) -> bool {
        self.spans.iter().all(|span| span.sure)
    }
}

/// Puts the ranges in which all entries lie that satisfy the conditions into `ranges`, ascending and
/// disjoint, and returns how many of the conditions they express: the others are filters.
/// `conditions` are in the key's order, one a column at most.
pub fn ranges<const W: usize>(conditions: &[Condition<W>], ranges: &mut Vec<Range<W>>) -> usize {
    let mut spans: SmallVec<[Span<W>; 1]> = SmallVec::from_buf([Span::NOTHING_YET]);
    let mut field = Field {
        at: 0,
        words: 0,
        ties: false,
    };
    let mut used = 0;
    for condition in conditions {
        let many = spans.len().saturating_mul(condition.spans.len());
        if condition.field.at != field.end() || many > MOST_RANGES {
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

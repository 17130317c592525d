//! A column of an index: its values as words of an entry, and conditions on it.
//!
//! A value takes one word of the entry or two. A column whose direction is not the index's has its bits complemented. NULLs are told
//! apart in one of three ways:
//! - the last column: as in `learned::key`, by a bit of the tie;
//! - a type with unused words: by the first or the last word there is;
//! - else by a word of its own before the value.
//!
//! An included column is coded as `learned::exact` says; NULL is a word like others.

use learned::Entry;
use learned::exact::{self, word};
use learned::key::NULL_BIT;
use learned::range::{Interval, Limits};
use learned::search::{Condition, Field, Span};
use pgrx::pg_sys;
use smallvec::SmallVec;

use super::included;
use super::key::KeyType;

/// How NULLs of a column are told from values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    /// The first or last word is NULL.
    Spare,
    /// The column has a word before its value: 0 or 1, whichever puts NULLs where they belong.
    Flag,
    /// By [`NULL_BIT`].
    Tie,
    /// An included column: by a word of their own, unless this bit of the tie marks a value.
    Mark(u8),
}

/// The bit of the tie for the first included column. Those of the others follow, downwards.
pub(super) const FIRST_MARK: u8 = 62;

/// How a column is coded.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Of an included column the type as which it is stored.
    pub key_type: KeyType,
    /// Its first word in the key.
    pub(super) at: u8,
    /// The words are complemented.
    pub(super) inverted: bool,
    pub(super) nulls: Nulls,
    /// NULLs come first in the physical order.
    pub nulls_first: bool,
}

impl Column {
    pub(super) const NONE: Self = Self {
        key_type: KeyType::Int8,
        at: 0,
        inverted: false,
        nulls: Nulls::Tie,
        nulls_first: false,
    };

    /// Where the value begins.
    const fn value_at(&self) -> usize {
        self.at as usize + (matches!(self.nulls, Nulls::Flag)) as usize
    }

    const fn mask(&self) -> u64 {
        if self.inverted { u64::MAX } else { 0 }
    }

    pub fn field(&self) -> Field {
        let end = self.value_at() + self.key_type.words();
        Field {
            at: self.at.into(),
            words: end - usize::from(self.at),
            has_null_bit: self.nulls == Nulls::Tie,
        }
    }

    /// Puts a value, given as its number, into an entry whose words are still zero.
    #[inline(always)]
    pub(super) fn put<const W: usize>(&self, entry: &mut Entry<W>, number: i128) {
        let at = self.value_at();
        let mask = self.mask();
        let mut set = |i: usize, word: u64| {
            if let Some(to) = entry.key.get_mut(i) {
                *to = word;
            }
        };
        let zero = if self.key_type.words() == 2 {
            let bits = number as u128 ^ 1 << 127;
            let (high, low) = ((bits >> 64) as u64 ^ mask, bits as u64 ^ mask);
            set(at, high);
            set(at + 1, low);
            high | low == 0
        } else {
            let value = number as i64;
            let value = if self.nulls == Nulls::Spare {
                inside(value)
            } else {
                value
            };
            let stored = word(value) ^ mask;
            set(at, stored);
            stored == 0
        };
        match self.nulls {
            Nulls::Flag => set(self.at.into(), self.nulls_first.into()),
            Nulls::Tie if self.nulls_first && zero => entry.tie |= NULL_BIT,
            Nulls::Tie | Nulls::Spare | Nulls::Mark(_) => {}
        }
    }

    /// Puts the value of an included column into an entry. None is NULL.
    ///
    /// # Safety
    /// `value` is of the column's type.
    #[inline(always)]
    pub(super) unsafe fn put_included<const W: usize>(
        &self,
        entry: &mut Entry<W>,
        mark: u8,
        value: Option<pg_sys::Datum>,
    ) {
        let (words, marked) = match value {
            // SAFETY: the caller's contract.
            Some(datum) => unsafe { included::words(self.key_type, datum) },
            None => ([exact::NULL; 2], false),
        };
        let to = entry.key.iter_mut().skip(self.at.into());
        for (to, word) in to.take(self.key_type.words()).zip(words) {
            *to = word;
        }
        entry.tie |= u64::from(marked) << mark;
    }

    /// Puts NULL into an entry whose words are still zero.
    #[inline(always)]
    pub(super) fn put_null<const W: usize>(&self, entry: &mut Entry<W>) {
        let at = usize::from(self.at);
        let (words, word) = match self.nulls {
            Nulls::Flag => (1, (!self.nulls_first).into()),
            _ if self.nulls_first => return,
            Nulls::Spare | Nulls::Mark(_) => (1, u64::MAX),
            Nulls::Tie => {
                entry.tie |= NULL_BIT;
                (self.key_type.words(), u64::MAX)
            }
        };
        entry
            .key
            .iter_mut()
            .skip(at)
            .take(words)
            .for_each(|to| *to = word);
    }

    /// The bytes of an entry's value in an index tuple, zeroes behind them; None for NULL.
    #[inline(always)]
    pub fn bytes<const W: usize>(&self, entry: &Entry<W>) -> Option<[u8; 16]> {
        self.decode(entry, |value| value)
    }

    /// Likewise where the words may be no value's: of the nearest one.
    pub fn nearest_bytes<const W: usize>(&self, entry: &Entry<W>) -> Option<[u8; 16]> {
        self.decode(entry, |value| self.key_type.nearest(value))
    }

    #[inline(always)]
    fn decode<const W: usize>(
        &self,
        entry: &Entry<W>,
        correct: impl Fn(i64) -> i64,
    ) -> Option<[u8; 16]> {
        let stored = |i: usize| entry.key.get(i).copied().unwrap_or(0);
        let at = self.value_at();
        let two = self.key_type.words() == 2;
        let first = stored(at);
        let second = if two { stored(at + 1) } else { first };
        if W > 1
            && let Nulls::Mark(mark) = self.nulls
        {
            let marked = entry.tie >> mark & 1 != 0;
            return included::bytes(self.key_type, [first, second], marked);
        }
        let bit = entry.tie & NULL_BIT != 0;
        let null = match (self.nulls, self.nulls_first) {
            (Nulls::Mark(_), _) => false,
            (Nulls::Spare, true) => first == 0,
            (Nulls::Spare, false) => first == u64::MAX,
            (Nulls::Flag, first) => (stored(self.at.into()) == 0) == first,
            (Nulls::Tie, true) => first | second == 0 && !bit,
            (Nulls::Tie, false) => bit && first & second == u64::MAX,
        };
        if null {
            return None;
        }
        let value = |stored: u64| (stored ^ self.mask() ^ 1 << 63) as i64;
        let mut bytes = [0; 16];
        let (low, high) = bytes.split_at_mut(8);
        if two {
            low.copy_from_slice(&self.key_type.bytes(value(first)));
            // Only of the first half the sign is turned.
            high.copy_from_slice(&(second ^ self.mask()).to_be_bytes());
        } else {
            let value = match self.nulls {
                Nulls::Spare => outside(value(first)),
                Nulls::Flag | Nulls::Tie | Nulls::Mark(_) => value(first),
            };
            low.copy_from_slice(&self.key_type.bytes(correct(value)));
        }
        Some(bytes)
    }

    /// Whether an entry tells exactly which value was indexed.
    pub fn is_exact(&self) -> bool {
        matches!(self.nulls, Nulls::Mark(_)) || self.key_type.is_exact()
    }

    /// The short way from the column's word to the value's bytes, if there is one.
    pub(super) fn direct(&self) -> Option<Direct> {
        if matches!(self.nulls, Nulls::Mark(_)) {
            return None;
        }
        let (turned, kept) = self.key_type.direct()?;
        Some(Direct {
            at: self.value_at() as u8,
            turned: turned ^ self.mask(),
            kept,
        })
    }

    /// No condition yet.
    pub fn limits(&self) -> Limits {
        let (first, last) = self.key_type.domain();
        Limits::within(first, last)
    }

    /// The condition that the column is NULL.
    pub fn is_null<const W: usize>(&self) -> Condition<W> {
        let mut null = Entry::MIN;
        self.put_null(&mut null);
        let span = Span {
            first: null,
            last: null,
            sure: true,
        };
        Condition {
            field: self.field(),
            spans: std::iter::once(span).collect(),
        }
    }

    /// The condition that the column's value is within one of some limits, which are ascending and disjoint.
    pub fn is_within<const W: usize>(&self, limits: &[Limits]) -> Condition<W> {
        let span = |piece| self.span(piece);
        let pieces = limits.iter().flat_map(Limits::pieces);
        let mut spans: SmallVec<_> = pieces.map(span).collect();
        if self.inverted {
            spans.reverse();
        }
        Condition {
            field: self.field(),
            spans,
        }
    }

    fn span<const W: usize>(&self, (values, sure): (Interval, bool)) -> Span<W> {
        let (mut first, mut last) = (Entry::MIN, Entry::MIN);
        self.put(&mut first, values.first);
        self.put(&mut last, values.last);
        if self.inverted {
            (first, last) = (last, first);
        }
        Span { first, last, sure }
    }
}

/// How to get the bytes of a value from its word, for types where a few bit operations do.
#[derive(Debug, Clone, Copy)]
pub struct Direct {
    at: u8,
    /// Bits of the word that are complements of the value's.
    turned: u64,
    /// Bits that belong to the value.
    kept: u64,
}

impl Direct {
    pub(super) const NONE: Self = Self {
        at: 0,
        turned: 0,
        kept: 0,
    };

    /// The bytes of an entry's value; None for NULL, for infinities, and for values that have these words.
    #[inline(always)]
    pub fn bytes<const W: usize>(&self, entry: &Entry<W>) -> Option<[u8; 8]> {
        /// NULL and infinities have the first or the last words; a NULL that a word of its own tells has 0.
        const SPECIAL: u64 = 2;
        let word = *entry.key.get(usize::from(self.at))?;
        (word.wrapping_add(SPECIAL) >= 2 * SPECIAL)
            .then_some(((word ^ self.turned) & self.kept).to_le_bytes())
    }
}

/// Makes room for NULL at either end of 64 bits. Of the values near the ends only the infinities occur, and
/// a limit beside an infinity stays beside it.
const fn inside(value: i64) -> i64 {
    const FIRST: i64 = i64::MIN + 2;
    const LAST: i64 = i64::MAX - 2;
    match value {
        i64::MIN => i64::MIN + 1,
        i64::MAX => i64::MAX - 1,
        _ if value < FIRST => FIRST,
        _ if value > LAST => LAST,
        _ => value,
    }
}

/// The value of which [`inside`] made this one.
const fn outside(value: i64) -> i64 {
    const LEAST: i64 = i64::MIN + 1;
    const GREATEST: i64 = i64::MAX - 1;
    match value {
        LEAST => i64::MIN,
        GREATEST => i64::MAX,
        _ => value,
    }
}

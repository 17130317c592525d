//! One column of an index: its values as words of an entry, and conditions on it.
//!
//! A value takes one or two words of the entry. The words are complemented if the column's
//! direction is not the index's. NULL is told from values in one of three ways:
//! - in the last column by a bit of the tie, see `learned::key`;
//! - in a type with unused words by the first or the last word;
//! - else by a word of its own before the value.
//!
//! An included column is coded by `learned::exact`, where NULL is one of the words.

use learned::Entry;
use learned::exact::{self, word};
use learned::key::NULL_BIT;
use learned::range::{Interval, Limits};
use learned::search::{Condition, Field, Span};
use pgrx::pg_sys;
use smallvec::SmallVec;

use super::included;
use super::key_type::KeyType;

/// How NULL is told from the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NullCoding {
    /// The first or the last word is NULL.
    Spare,
    /// The column has a word before its value, which is 0 or 1 and puts NULL first or last.
    Flag,
    /// [`NULL_BIT`] of the tie tells NULL from the value with the same words.
    Tie,
    /// In an included column one word is NULL, unless this bit of the tie marks it as a value.
    Mark(u8),
}

/// The bit of the tie that marks values of the first included column. The bits of the next columns
/// follow downwards.
pub(super) const FIRST_MARK: u8 = 62;

/// How a column is coded.
#[derive(Debug, Clone, Copy)]
pub struct ColumnCodec {
    /// The column's type; for an included column, the type as which it is stored.
    pub key_type: KeyType,
    /// The number of the column's first word in the key.
    pub(super) at: u8,
    /// Whether the words are complemented.
    pub(super) inverted: bool,
    pub(super) nulls: NullCoding,
    /// Whether NULL comes first in the physical order.
    pub nulls_first: bool,
}

impl ColumnCodec {
    pub(super) const NONE: Self = Self {
        key_type: KeyType::Int8,
        at: 0,
        inverted: false,
        nulls: NullCoding::Tie,
        nulls_first: false,
    };

    /// The number of the value's first word.
    const fn value_at(&self) -> usize {
        self.at as usize + (matches!(self.nulls, NullCoding::Flag)) as usize
    }

    /// The bits of the words that are complemented.
    const fn mask(&self) -> u64 {
        if self.inverted { u64::MAX } else { 0 }
    }

    /// The words of the column, as the core describes them.
    pub fn field(&self) -> Field {
        let end = self.value_at() + self.key_type.words();
        Field {
            at: self.at.into(),
            words: end - usize::from(self.at),
            has_null_bit: self.nulls == NullCoding::Tie,
        }
    }

    /// Puts a value into an entry whose words are still zero. `number` is [`KeyType::number`] of
    /// the value.
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
            let value = if self.nulls == NullCoding::Spare {
                inside(value)
            } else {
                value
            };
            let stored = word(value) ^ mask;
            set(at, stored);
            stored == 0
        };
        match self.nulls {
            NullCoding::Flag => set(self.at.into(), self.nulls_first.into()),
            NullCoding::Tie if self.nulls_first && zero => entry.tie |= NULL_BIT,
            NullCoding::Tie | NullCoding::Spare | NullCoding::Mark(_) => {}
        }
    }

    /// Puts a value of an included column into an entry. None is NULL.
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
            // SAFETY: the column's type is stored as key_type, see included::stored_as().
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
            NullCoding::Flag => (1, (!self.nulls_first).into()),
            _ if self.nulls_first => return,
            NullCoding::Spare | NullCoding::Mark(_) => (1, u64::MAX),
            NullCoding::Tie => {
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

    /// The bytes of an entry's value in an index tuple, followed by zeroes. None for NULL.
    #[inline(always)]
    pub fn bytes<const W: usize>(&self, entry: &Entry<W>) -> Option<[u8; 16]> {
        self.decode(entry, |value| value)
    }

    /// As [`ColumnCodec::bytes`], for words that may not be any value's: the bytes of the nearest
    /// value.
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
            && let NullCoding::Mark(mark) = self.nulls
        {
            let marked = entry.tie >> mark & 1 != 0;
            return included::bytes(self.key_type, [first, second], marked);
        }
        let bit = entry.tie & NULL_BIT != 0;
        let null = match (self.nulls, self.nulls_first) {
            (NullCoding::Mark(_), _) => false,
            (NullCoding::Spare, true) => first == 0,
            (NullCoding::Spare, false) => first == u64::MAX,
            (NullCoding::Flag, first) => (stored(self.at.into()) == 0) == first,
            (NullCoding::Tie, true) => first | second == 0 && !bit,
            (NullCoding::Tie, false) => bit && first & second == u64::MAX,
        };
        if null {
            return None;
        }
        let value = |stored: u64| (stored ^ self.mask() ^ 1 << 63) as i64;
        let mut bytes = [0; 16];
        let (low, high) = bytes.split_at_mut(8);
        if two {
            low.copy_from_slice(&self.key_type.bytes(value(first)));
            // The sign bit is flipped in the first half only.
            high.copy_from_slice(&(second ^ self.mask()).to_be_bytes());
        } else {
            let value = match self.nulls {
                NullCoding::Spare => outside(value(first)),
                NullCoding::Flag | NullCoding::Tie | NullCoding::Mark(_) => value(first),
            };
            low.copy_from_slice(&self.key_type.bytes(correct(value)));
        }
        Some(bytes)
    }

    /// Whether an entry determines the indexed value's bytes.
    pub fn is_exact(&self) -> bool {
        matches!(self.nulls, NullCoding::Mark(_)) || self.key_type.is_exact()
    }

    /// How to get the value's bytes from the column's word by bit operations, if they suffice.
    pub(super) fn bit_decoder(&self) -> Option<BitDecoder> {
        if matches!(self.nulls, NullCoding::Mark(_)) {
            return None;
        }
        let (flipped, kept) = self.key_type.flips()?;
        Some(BitDecoder {
            at: self.value_at() as u8,
            flipped: flipped ^ self.mask(),
            kept,
        })
    }

    /// The limits that admit every value.
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

    /// The condition that the column's value is within one of these limits, which are ascending and
    /// disjoint.
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

    /// An interval of values as a span of entries.
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

/// How to get the bytes of a value from its word, for types where a few bit operations suffice.
#[derive(Debug, Clone, Copy)]
pub struct BitDecoder {
    /// The number of the word.
    at: u8,
    /// The bits of the word that are complements of the value's.
    flipped: u64,
    /// The bits that belong to the value.
    kept: u64,
}

impl BitDecoder {
    pub(super) const NONE: Self = Self {
        at: 0,
        flipped: 0,
        kept: 0,
    };

    /// The bytes of an entry's value. None for NULL, for infinities, and for the few values that
    /// share their words.
    #[inline(always)]
    pub fn bytes<const W: usize>(&self, entry: &Entry<W>) -> Option<[u8; 8]> {
        /// This many words at either end are NULL's or an infinity's. A NULL that is told by a word
        /// of its own has the value word 0.
        const SPECIAL: u64 = 2;
        let word = *entry.key.get(usize::from(self.at))?;
        (word.wrapping_add(SPECIAL) >= 2 * SPECIAL)
            .then_some(((word ^ self.flipped) & self.kept).to_le_bytes())
    }
}

/// Moves values inwards, so that the first and the last word are free for NULL. Of the values near
/// the ends only the infinities occur, and a limit beside an infinity stays beside it.
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

/// The inverse of [`inside`] for values that occur.
const fn outside(value: i64) -> i64 {
    const LEAST: i64 = i64::MIN + 1;
    const GREATEST: i64 = i64::MAX - 1;
    match value {
        LEAST => i64::MIN,
        GREATEST => i64::MAX,
        _ => value,
    }
}

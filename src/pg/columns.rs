//! The key columns of an open index, and its entries from what the server passes.
//!
//! A column takes one word of the key or two. The whole index is stored in ascending order of the words. That is the SQL
//! order or, if the index is reversed, the SQL order backwards; a column whose own direction differs has its bits
//! complemented. NULLs are told apart in one of three ways:
//! - the last column: as in `learned::key`, by a bit of the tie;
//! - a type with unused words: by the first or the last word there is;
//! - else by a word of its own before the value.

use learned::Entry;
use learned::key::{NULL_BIT, TID_MASK, tie_of};
use learned::range::{Interval, Limits};
use learned::search::{Condition, Field, Span};
use pgrx::pg_sys;
use smallvec::SmallVec;

use crate::error::unsupported;
use crate::pg::key::{KeyType, word};

/// Most columns of a key, and most words.
pub const MOST_COLUMNS: usize = 8;
const MOST_WORDS: usize = 8;

/// Calls a function that is generic over the number of words. It is compiled for 1, 2, 3, 4 and 8; keys
/// of another number have unused words at their end (a word that never changes takes no room).
macro_rules! for_words {
    ($words:expr, $function:ident($($argument:expr),* $(,)?)) => {
        match $words {
            1 => $function::<1>($($argument),*),
            2 => $function::<2>($($argument),*),
            3 => $function::<3>($($argument),*),
            4 => $function::<4>($($argument),*),
            _ => $function::<8>($($argument),*),
        }
    };
}
pub(crate) use for_words;

/// How NULLs of a column are told from values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nulls {
    /// The first or last word is NULL.
    Spare,
    /// The column has a word before its value: 0 or 1, whichever puts NULLs where they belong.
    Flag,
    /// By [`NULL_BIT`].
    Tie,
}

/// How a column is coded.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub key_type: KeyType,
    /// Its first word in the key.
    at: u8,
    /// The words are complemented.
    inverted: bool,
    nulls: Nulls,
    /// NULLs come first in the physical order.
    pub nulls_first: bool,
}

impl Column {
    const NONE: Self = Self {
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
            ties: self.nulls == Nulls::Tie,
        }
    }

    /// Puts a value, given as its number, into an entry whose words are still zero.
    #[inline(always)]
    fn put<const W: usize>(&self, entry: &mut Entry<W>, number: i128) {
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
            Nulls::Tie | Nulls::Spare => {}
        }
    }

    /// Puts NULL into an entry whose words are still zero.
    #[inline(always)]
    fn put_null<const W: usize>(&self, entry: &mut Entry<W>) {
        let at = usize::from(self.at);
        let (words, word) = match self.nulls {
            Nulls::Flag => (1, (!self.nulls_first).into()),
            _ if self.nulls_first => return,
            Nulls::Spare => (1, u64::MAX),
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
        let bit = entry.tie & NULL_BIT != 0;
        let null = match (self.nulls, self.nulls_first) {
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
                Nulls::Flag | Nulls::Tie => value(first),
            };
            low.copy_from_slice(&self.key_type.bytes(correct(value)));
        }
        Some(bytes)
    }

    /// The short way from the only word of a key to the value's bytes.
    fn direct(&self) -> Option<Direct> {
        let (turned, kept) = self.key_type.direct()?;
        Some(Direct {
            turned: turned ^ self.mask(),
            kept,
            null: if self.nulls_first { 0 } else { u64::MAX },
        })
    }

    /// No condition yet.
    pub fn limits(&self) -> Limits {
        let (first, last) = self.key_type.domain();
        Limits::of(first, last)
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

/// How to get the bytes of a value from a key of one word, for types where a few bit operations do.
#[derive(Debug, Clone, Copy)]
pub struct Direct {
    /// Bits of the word that are complements of the value's.
    turned: u64,
    /// Bits that belong to the value.
    kept: u64,
    /// The word that may be NULL's.
    null: u64,
}

impl Direct {
    /// The bytes of an entry's value; None for NULL and for the value that shares its word.
    #[inline(always)]
    pub fn bytes<const W: usize>(&self, entry: &Entry<W>) -> Option<[u8; 8]> {
        let word = *entry.key.first()?;
        (word != self.null).then_some(((word ^ self.turned) & self.kept).to_le_bytes())
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

/// The columns of an index's key.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    list: [Column; MOST_COLUMNS],
    count: u8,
    /// The `W` of the index's entries.
    words: u8,
    /// The SQL order is the physical order backwards.
    pub reversed: bool,
}

impl Columns {
    /// How the columns of an index are coded. Raises an error for an index that is none of ours to support.
    ///
    /// # Safety
    /// `index` is an open index.
    #[inline]
    pub unsafe fn of(index: pg_sys::Relation) -> Self {
        // SAFETY: the relcache entry of an index has rd_index, and these arrays have an element for each key column,
        // of which there is at least one.
        let (inputs, options) = unsafe {
            let count = usize::try_from((*(*index).rd_index).indnkeyatts).unwrap_or(0);
            let inputs = std::slice::from_raw_parts((*index).rd_opcintype, count);
            let options = std::slice::from_raw_parts((*index).rd_indoption, count);
            (inputs, options)
        };
        if let ([input], [option]) = (inputs, options)
            && let Some(key_type) = KeyType::of(*input)
        {
            return Self::new(&[(key_type, *option)]);
        }
        Self::several(inputs, options)
    }

    fn several(inputs: &[pg_sys::Oid], options: &[i16]) -> Self {
        if inputs.len() > MOST_COLUMNS {
            unsupported(
                format!(
                    "access method \"learned\" does not support more than {MOST_COLUMNS} columns"
                ),
                "Create a btree index, or a learned index on the first columns.",
            );
        }
        let mut columns = [(KeyType::Int8, 0); MOST_COLUMNS];
        for ((column, input), option) in columns.iter_mut().zip(inputs).zip(options) {
            match KeyType::of(*input) {
                Some(key_type) => *column = (key_type, *option),
                None => unsupported(
                    "access method \"learned\" does not support this operator class's type",
                    "Create a btree index instead.",
                ),
            }
        }
        let columns = Self::new(columns.get(..inputs.len()).unwrap_or_default());
        if usize::from(columns.words) > MOST_WORDS {
            let words = columns.words;
            unsupported(
                format!(
                    "access method \"learned\" does not support a key of {words} words, only of {MOST_WORDS}"
                ),
                "A column takes one word, a uuid two; one more for NULLs of types whose values take all 64 bits, except the last column.",
            );
        }
        columns
    }

    /// The columns with these types and `rd_indoption`s.
    ///
    /// The direction of the last date or time column decides whether the index is reversed, so that this column ascends
    /// and new rows come at the end (of a group); else that of the last column.
    #[inline]
    fn new(given: &[(KeyType, i16)]) -> Self {
        let flag = |option: i16, flag: u32| i32::from(option) & flag as i32 != 0;
        let descends = |option: i16| flag(option, pg_sys::INDOPTION_DESC);
        let times = given.iter().rev().find(|column| column.0.is_time());
        let reversed = times
            .or(given.last())
            .is_some_and(|column| descends(column.1));
        let mut columns = Self {
            list: [Column::NONE; MOST_COLUMNS],
            count: given.len() as u8,
            words: 0,
            reversed,
        };
        for (i, (column, &(key_type, option))) in columns.list.iter_mut().zip(given).enumerate() {
            *column = Column {
                key_type,
                at: columns.words,
                inverted: descends(option) != reversed,
                nulls: if i + 1 == given.len() {
                    Nulls::Tie
                } else if key_type.has_spare_words() {
                    Nulls::Spare
                } else {
                    Nulls::Flag
                },
                nulls_first: flag(option, pg_sys::INDOPTION_NULLS_FIRST) != reversed,
            };
            columns.words += column.field().words as u8;
        }
        if (5..8).contains(&columns.words) {
            columns.words = 8;
        }
        columns
    }

    /// The `W` of the index's entries.
    #[inline(always)]
    pub const fn words(&self) -> usize {
        self.words as usize
    }

    /// The columns in the key's order.
    #[inline(always)]
    pub fn list(&self) -> &[Column] {
        self.list.get(..self.count.into()).unwrap_or_default()
    }

    /// The first column.
    #[inline(always)]
    pub const fn first(&self) -> &Column {
        &self.list[0]
    }

    /// The short way to the bytes of a single column's value, if there is one.
    pub fn direct(&self) -> Option<Direct> {
        match self.list() {
            [column] => column.direct(),
            _ => None,
        }
    }

    /// What the meta page remembers of the columns: a byte each.
    pub fn descriptor(&self) -> [u8; MOST_COLUMNS] {
        let mut bytes = [0; MOST_COLUMNS];
        for (byte, column) in bytes.iter_mut().zip(self.list()) {
            let bits = [column.inverted, column.nulls_first, self.reversed];
            let bits = (5..).zip(bits).map(|(i, bit)| u8::from(bit) << i);
            *byte = bits.fold(column.key_type as u8, |byte, bit| byte | bit);
        }
        bytes
    }

    /// The entry that the server describes by arrays of values and of null flags, and a heap TID.
    ///
    /// # Safety
    /// The pointers are valid; the arrays have an element for each column, and the values its type.
    #[inline(always)]
    pub unsafe fn entry<const W: usize>(
        &self,
        values: *const pg_sys::Datum,
        isnull: *const bool,
        tid: *const pg_sys::ItemPointerData,
    ) -> Entry<W> {
        // SAFETY: the caller's contract.
        unsafe {
            let block = u32::from((*tid).ip_blkid.bi_hi) << 16 | u32::from((*tid).ip_blkid.bi_lo);
            let mut entry = Entry::new([0; W], tie_of(block, (*tid).ip_posid));
            // One word is one column.
            let columns = if W == 1 { &self.list[..1] } else { self.list() };
            for (i, column) in columns.iter().enumerate() {
                if *isnull.add(i) {
                    column.put_null(&mut entry);
                } else {
                    column.put(&mut entry, column.key_type.number(*values.add(i)));
                }
            }
            entry
        }
    }
}

/// The heap TID in an entry's tie.
#[inline(always)]
pub fn item_pointer(tie: u64) -> pg_sys::ItemPointerData {
    pg_sys::ItemPointerData {
        ip_blkid: pg_sys::BlockIdData {
            bi_hi: (tie >> 32) as u16,
            bi_lo: (tie >> 16) as u16,
        },
        ip_posid: tie as u16,
    }
}

/// Heap block and offset of an entry.
#[inline(always)]
pub const fn tid_of<const W: usize>(entry: &Entry<W>) -> (u32, u16) {
    let tid = entry.tie & TID_MASK;
    ((tid >> 16) as u32, tid as u16)
}

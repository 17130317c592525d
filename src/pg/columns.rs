//! The columns of an open index, and its entries from what the server passes.
//!
//! The whole index is stored in ascending order of the words. That is the SQL order or, if the index is reversed, the SQL order
//! backwards; see [`super::column`] for the columns' words.
//!
//! Included columns (`INCLUDE`) are words behind those of the key columns: no condition is on them, and their order only decides which of
//! the entries with the same key come first. So where there are some, no key column is the last.

use learned::Entry;
use learned::key::{MAX_WORDS, TID_MASK, tie_of, word_count_for};
use learned::range::Range;
use pgrx::pg_sys;
use pgrx::prelude::*;
use smallvec::SmallVec;

use super::column::{Column, FIRST_MARK, Nulls};
use super::key::KeyType;
use super::{ffi, included};
use crate::error::{raise, type_name, unsupported};

/// Columns of an index, key and included ones together, at most.
pub const MOST_COLUMNS: usize = 8;

/// Calls a function that is generic over the number of words, of which [`Columns::words`] is one of
/// [`learned::key::WORD_COUNTS`].
macro_rules! for_words {
    ($words:expr, $function:ident($($argument:expr),* $(,)?)) => {
        learned::with_word_count!(
            $words,
            W => $function::<W>($($argument),*),
            else $crate::pg::columns::unknown_word_count($words)
        )
    };
}
pub(crate) use for_words;

/// Raises an ERROR for a number of words for which no code is compiled.
#[cold]
pub fn unknown_word_count(words: usize) -> ! {
    let message = format!("no code for keys of {words} words");
    raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, message, None)
}

/// The columns of an index.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    list: [Column; MOST_COLUMNS],
    count: u8,
    /// So many of them, the first, are the key's; the others are included.
    keys: u8,
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
        let (inputs, options, count) = unsafe {
            let form = &*(*index).rd_index;
            let keys = usize::try_from(form.indnkeyatts).unwrap_or(0);
            let inputs = std::slice::from_raw_parts((*index).rd_opcintype, keys);
            let options = std::slice::from_raw_parts((*index).rd_indoption, keys);
            (inputs, options, usize::try_from(form.indnatts).unwrap_or(0))
        };
        if let ([input], [option], 1) = (inputs, options, count)
            && let Some(key_type) = KeyType::of(*input)
        {
            return Self::new(&[(key_type, *option)], &[]);
        }
        // SAFETY: the caller's contract.
        unsafe { Self::several(index, inputs, options, count) }
    }

    /// # Safety
    /// `index` is an open index of `count` columns.
    unsafe fn several(
        index: pg_sys::Relation,
        inputs: &[pg_sys::Oid],
        options: &[i16],
        count: usize,
    ) -> Self {
        if count > MOST_COLUMNS {
            unsupported(
                format!(
                    "access method \"learned\" does not support more than {MOST_COLUMNS} columns"
                ),
                "Create a btree index, or a learned index on the first columns.",
            );
        }
        let mut keys = SmallVec::<[(KeyType, i16); MOST_COLUMNS]>::new();
        for (input, option) in inputs.iter().zip(options) {
            match KeyType::of(*input) {
                Some(key_type) => keys.push((key_type, *option)),
                None => unsupported(
                    "access method \"learned\" does not support this operator class's type",
                    "Create a btree index instead.",
                ),
            }
        }
        let mut included = SmallVec::<[KeyType; MOST_COLUMNS]>::new();
        for i in inputs.len()..count {
            // SAFETY: the index has so many columns, and an open one has its description.
            let attribute = unsafe { ffi::attribute(index, i) };
            // SAFETY: an index is opened in transactions only.
            match unsafe { included::stored_as(attribute) } {
                Some(stored) => included.push(stored),
                None => unsupported(
                    format!(
                        "access method \"learned\" does not support included columns of type {}",
                        type_name(attribute.atttypid)
                    ),
                    "Include columns of types of up to 8 bytes that are passed by value, macaddr, macaddr8 or uuid; or create a btree index.",
                ),
            }
        }
        let columns = Self::new(&keys, &included);
        if usize::from(columns.words) > MAX_WORDS {
            let words = columns.words;
            unsupported(
                format!(
                    "access method \"learned\" does not support a key of {words} words, only of {MAX_WORDS}"
                ),
                "A column takes one word, a uuid two; a key column of a type whose values take all 64 bits one more for NULLs, unless it is the last column.",
            );
        }
        columns
    }

    /// Key columns with these types and `rd_indoption`s, and included columns that are stored as these types.
    ///
    /// The direction of the last date or time column of the key decides whether the index is reversed, so that this column ascends
    /// and new rows come at the end (of a group); else that of the last column.
    #[inline]
    fn new(given: &[(KeyType, i16)], included: &[KeyType]) -> Self {
        let flag = |option: i16, flag: u32| i32::from(option) & flag as i32 != 0;
        let descends = |option: i16| flag(option, pg_sys::INDOPTION_DESC);
        let times = given.iter().rev().find(|column| column.0.is_time());
        let reversed = times
            .or(given.last())
            .is_some_and(|column| descends(column.1));
        let mut columns = Self {
            list: [Column::NONE; MOST_COLUMNS],
            count: (given.len() + included.len()) as u8,
            keys: given.len() as u8,
            words: 0,
            reversed,
        };
        for (i, (column, &(key_type, option))) in columns.list.iter_mut().zip(given).enumerate() {
            *column = Column {
                key_type,
                at: columns.words,
                inverted: descends(option) != reversed,
                nulls: if i + 1 == given.len() && included.is_empty() {
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
        let others = columns.list.iter_mut().skip(given.len()).zip(included);
        for (mark, (column, &key_type)) in (0..=FIRST_MARK).rev().zip(others) {
            *column = Column {
                key_type,
                at: columns.words,
                nulls: Nulls::Mark(mark),
                ..Column::NONE
            };
            columns.words += column.field().words as u8;
        }
        if let Some(words) = word_count_for(columns.words()) {
            columns.words = words as u8;
        }
        columns
    }

    /// The `W` of the index's entries.
    #[inline(always)]
    pub const fn words(&self) -> usize {
        self.words as usize
    }

    /// The columns in the index's order.
    #[inline(always)]
    pub fn list(&self) -> &[Column] {
        self.list.get(..self.count.into()).unwrap_or_default()
    }

    /// The key columns, of which there is at least one.
    #[inline(always)]
    pub fn keys(&self) -> &[Column] {
        self.list.get(..self.keys.into()).unwrap_or_default()
    }

    /// All entries with the same key columns.
    pub fn same_key<const W: usize>(&self, entry: &Entry<W>) -> Range<W> {
        self.keys()
            .last()
            .unwrap_or(self.first())
            .field()
            .same(entry)
    }

    /// The first column.
    #[inline(always)]
    pub const fn first(&self) -> &Column {
        &self.list[0]
    }

    /// What the meta page remembers of the columns: a byte each. The last bit says of the first column that the index is
    /// reversed, of the others that they are included.
    pub fn descriptor(&self) -> [u8; MOST_COLUMNS] {
        let mut bytes = [0; MOST_COLUMNS];
        for (i, (byte, column)) in bytes.iter_mut().zip(self.list()).enumerate() {
            let last = if i == 0 {
                self.reversed
            } else {
                i >= self.keys.into()
            };
            let bits = [column.inverted, column.nulls_first, last];
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
                if W > 1
                    && let Nulls::Mark(mark) = column.nulls
                {
                    let value = (!*isnull.add(i)).then_some(*values.add(i));
                    column.put_included(&mut entry, mark, value);
                } else if *isnull.add(i) {
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

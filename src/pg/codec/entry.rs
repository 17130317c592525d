//! All columns of an open index: how a row's values become an entry.
//!
//! The index is stored in ascending order of the words. That is the SQL order or, if the index is
//! reversed, the SQL order backwards. `column.rs` describes the words of each column.
//!
//! Included columns (`INCLUDE`) are words behind those of the key columns. Conditions cannot use
//! them, and their order decides only which of the entries with the same key comes first. An index
//! with included columns therefore has no last key column in the sense of `column.rs`.

use learned::Entry;
use learned::key::{MAX_WORDS, TID_MASK, tie_of, word_count_for};
use learned::range::Range;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use smallvec::SmallVec;

use super::column::{ColumnCodec, FIRST_MARK, NullCoding};
use super::included;
use super::key_type::KeyType;
use crate::error::{raise_report, type_name, unsupported};
use crate::pg::ffi;
use crate::pg::index::Index;

/// The largest number of columns of an index, including its included columns.
pub const MAX_COLUMNS: usize = 8;
/// Calls a function that is generic over the number of words. The number is one of
/// [`learned::key::WORD_COUNTS`].
macro_rules! for_words {
    ($words:expr, $function:ident($($argument:expr),* $(,)?)) => {
        learned::with_word_count!(
            $words,
            W => $function::<W>($($argument),*),
            else $crate::pg::codec::unknown_word_count($words)
        )
    };
}
pub(crate) use for_words;

/// Raises an ERROR for a number of words that no codec has.
#[cold]
pub fn unknown_word_count(words: usize) -> ! {
    crate::error::raise(
        PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
        format!("unexpected number of words in the key of a learned index: {words}"),
        None,
    )
}

/// How the columns of an index are coded.
#[derive(Debug, Clone, Copy)]
pub struct EntryCodec {
    list: [ColumnCodec; MAX_COLUMNS],
    count: u8,
    /// The number of key columns, which come first. The others are included columns.
    keys: u8,
    /// The number of words of an entry, one of [`learned::key::WORD_COUNTS`].
    words: u8,
    /// Whether the SQL order is the physical order backwards.
    pub reversed: bool,
}

impl EntryCodec {
    /// The codec of an index. Raises an ERROR if the access method does not support the index's
    /// columns.
    #[inline]
    pub fn of(index: Index) -> Self {
        let index = index.raw();
        // SAFETY: the relcache entry of an index has rd_index. The two arrays have an element for
        // each key column, and there is at least one.
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
        // SAFETY: indnatts counts the columns of the open index.
        unsafe { Self::of_columns(index, inputs, options, count) }
    }

    /// # Safety
    /// `index` is an open index of `count` columns.
    unsafe fn of_columns(
        index: pg_sys::Relation,
        inputs: &[pg_sys::Oid],
        options: &[i16],
        count: usize,
    ) -> Self {
        if count > MAX_COLUMNS {
            unsupported(
                format!(
                    "access method \"learned\" does not support more than {MAX_COLUMNS} columns"
                ),
                "Create a btree index, or a learned index on the first columns.",
            );
        }
        let mut keys = SmallVec::<[(KeyType, i16); MAX_COLUMNS]>::new();
        for (input, option) in inputs.iter().zip(options) {
            match KeyType::of(*input) {
                Some(key_type) => keys.push((key_type, *option)),
                None => unsupported(
                    format!(
                        "access method \"learned\" does not support key columns of type {}",
                        type_name(*input)
                    ),
                    KeyType::HINT,
                ),
            }
        }
        let mut included = SmallVec::<[KeyType; MAX_COLUMNS]>::new();
        for i in inputs.len()..count {
            // SAFETY: the index has `count` columns, and an open one has its tuple descriptor.
            let attribute = unsafe { ffi::attribute(index, i) };
            // SAFETY: an index is open only within a transaction.
            match unsafe { included::stored_as(attribute) } {
                Some(stored) => included.push(stored),
                None => unsupported(
                    format!(
                        "access method \"learned\" does not support included columns of type {}",
                        type_name(attribute.atttypid)
                    ),
                    "Included columns can be of types of up to 8 bytes that are passed by value, \
                     and of macaddr, macaddr8 and uuid. Create a btree index for other types.",
                ),
            }
        }
        let codec = Self::new(&keys, &included);
        if usize::from(codec.words) > MAX_WORDS {
            too_many_words(codec.words);
        }
        codec
    }

    /// The codec for key columns with these types and `rd_indoption`s, and for included columns
    /// that are stored as these types.
    ///
    /// The index is stored so that the last date or time column of the key ascends: new rows then
    /// come at the end of the index, or of a group. If there is no such column, the last column of
    /// the key ascends.
    #[inline]
    fn new(given: &[(KeyType, i16)], included: &[KeyType]) -> Self {
        let flag = |option: i16, flag: u32| i32::from(option) & flag as i32 != 0;
        let descends = |option: i16| flag(option, pg_sys::INDOPTION_DESC);
        let times = given.iter().rev().find(|column| column.0.is_time());
        let reversed = times
            .or(given.last())
            .is_some_and(|column| descends(column.1));
        let mut codec = Self {
            list: [ColumnCodec::NONE; MAX_COLUMNS],
            count: (given.len() + included.len()) as u8,
            keys: given.len() as u8,
            words: 0,
            reversed,
        };
        for (i, (column, &(key_type, option))) in codec.list.iter_mut().zip(given).enumerate() {
            *column = ColumnCodec {
                key_type,
                at: codec.words,
                inverted: descends(option) != reversed,
                nulls: if i + 1 == given.len() && included.is_empty() {
                    NullCoding::Tie
                } else if key_type.has_spare_words() {
                    NullCoding::Spare
                } else {
                    NullCoding::Flag
                },
                nulls_first: flag(option, pg_sys::INDOPTION_NULLS_FIRST) != reversed,
            };
            codec.words += column.field().words as u8;
        }
        let others = codec.list.iter_mut().skip(given.len()).zip(included);
        for (mark, (column, &key_type)) in (0..=FIRST_MARK).rev().zip(others) {
            *column = ColumnCodec {
                key_type,
                at: codec.words,
                nulls: NullCoding::Mark(mark),
                ..ColumnCodec::NONE
            };
            codec.words += column.field().words as u8;
        }
        // A larger number is left as it is, and the caller refuses it.
        if let Some(words) = word_count_for(codec.words()) {
            codec.words = words as u8;
        }
        codec
    }

    /// The number of words of an entry.
    #[inline(always)]
    pub const fn words(&self) -> usize {
        self.words as usize
    }

    /// All columns, in the index's order.
    #[inline(always)]
    pub fn columns(&self) -> &[ColumnCodec] {
        self.list.get(..self.count.into()).unwrap_or_default()
    }

    /// The key columns. There is at least one.
    #[inline(always)]
    pub fn keys(&self) -> &[ColumnCodec] {
        self.list.get(..self.keys.into()).unwrap_or_default()
    }

    /// The range of all entries with the same key columns as `entry`.
    pub fn same_key<const W: usize>(&self, entry: &Entry<W>) -> Range<W> {
        self.keys()
            .last()
            .unwrap_or(self.first())
            .field()
            .same(entry)
    }

    /// The first column.
    #[inline(always)]
    pub const fn first(&self) -> &ColumnCodec {
        &self.list[0]
    }

    /// What the meta page records about the columns, a byte for each: the number of the key type in
    /// the low five bits, then whether the words are complemented and whether NULL comes first. The
    /// highest bit of the first column says that the index is reversed, that of another column that
    /// it is included.
    pub fn descriptor(&self) -> [u8; MAX_COLUMNS] {
        let mut bytes = [0; MAX_COLUMNS];
        for (i, (byte, column)) in bytes.iter_mut().zip(self.columns()).enumerate() {
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

    /// The entry of a row, given by the values and the null flags of its columns and by its heap
    /// TID.
    ///
    /// # Safety
    /// The pointers are valid. The arrays have an element for each column, and each value that is
    /// not NULL is of its column's type.
    #[inline(always)]
    pub unsafe fn entry<const W: usize>(
        &self,
        values: *const pg_sys::Datum,
        isnull: *const bool,
        tid: *const pg_sys::ItemPointerData,
    ) -> Entry<W> {
        // SAFETY: `i` counts the columns, of which both arrays have all. A value is read only if
        // its null flag is not set.
        unsafe {
            let block = u32::from((*tid).ip_blkid.bi_hi) << 16 | u32::from((*tid).ip_blkid.bi_lo);
            let mut entry = Entry::new([0; W], tie_of(block, (*tid).ip_posid));
            // An entry of one word has one column.
            let columns = if W == 1 {
                &self.list[..1]
            } else {
                self.columns()
            };
            for (i, column) in columns.iter().enumerate() {
                if W > 1
                    && let NullCoding::Mark(mark) = column.nulls
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

/// Raises an ERROR for an index whose columns need `words` words.
#[cold]
fn too_many_words(words: u8) -> ! {
    let report = ErrorReport::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("access method \"learned\" does not support keys of more than {MAX_WORDS} words"),
        "omendb",
    );
    raise_report(
        report
            .set_detail(format!(
                "The columns of this index take {words} words. A uuid column takes two words, \
                 other columns one. A key column of type bigint, money, xid8, pg_lsn, macaddr8 or \
                 uuid takes one more for NULL, unless it is the last column of the index."
            ))
            .set_hint("Create a btree index, or a learned index on fewer columns."),
    )
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

/// The heap block and the offset of an entry's row.
#[inline(always)]
pub const fn tid_of<const W: usize>(entry: &Entry<W>) -> (u32, u16) {
    let tid = entry.tie & TID_MASK;
    ((tid >> 16) as u32, tid as u16)
}

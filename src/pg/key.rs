//! SQL values of the key column to and from normalized keys.

use learned::Entry;
use learned::key::{NULL_BIT, TID_MASK, tie_of};
use pgrx::pg_sys;

/// Words of a key. One column so far, one word.
pub const WORDS: usize = 1;
/// An entry of our indexes.
pub type Key = Entry<WORDS>;

/// The SQL types that a key column can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum KeyType {
    Int2 = 1,
    Int4 = 2,
    Int8 = 3,
    Date = 4,
    Timestamp = 5,
    TimestampTz = 6,
}

impl KeyType {
    /// The key type of an operator class's input type.
    pub fn of(oid: pg_sys::Oid) -> Option<Self> {
        Some(match oid {
            pg_sys::INT2OID => Self::Int2,
            pg_sys::INT4OID => Self::Int4,
            pg_sys::INT8OID => Self::Int8,
            pg_sys::DATEOID => Self::Date,
            pg_sys::TIMESTAMPOID => Self::Timestamp,
            pg_sys::TIMESTAMPTZOID => Self::TimestampTz,
            _ => return None,
        })
    }

    /// The value as a signed integer in the type's order.
    #[inline(always)]
    pub fn value(self, datum: pg_sys::Datum) -> i64 {
        match self {
            Self::Int2 => i64::from(datum.value() as i16),
            Self::Int4 | Self::Date => i64::from(datum.value() as i32),
            Self::Int8 | Self::Timestamp | Self::TimestampTz => datum.value() as i64,
        }
    }
}

/// How the index column is coded: its type, and where the physical order differs from the SQL order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyColumn {
    pub key_type: KeyType,
    /// The index is DESC: its order is the physical order backwards.
    pub reversed: bool,
    /// NULLs come first in the physical order.
    pub nulls_first: bool,
}

/// An order-preserving map of signed integers to words.
#[inline(always)]
pub const fn word(value: i64) -> u64 {
    value as u64 ^ 1 << 63
}

impl KeyColumn {
    /// The column's coding, from its type and its `rd_indoption`.
    pub fn new(key_type: KeyType, indoption: i16) -> Self {
        let reversed = i32::from(indoption) & pg_sys::INDOPTION_DESC as i32 != 0;
        let nulls_first = i32::from(indoption) & pg_sys::INDOPTION_NULLS_FIRST as i32 != 0;
        Self {
            key_type,
            reversed,
            nulls_first: nulls_first != reversed,
        }
    }

    /// The entry of a value, or of NULL, at a heap TID (see `learned::key` for the place of NULLs).
    #[inline(always)]
    pub fn entry(&self, value: Option<pg_sys::Datum>, block: u32, offset: u16) -> Key {
        let tid = tie_of(block, offset);
        match value {
            Some(datum) => {
                let word = word(self.key_type.value(datum));
                let bit = if self.nulls_first && word == 0 {
                    NULL_BIT
                } else {
                    0
                };
                Key::new([word], tid | bit)
            }
            None if self.nulls_first => Key::new([0], tid),
            None => Key::new([u64::MAX], tid | NULL_BIT),
        }
    }

    /// The value of an entry; None for NULL.
    #[inline(always)]
    pub fn datum(&self, entry: &Key) -> Option<pg_sys::Datum> {
        let [word] = entry.key;
        let bit = entry.tie & NULL_BIT != 0;
        if (word == 0 && self.nulls_first && !bit) || (word == u64::MAX && bit) {
            return None;
        }
        let value = (word ^ 1 << 63) as i64;
        Some(match self.key_type {
            KeyType::Int2 => pg_sys::Datum::from(value as i16),
            KeyType::Int4 | KeyType::Date => pg_sys::Datum::from(value as i32),
            KeyType::Int8 | KeyType::Timestamp | KeyType::TimestampTz => pg_sys::Datum::from(value),
        })
    }
}

/// Heap block and offset of an entry.
#[inline(always)]
pub const fn tid_of(entry: &Key) -> (u32, u16) {
    let tid = entry.tie & TID_MASK;
    ((tid >> 16) as u32, tid as u16)
}

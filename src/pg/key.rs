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
    Bool = 7,
    Char = 8,
    Oid = 9,
    Xid8 = 10,
    PgLsn = 11,
    Money = 12,
    Float4 = 13,
    Float8 = 14,
    Time = 15,
    MacAddr = 16,
    MacAddr8 = 17,
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
            pg_sys::BOOLOID => Self::Bool,
            pg_sys::CHAROID => Self::Char,
            pg_sys::OIDOID => Self::Oid,
            pg_sys::XID8OID => Self::Xid8,
            pg_sys::PG_LSNOID => Self::PgLsn,
            pg_sys::MONEYOID => Self::Money,
            pg_sys::FLOAT4OID => Self::Float4,
            pg_sys::FLOAT8OID => Self::Float8,
            pg_sys::TIMEOID => Self::Time,
            pg_sys::MACADDROID => Self::MacAddr,
            pg_sys::MACADDR8OID => Self::MacAddr8,
            _ => return None,
        })
    }

    /// The value as a signed integer in the type's order. Floating-point values of both widths
    /// have the same integers, so that they compare with each other.
    ///
    /// # Safety
    /// `datum` is a value of the type.
    #[inline(always)]
    pub unsafe fn value(self, datum: pg_sys::Datum) -> i64 {
        let bits = datum.value();
        match self {
            Self::Int2 => i64::from(bits as i16),
            Self::Int4 | Self::Date => i64::from(bits as i32),
            Self::Int8 | Self::Timestamp | Self::TimestampTz | Self::Money | Self::Time => {
                bits as i64
            }
            // The server compares "char" as unsigned, whatever C's char is.
            Self::Bool | Self::Char => i64::from(bits as u8),
            Self::Oid => i64::from(bits as u32),
            Self::Xid8 | Self::PgLsn => unsigned(bits as u64),
            Self::Float4 => float(f32::from_bits(bits as u32).into()),
            Self::Float8 => float(f64::from_bits(bits as u64)),
            Self::MacAddr => {
                // SAFETY: such a datum points to six bytes, the most significant first.
                let [a, b, c, d, e, f] = unsafe { *datum.cast_mut_ptr::<[u8; 6]>() };
                i64::from_be_bytes([0, 0, a, b, c, d, e, f])
            }
            // SAFETY: such a datum points to eight bytes, the most significant first.
            Self::MacAddr8 => unsafe {
                unsigned(u64::from_be_bytes(*datum.cast_mut_ptr::<[u8; 8]>()))
            },
        }
    }

    /// The bytes of a value in an index tuple, zeroes after them. Of the floating-point zeroes it gives the positive
    /// one, of the NaNs one.
    #[inline(always)]
    pub fn bytes(self, value: i64) -> [u8; 8] {
        // The machine is little-endian: the low bytes come first.
        match self {
            Self::Bool | Self::Char => u64::from(value as u8),
            Self::Int2 => u64::from(value as u16),
            Self::Int4 | Self::Date | Self::Oid => u64::from(value as u32),
            Self::Int8 | Self::Timestamp | Self::TimestampTz | Self::Money | Self::Time => {
                value as u64
            }
            Self::Xid8 | Self::PgLsn => word(value),
            Self::Float4 => u64::from((f64::from_bits(ordered(value) as u64) as f32).to_bits()),
            Self::Float8 => ordered(value) as u64,
            Self::MacAddr => value.swap_bytes() as u64 >> 16,
            Self::MacAddr8 => word(value).swap_bytes(),
        }
        .to_le_bytes()
    }

    /// Whether an entry tells exactly which value was indexed: of floating-point numbers only
    /// which one it is equal to.
    pub fn is_exact(self) -> bool {
        !matches!(self, Self::Float4 | Self::Float8)
    }
}

/// An order-preserving map of unsigned integers to signed ones.
#[inline(always)]
const fn unsigned(value: u64) -> i64 {
    (value ^ 1 << 63) as i64
}

/// An order-preserving map of floating-point numbers to integers: both zeroes are equal, all NaNs
/// are equal and greater than infinity.
#[inline(always)]
fn float(value: f64) -> i64 {
    let value = if value == 0.0 {
        0.0
    } else if value.is_nan() {
        f64::from_bits(0x7FF8_0000_0000_0000)
    } else {
        value
    };
    ordered(value.to_bits() as i64)
}

/// Turns sign and magnitude into two's complement, but for the order of the zeroes, and back.
#[inline(always)]
const fn ordered(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
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
    ///
    /// # Safety
    /// `value` is of the column's type.
    #[inline(always)]
    pub unsafe fn entry(&self, value: Option<pg_sys::Datum>, block: u32, offset: u16) -> Key {
        let tid = tie_of(block, offset);
        match value {
            Some(datum) => {
                // SAFETY: the caller's contract.
                let word = word(unsafe { self.key_type.value(datum) });
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

    /// The value of an entry as it stands in an index tuple; None for NULL.
    #[inline(always)]
    pub fn bytes(&self, entry: &Key) -> Option<[u8; 8]> {
        let [word] = entry.key;
        let bit = entry.tie & NULL_BIT != 0;
        if (word == 0 && self.nulls_first && !bit) || (word == u64::MAX && bit) {
            return None;
        }
        Some(self.key_type.bytes((word ^ 1 << 63) as i64))
    }
}

/// Heap block and offset of an entry.
#[inline(always)]
pub const fn tid_of(entry: &Key) -> (u32, u16) {
    let tid = entry.tie & TID_MASK;
    ((tid >> 16) as u32, tid as u16)
}

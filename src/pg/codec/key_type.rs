//! SQL values as integers in the order of their type, and back.

use learned::exact::{ordered, word};
use pgrx::pg_sys;

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
    Uuid = 18,
}

impl KeyType {
    /// The hint for a type that is not supported.
    pub const HINT: &str = "The supported types are boolean, \"char\", smallint, integer, bigint, \
         money, real, double precision, date, time, timestamp, timestamptz, oid, xid8, pg_lsn, \
         macaddr, macaddr8 and uuid. Create a btree index for other types.";

    /// The key type with this OID, which is an operator class's input type. None if the type is not
    /// supported.
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
            pg_sys::UUIDOID => Self::Uuid,
            _ => return None,
        })
    }

    /// How many words a value takes.
    pub const fn words(self) -> usize {
        match self {
            Self::Uuid => 2,
            _ => 1,
        }
    }

    /// The least and the greatest integer that the words of the type can hold.
    pub const fn domain(self) -> (i128, i128) {
        match self {
            Self::Uuid => (i128::MIN, i128::MAX),
            _ => (i64::MIN as i128, i64::MAX as i128),
        }
    }

    /// The value as a signed integer in the type's order.
    ///
    /// # Safety
    /// `datum` is a value of the type.
    #[inline(always)]
    pub unsafe fn number(self, datum: pg_sys::Datum) -> i128 {
        match self {
            // SAFETY: a uuid's datum points to 16 bytes, the most significant first.
            Self::Uuid => unsafe {
                (u128::from_be_bytes(*datum.cast_mut_ptr::<[u8; 16]>()) ^ 1 << 127) as i128
            },
            // SAFETY: of these types value() reads the datum, or the bytes that it points to.
            _ => unsafe { self.value(datum) }.into(),
        }
    }

    /// The value as a signed integer in the type's order; for a type of two words, its first half.
    ///
    /// Values of `real` and of `double precision` that are equal have the same integer, so the two
    /// types can be compared with each other.
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
                // SAFETY: a macaddr's datum points to six bytes, the most significant first.
                let [a, b, c, d, e, f] = unsafe { *datum.cast_mut_ptr::<[u8; 6]>() };
                i64::from_be_bytes([0, 0, a, b, c, d, e, f])
            }
            // SAFETY: these types' datum points to 8 bytes (macaddr8) or 16 (uuid), the most
            // significant first.
            Self::MacAddr8 | Self::Uuid => unsafe {
                unsigned(u64::from_be_bytes(*datum.cast_mut_ptr::<[u8; 8]>()))
            },
        }
    }

    /// The bytes of a value in an index tuple, followed by zeroes; for a type of two words, its
    /// first half.
    ///
    /// Negative zero comes back as positive zero, and every NaN as the same NaN.
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
            Self::MacAddr8 | Self::Uuid => word(value).swap_bytes(),
        }
        .to_le_bytes()
    }

    /// How [`Self::bytes`] follows from a value's word by bit operations alone: the bits to flip,
    /// and then the bits to keep. None for types where more is needed.
    pub const fn flips(self) -> Option<(u64, u64)> {
        const SIGN: u64 = 1 << 63;
        match self {
            Self::Bool | Self::Char => Some((SIGN, 0xFF)),
            Self::Int2 => Some((SIGN, 0xFFFF)),
            Self::Int4 | Self::Date | Self::Oid => Some((SIGN, 0xFFFF_FFFF)),
            Self::Int8 | Self::Timestamp | Self::TimestampTz | Self::Money | Self::Time => {
                Some((SIGN, u64::MAX))
            }
            Self::Xid8 | Self::PgLsn => Some((0, u64::MAX)),
            Self::Float4 | Self::Float8 | Self::MacAddr | Self::MacAddr8 | Self::Uuid => None,
        }
    }

    /// The integer of the type's value that is nearest to `value`.
    pub fn nearest(self, value: i64) -> i64 {
        let (least, most) = match self {
            Self::Int2 => (i16::MIN.into(), i16::MAX.into()),
            Self::Int4 => (i32::MIN.into(), i32::MAX.into()),
            Self::Bool => (0, 1),
            Self::Char => (0, u8::MAX.into()),
            Self::Oid => (0, u32::MAX.into()),
            Self::Time => (0, 86_400_000_000),
            Self::MacAddr => (0, (1 << 48) - 1),
            Self::Date => return or_infinite(value, DATES, (i32::MIN.into(), i32::MAX.into())),
            Self::Timestamp | Self::TimestampTz => {
                return or_infinite(value, TIMESTAMPS, (i64::MIN, i64::MAX));
            }
            Self::Int8
            | Self::Xid8
            | Self::PgLsn
            | Self::Money
            | Self::Float4
            | Self::Float8
            | Self::MacAddr8
            | Self::Uuid => return value,
        };
        value.clamp(least, most)
    }

    /// Length and alignment of a value in an index tuple, in bytes.
    pub const fn layout(self) -> (usize, usize) {
        match self {
            Self::Bool | Self::Char => (1, 1),
            Self::Int2 => (2, 2),
            Self::Int4 | Self::Date | Self::Oid | Self::Float4 => (4, 4),
            Self::MacAddr => (6, 4),
            Self::MacAddr8 => (8, 4),
            Self::Uuid => (16, 1),
            Self::Int8
            | Self::Timestamp
            | Self::TimestampTz
            | Self::Money
            | Self::Time
            | Self::Xid8
            | Self::PgLsn
            | Self::Float8 => (8, 8),
        }
    }

    /// Whether the first and the last word are no value's, or can be spared: dates and times have
    /// unused values beside the infinities.
    pub const fn has_spare_words(self) -> bool {
        !matches!(
            self,
            Self::Int8 | Self::Money | Self::Xid8 | Self::PgLsn | Self::MacAddr8 | Self::Uuid
        )
    }

    /// Whether values mostly grow from row to row. Such a column decides in which direction the
    /// index is stored.
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Date | Self::Timestamp | Self::TimestampTz)
    }

    /// Whether an entry determines the indexed value's bytes. An entry of a floating-point number
    /// determines only which numbers the value is equal to.
    pub fn is_exact(self) -> bool {
        !matches!(self, Self::Float4 | Self::Float8)
    }
}

/// First and last finite date, in days since 2000-01-01.
const DATES: (i64, i64) = (-2_451_545, 2_145_031_948);
/// First and last finite timestamp, in microseconds since 2000-01-01.
const TIMESTAMPS: (i64, i64) = (-211_813_488_000_000_000, 9_223_371_331_199_999_999);

/// `value` if it is finite; else the infinity on its side of the finite values.
fn or_infinite(value: i64, finite: (i64, i64), infinite: (i64, i64)) -> i64 {
    if value < finite.0 {
        infinite.0
    } else if value > finite.1 {
        infinite.1
    } else {
        value
    }
}

/// An order-preserving map of unsigned integers to signed ones.
#[inline(always)]
const fn unsigned(value: u64) -> i64 {
    (value ^ 1 << 63) as i64
}

/// An order-preserving map of floating-point numbers to integers. Both zeroes are equal; all NaNs
/// are equal, and greater than infinity.
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

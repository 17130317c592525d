//! Values of the key column as text, through the input and output functions of their type.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::key::{Key, KeyColumn, KeyType};
use crate::error::raise;

/// First and last finite value of the datetime types, as the server counts them.
const DATES: (i64, i64) = (-2_451_545, 2_145_031_948);
const TIMESTAMPS: (i64, i64) = (-211_813_488_000_000_000, 9_223_371_331_199_999_999);

/// The value of a word as text. A word that no value of the type has becomes the nearest that one
/// has. To be used with words of values, not of NULLs.
///
/// # Safety
/// `index` is open and `column` its column.
pub unsafe fn of_word(index: pg_sys::Relation, column: &KeyColumn, word: u64) -> String {
    let value = nearest(column.key_type, (word ^ 1 << 63) as i64);
    let bytes = column.key_type.bytes(value);
    // SAFETY: the type's output function gets a value of the type: by value the bytes themselves,
    // which a datum holds in the machine's order, else their address. It returns a C string.
    unsafe {
        let type_oid = *(*index).rd_opcintype;
        let (mut function, mut varlena) = (pg_sys::InvalidOid, false);
        pg_sys::getTypeOutputInfo(type_oid, &raw mut function, &raw mut varlena);
        let datum = match pg_sys::get_typbyval(type_oid) {
            true => pg_sys::Datum::from(u64::from_le_bytes(bytes)),
            false => pg_sys::Datum::from(bytes.as_ptr()),
        };
        let text = pg_sys::OidOutputFunctionCall(function, datum);
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

/// The least entry of a value given as text; None is NULL.
///
/// # Safety
/// As for [`of_word`].
pub unsafe fn to_entry(index: pg_sys::Relation, column: &KeyColumn, text: Option<&str>) -> Key {
    let text = text.map(|text| match CString::new(text) {
        Ok(text) => text,
        // The server's texts have no zero bytes.
        Err(_) => raise(
            PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION,
            "invalid byte in a key",
            None,
        ),
    });
    // SAFETY: the type's input function gets a C string and returns a value of the type.
    unsafe {
        let datum = text.map(|text| {
            let type_oid = *(*index).rd_opcintype;
            let (mut function, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            pg_sys::getTypeInputInfo(type_oid, &raw mut function, &raw mut parameter);
            pg_sys::OidInputFunctionCall(function, text.as_ptr().cast_mut(), parameter, -1)
        });
        column.entry(datum, 0, 0)
    }
}

/// The value of the type nearest to an integer.
fn nearest(key_type: KeyType, value: i64) -> i64 {
    let (least, most) = match key_type {
        KeyType::Int2 => (i16::MIN.into(), i16::MAX.into()),
        KeyType::Int4 => (i32::MIN.into(), i32::MAX.into()),
        KeyType::Bool => (0, 1),
        KeyType::Char => (0, u8::MAX.into()),
        KeyType::Oid => (0, u32::MAX.into()),
        KeyType::Time => (0, 86_400_000_000),
        KeyType::MacAddr => (0, (1 << 48) - 1),
        KeyType::Date => return or_infinite(value, DATES, (i32::MIN.into(), i32::MAX.into())),
        KeyType::Timestamp | KeyType::TimestampTz => {
            return or_infinite(value, TIMESTAMPS, (i64::MIN, i64::MAX));
        }
        KeyType::Int8
        | KeyType::Xid8
        | KeyType::PgLsn
        | KeyType::Money
        | KeyType::Float4
        | KeyType::Float8
        | KeyType::MacAddr8 => return value,
    };
    value.clamp(least, most)
}

/// `value`, or the infinity on whose side of all finite values it lies.
fn or_infinite(value: i64, finite: (i64, i64), infinite: (i64, i64)) -> i64 {
    if value < finite.0 {
        infinite.0
    } else if value > finite.1 {
        infinite.1
    } else {
        value
    }
}

//! Included columns: which types they can have, and their values as words.
//!
//! What is stored depends on a value's bytes alone, not on the name of its type. `ALTER TABLE` does
//! not rebuild an index if an included column gets another type with the same bytes: oid for int4,
//! timestamptz for timestamp in UTC, a domain.

use learned::exact::{self, Code};
use pgrx::pg_sys;

use super::key_type::KeyType;

/// The key type as which the values of an included column are stored: one whose values have the
/// same bytes. None if there is no such type.
///
/// # Safety
/// A transaction is in progress, since the type may be looked up in the catalogs.
pub unsafe fn stored_as(attribute: &pg_sys::FormData_pg_attribute) -> Option<KeyType> {
    let given = KeyType::of(attribute.atttypid);
    // SAFETY: a column's type exists as long as the column does, and the lookup is in a
    // transaction.
    let base = given.or_else(|| KeyType::of(unsafe { pg_sys::getBaseType(attribute.atttypid) }));
    let stored = match (base, attribute.attbyval, attribute.attlen) {
        (Some(float @ (KeyType::Float4 | KeyType::Float8)), _, _) => float,
        (Some(address @ (KeyType::MacAddr | KeyType::MacAddr8 | KeyType::Uuid)), _, _) => address,
        (_, true, 1) => KeyType::Char,
        (_, true, 2) => KeyType::Int2,
        (_, true, 4) => KeyType::Int4,
        (_, true, 8) => KeyType::Int8,
        _ => return None,
    };
    let align = match attribute.attalign as u8 {
        pg_sys::TYPALIGN_CHAR => 1,
        pg_sys::TYPALIGN_SHORT => 2,
        pg_sys::TYPALIGN_INT => 4,
        _ => 8,
    };
    (stored.layout().1 == align).then_some(stored)
}

/// The words of a value, and its mark (see `learned::exact`). Only types of two words use the
/// second word.
///
/// # Safety
/// `datum` is a value of a type that is stored as `stored`.
#[inline(always)]
pub unsafe fn words(stored: KeyType, datum: pg_sys::Datum) -> ([u64; 2], bool) {
    let code = match stored {
        KeyType::Float4 => exact::single(datum.value() as u32),
        KeyType::Float8 => exact::double(datum.value() as u64),
        KeyType::Uuid => {
            // SAFETY: only uuid itself is stored as uuid, so the datum is one.
            let number = unsafe { stored.number(datum) };
            let halves = [(number >> 64) as i64, number as i64].map(exact::integer);
            let marked = halves.iter().all(|half| half.marked);
            return (halves.map(|half| half.word), marked);
        }
        // SAFETY: the types stored as one of these have the same bytes, by value or by reference.
        _ => exact::integer(unsafe { stored.value(datum) }),
    };
    ([code.word, exact::NULL], code.marked)
}

/// The bytes of a value in an index tuple, followed by zeroes. None for NULL.
#[inline(always)]
pub fn bytes(stored: KeyType, words: [u64; 2], marked: bool) -> Option<[u8; 16]> {
    let [first, second] = words;
    let two = stored.words() == 2;
    if first == exact::NULL && (!two || second == exact::NULL) && !marked {
        return None;
    }
    let code = Code {
        word: first,
        marked,
    };
    let value = match stored {
        KeyType::Float4 => u64::from(exact::to_single(code)).to_le_bytes(),
        KeyType::Float8 => exact::to_double(code).to_le_bytes(),
        _ => stored.bytes(exact::to_integer(first)),
    };
    let mut bytes = [0; 16];
    let (low, high) = bytes.split_at_mut(8);
    low.copy_from_slice(&value);
    if two {
        high.copy_from_slice(&exact::to_integer(second).to_be_bytes());
    }
    Some(bytes)
}

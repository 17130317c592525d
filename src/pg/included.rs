//! Included columns: which types they can have, and their values as words.
//!
//! What is stored depends on a value's bytes alone, not on the name of its type: ALTER TABLE keeps an index as it is where an included
//! column gets another type with the same bytes (oid for int4, timestamptz for timestamp in UTC, a domain).

use learned::exact::{self, Code};
use pgrx::pg_sys;

use super::key::KeyType;

/// The type as which an included column's values are stored: any other that has the same bytes will do. None if there is none.
///
/// # Safety
/// The server may be asked for types: a transaction is in progress.
pub unsafe fn stored_as(attribute: &pg_sys::FormData_pg_attribute) -> Option<KeyType> {
    let given = KeyType::of(attribute.atttypid);
    // SAFETY: the type exists as long as a column has it.
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

/// The words of a value, of which the second is used by types of two words only, and whether it is marked.
///
/// # Safety
/// `datum` is a value of a type that is stored as this one.
#[inline(always)]
pub unsafe fn words(stored: KeyType, datum: pg_sys::Datum) -> ([u64; 2], bool) {
    let code = match stored {
        KeyType::Float4 => exact::single(datum.value() as u32),
        KeyType::Float8 => exact::double(datum.value() as u64),
        KeyType::Uuid => {
            // SAFETY: the caller's contract.
            let number = unsafe { stored.number(datum) };
            let halves = [(number >> 64) as i64, number as i64].map(exact::integer);
            let marked = halves.iter().all(|half| half.marked);
            return (halves.map(|half| half.word), marked);
        }
        // SAFETY: the caller's contract.
        _ => exact::integer(unsafe { stored.value(datum) }),
    };
    ([code.word, exact::NULL], code.marked)
}

/// The bytes of a value in an index tuple, zeroes behind them; None for NULL.
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

//! Scan keys to ranges of entries.
//!
//! Each key becomes a place among the integers of its column ([`super::place`], `learned::range`); the limits of
//! each column become a condition, and the core makes ranges and filters of the conditions (`learned::search`).

use learned::cursor::Cursor;
use learned::exact::word;
use learned::range::{self, Comparison, Limits, Range};
use learned::search::Condition;
use pgrx::pg_sys;
use smallvec::SmallVec;

use super::array;
use super::column::Column;
use super::columns::{Columns, MOST_COLUMNS};
use super::key::KeyType;
use super::place::place;
use crate::error;

/// Sets a cursor to what satisfies all keys.
#[inline]
pub fn apply<const W: usize>(
    columns: &Columns,
    keys: &[pg_sys::ScanKeyData],
    cursor: &mut Cursor<W>,
) {
    let column = columns.first();
    // The hot path of nested loops: `column = value` of the column's own type.
    if W == 1
        && let [key] = keys
        && key.sk_flags == 0
        && u32::from(key.sk_strategy) == pg_sys::BTEqualStrategyNumber
        && key.sk_attno == 1
        && own_type(column, key.sk_subtype)
    {
        // SAFETY: the argument is of the column's type, and not NULL.
        let value = unsafe { column.key_type.value(key.sk_argument) };
        cursor.reset(Range::point(word(value), column.nulls_first));
        return;
    }
    general(columns, keys, cursor);
}

/// Whether a key is of the column's own type.
#[inline(always)]
fn own_type(column: &Column, subtype: pg_sys::Oid) -> bool {
    subtype == pg_sys::InvalidOid || KeyType::of(subtype) == Some(column.key_type)
}

fn general<const W: usize>(
    columns: &Columns,
    keys: &[pg_sys::ScanKeyData],
    cursor: &mut Cursor<W>,
) {
    let mut conditions = SmallVec::<[Condition<W>; MOST_COLUMNS]>::new();
    let mut left = keys.len();
    for (number, column) in (1..).zip(columns.keys()) {
        let keys = || keys.iter().filter(move |key| key.sk_attno == number);
        left -= keys().count();
        match Wanted::of(column, keys()) {
            Wanted::Anything => {}
            Wanted::Nothing => return cursor.reset(Range::NONE),
            Wanted::Null => conditions.push(column.is_null()),
            Wanted::Values(limits) => conditions.push(column.is_within(&[limits])),
            Wanted::Arrays(limits) => {
                conditions.push(column.is_within(&with_arrays(column, keys(), limits)));
            }
        }
    }
    if left > 0 {
        keys.iter().for_each(|key| check(columns, key));
    }
    cursor.search(&conditions);
}

/// What the keys of one column say.
enum Wanted {
    Anything,
    Nothing,
    Null,
    Values(Limits),
    /// Values within the limits and the keys `column <op> ANY (array)`.
    Arrays(Limits),
}

impl Wanted {
    #[inline]
    fn of<'k>(column: &Column, keys: impl Iterator<Item = &'k pg_sys::ScanKeyData>) -> Self {
        let mut limits = column.limits();
        let (mut null, mut value, mut arrays) = (false, false, false);
        for key in keys {
            let flags = key.sk_flags as u32;
            if flags & (pg_sys::SK_ROW_HEADER | pg_sys::SK_ORDER_BY) != 0 {
                unsupported(key);
            }
            if flags & pg_sys::SK_SEARCHNULL != 0 {
                null = true;
                continue;
            }
            value = true;
            if flags & pg_sys::SK_SEARCHNOTNULL != 0 {
                continue;
            }
            if flags & pg_sys::SK_ISNULL != 0 {
                // The operators are strict.
                return Self::Nothing;
            }
            if flags & pg_sys::SK_SEARCHARRAY != 0 {
                arrays = true;
                continue;
            }
            let (comparison, key_type) = meaning(column, key);
            // SAFETY: the argument is of this type, and not NULL.
            let place = unsafe { place(column.key_type, key_type, key.sk_argument) };
            limits.restrict(comparison, place);
        }
        match (null, value) {
            _ if limits.is_empty() => Self::Nothing,
            (true, true) => Self::Nothing,
            (true, false) => Self::Null,
            (false, true) if arrays => Self::Arrays(limits),
            (false, true) => Self::Values(limits),
            (false, false) => Self::Anything,
        }
    }
}

/// The limits that the keys `column <op> ANY (array)` leave of those that the other keys set.
fn with_arrays<'k>(
    column: &Column,
    keys: impl Iterator<Item = &'k pg_sys::ScanKeyData>,
    limits: Limits,
) -> Vec<Limits> {
    let mut found = vec![limits];
    for key in keys.filter(|key| key.sk_flags as u32 & pg_sys::SK_SEARCHARRAY != 0) {
        let (comparison, key_type) = meaning(column, key);
        let mut any = Vec::new();
        // SAFETY: the flag says that the argument is an array of this type, which is not NULL.
        unsafe {
            array::for_each(key.sk_argument, |datum| {
                let mut limits = column.limits();
                limits.restrict(comparison, place(column.key_type, key_type, datum));
                any.push(limits);
            });
        }
        range::union(&mut any);
        found = range::intersection(&found, &any);
    }
    found
}

/// A key's operator and the type of its argument.
fn meaning(column: &Column, key: &pg_sys::ScanKeyData) -> (Comparison, KeyType) {
    match (comparison(key.sk_strategy), type_of(column, key.sk_subtype)) {
        (Some(comparison), Some(key_type)) => (comparison, key_type),
        _ => unsupported(key),
    }
}

fn type_of(column: &Column, subtype: pg_sys::Oid) -> Option<KeyType> {
    if subtype == pg_sys::InvalidOid {
        Some(column.key_type)
    } else {
        KeyType::of(subtype)
    }
}

fn comparison(strategy: pg_sys::StrategyNumber) -> Option<Comparison> {
    Some(match u32::from(strategy) {
        pg_sys::BTLessStrategyNumber => Comparison::Less,
        pg_sys::BTLessEqualStrategyNumber => Comparison::LessOrEqual,
        pg_sys::BTEqualStrategyNumber => Comparison::Equal,
        pg_sys::BTGreaterEqualStrategyNumber => Comparison::GreaterOrEqual,
        pg_sys::BTGreaterStrategyNumber => Comparison::Greater,
        _ => return None,
    })
}

/// Refuses a key for a column that the index does not have.
#[cold]
fn check(columns: &Columns, key: &pg_sys::ScanKeyData) {
    let number = usize::try_from(key.sk_attno).unwrap_or(0);
    if !(1..=columns.keys().len()).contains(&number) {
        unsupported(key);
    }
}

#[cold]
fn unsupported(key: &pg_sys::ScanKeyData) -> ! {
    let (column, strategy, flags) = (key.sk_attno, key.sk_strategy, key.sk_flags);
    let subtype = key.sk_subtype.to_u32();
    error::unsupported(
        "unsupported search condition for a learned index",
        &format!("Column {column}, strategy {strategy}, type {subtype}, flags {flags:#x}."),
    )
}

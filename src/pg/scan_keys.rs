//! From scan keys to ranges of entries.
//!
//! Each key becomes a place among the integers of its column ([`super::cross_type`] and
//! `learned::range`). The keys of a column give limits, and the limits a condition. The core makes
//! ranges and filters of the conditions (`learned::search`).

use learned::cursor::Cursor;
use learned::exact::word;
use learned::range::{self, Comparison, Limits, Range};
use learned::search::Condition;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use smallvec::SmallVec;

use super::array;
use super::codec::{ColumnCodec, EntryCodec, KeyType, MAX_COLUMNS};
use super::cross_type::place;
use crate::error::{raise_report, type_name};

/// Sets a cursor to the entries that satisfy all keys.
#[inline]
pub fn apply<const W: usize>(
    codec: &EntryCodec,
    keys: &[pg_sys::ScanKeyData],
    cursor: &mut Cursor<W>,
) {
    let column = codec.first();
    // The hot path of nested loops: `column = value`, with a value of the column's own type.
    if W == 1
        && let [key] = keys
        && key.sk_flags == 0
        && u32::from(key.sk_strategy) == pg_sys::BTEqualStrategyNumber
        && key.sk_attno == 1
        && own_type(column, key.sk_subtype)
    {
        // SAFETY: own_type() says that the argument is of the column's type, and no flag says that
        // it is NULL.
        let value = unsafe { column.key_type.value(key.sk_argument) };
        cursor.reset(Range::point(word(value), column.nulls_first));
        return;
    }
    apply_any(codec, keys, cursor);
}

/// Whether a key of this subtype has the column's own type.
#[inline(always)]
fn own_type(column: &ColumnCodec, subtype: pg_sys::Oid) -> bool {
    subtype == pg_sys::InvalidOid || KeyType::of(subtype) == Some(column.key_type)
}

/// As [`apply`], for any keys.
fn apply_any<const W: usize>(
    codec: &EntryCodec,
    keys: &[pg_sys::ScanKeyData],
    cursor: &mut Cursor<W>,
) {
    let mut conditions = SmallVec::<[Condition<W>; MAX_COLUMNS]>::new();
    let mut left = keys.len();
    for (number, column) in (1..).zip(codec.keys()) {
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
        keys.iter().for_each(|key| check_column(codec, key));
    }
    cursor.search(&conditions);
}

/// What the keys of one column ask for.
enum Wanted {
    Anything,
    Nothing,
    Null,
    /// Values within the limits.
    Values(Limits),
    /// Values within the limits that satisfy the keys `column <op> ANY (array)`, too.
    Arrays(Limits),
}

impl Wanted {
    #[inline]
    fn of<'k>(column: &ColumnCodec, keys: impl Iterator<Item = &'k pg_sys::ScanKeyData>) -> Self {
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
                // The operators are strict: NULL satisfies none of them.
                return Self::Nothing;
            }
            if flags & pg_sys::SK_SEARCHARRAY != 0 {
                arrays = true;
                continue;
            }
            let (comparison, key_type) = meaning(column, key);
            // SAFETY: meaning() returns the argument's type, and the flags say that the argument is
            // neither NULL nor an array.
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

/// The given limits, restricted by the keys `column <op> ANY (array)`.
fn with_arrays<'k>(
    column: &ColumnCodec,
    keys: impl Iterator<Item = &'k pg_sys::ScanKeyData>,
    limits: Limits,
) -> Vec<Limits> {
    let mut found = vec![limits];
    for key in keys.filter(|key| key.sk_flags as u32 & pg_sys::SK_SEARCHARRAY != 0) {
        let (comparison, key_type) = meaning(column, key);
        let mut any = Vec::new();
        // SAFETY: SK_SEARCHARRAY says that the argument is an array, and meaning() returns the type
        // of its elements. A NULL array was found by Wanted::of().
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

/// A key's operator, and the type of its argument or of the elements of its array.
fn meaning(column: &ColumnCodec, key: &pg_sys::ScanKeyData) -> (Comparison, KeyType) {
    match (comparison(key.sk_strategy), type_of(column, key.sk_subtype)) {
        (Some(comparison), Some(key_type)) => (comparison, key_type),
        _ => unsupported(key),
    }
}

fn type_of(column: &ColumnCodec, subtype: pg_sys::Oid) -> Option<KeyType> {
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

/// Refuses a key on a column that is not a key column of the index.
#[cold]
fn check_column(codec: &EntryCodec, key: &pg_sys::ScanKeyData) {
    let number = usize::try_from(key.sk_attno).unwrap_or(0);
    if !(1..=codec.keys().len()).contains(&number) {
        unsupported(key);
    }
}

/// Raises an ERROR for a key that the planner makes only if the operator family has been extended.
#[cold]
fn unsupported(key: &pg_sys::ScanKeyData) -> ! {
    let (column, strategy, flags) = (key.sk_attno, key.sk_strategy, key.sk_flags);
    let of_type = match key.sk_subtype {
        pg_sys::InvalidOid => String::new(),
        subtype => format!(", a value of type {}", type_name(subtype)),
    };
    let report = ErrorReport::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        "access method \"learned\" does not support this search condition",
        "omendb",
    );
    raise_report(
        report
            .set_detail(format!(
                "The scan key has column {column}, strategy number {strategy}{of_type} and flags \
                 {flags:#x}."
            ))
            .set_hint(KeyType::HINT),
    )
}

//! Where a search key lies among the values of a column, if necessary of another type.
//!
//! The comparisons follow the operators of nbtree's families exactly, so that an index scan returns
//! what a sequential scan returns:
//! - integers: `int4 = 2^40` matches nothing, `int4 < 2^40` everything but NULL;
//! - dates and timestamps: a date is its midnight. A date beyond the range of timestamps lies
//!   between the last finite timestamp and infinity;
//! - a timestamptz column and a date or timestamp key: the operator converts the key, and so does
//!   this file;
//! - a date or timestamp column and a timestamptz key: the operator converts the column's values by
//!   the session's time zone. That is not monotone where clocks go forward: the skipped hour and
//!   the hour after it are the same instants. Near a change of the zone's offset the range is
//!   widened to all local times that the change can affect, and these are rechecked.

use learned::range::Place;
use pgrx::pg_sys;

use super::codec::KeyType;

const MICROS: i128 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;
const DAY_MICROS: i128 = DAY_SECONDS as i128 * MICROS;
/// PostgreSQL's epoch, 2000-01-01, in seconds since the Unix epoch.
const EPOCH: i64 = 10_957 * DAY_SECONDS;
/// A bound on a time zone's offset from UTC, in seconds. POSIX zone names allow 167 hours.
const MAX_OFFSET: i64 = 7 * DAY_SECONDS;

/// Where the value `datum` of type `key` lies among the values of a column of type `column`.
///
/// # Safety
/// `datum` is a value of type `key`.
pub unsafe fn place(column: KeyType, key: KeyType, datum: pg_sys::Datum) -> Place {
    use KeyType::*;
    if matches!(
        (column, key),
        (Date | Timestamp, Timestamp | TimestampTz)
            | (Timestamp | TimestampTz, Date)
            | (TimestampTz, Timestamp)
    ) {
        // SAFETY: `key` is one of the date and time types, whose values are in the datum itself.
        return place_of_time(column, key, unsafe { key.value(datum) });
    }
    // SAFETY: `datum` is of type `key`, the only condition of number().
    Place::at(unsafe { key.number(datum) })
}

/// As [`place`], for dates and times of two different types.
fn place_of_time(column: KeyType, key: KeyType, value: i64) -> Place {
    use KeyType::*;
    match (column, key) {
        (Date, Timestamp) => match infinite(value) {
            Some(sign) => infinity(column, sign),
            None => Place::at(value.into()).divided(DAY_MICROS),
        },
        (Date, TimestampTz) => match infinite(value) {
            Some(sign) => infinity(column, sign),
            None => local(value).divided(DAY_MICROS),
        },
        (Timestamp, TimestampTz) => match infinite(value) {
            Some(_) => Place::at(value.into()),
            None => local(value),
        },
        (Timestamp, Date) => converted(|overflow| {
            // SAFETY: the function computes with integers. Given `overflow`, it raises no error.
            unsafe { pg_sys::date2timestamp_opt_overflow(value as pg_sys::DateADT, overflow) }
        }),
        (TimestampTz, Date) => converted(|overflow| {
            // SAFETY: given `overflow`, the function raises no error.
            unsafe { pg_sys::date2timestamptz_opt_overflow(value as pg_sys::DateADT, overflow) }
        }),
        (TimestampTz, Timestamp) => converted(|overflow| {
            // SAFETY: given `overflow`, the function raises no error.
            unsafe { pg_sys::timestamp2timestamptz_opt_overflow(value, overflow) }
        }),
        _ => Place::at(value.into()),
    }
}

/// -1 or 1 for the infinite timestamps, None for finite ones.
fn infinite(value: i64) -> Option<i64> {
    match value {
        i64::MIN => Some(-1),
        i64::MAX => Some(1),
        _ => None,
    }
}

/// The place of an infinity, given by its sign, in the column's own type.
fn infinity(column: KeyType, sign: i64) -> Place {
    let value = match (column, sign < 0) {
        (KeyType::Date, true) => i64::from(i32::MIN),
        (KeyType::Date, false) => i64::from(i32::MAX),
        (_, true) => i64::MIN,
        (_, false) => i64::MAX,
    };
    Place::at(value.into())
}

/// The place of a key that the operator converts to the column's type. A key beyond the range of
/// finite timestamps is still less than infinity.
fn converted(convert: impl FnOnce(&mut i32) -> i64) -> Place {
    let mut overflow = 0;
    let value = convert(&mut overflow);
    match overflow {
        0 => Place::at(value.into()),
        1.. => Place::before(i64::MAX.into()),
        _ => Place::before(i128::from(i64::MIN) + 1),
    }
}

/// Where an instant lies among local times. Both are in microseconds. The operator compares a local
/// time by the instant that the session's time zone gives it.
///
/// A local time `t` is the instant `t - offset(t)`. With offsets between `least` and `greatest`,
/// every `t < instant + least` is earlier than the instant and every `t > instant + greatest` is
/// later, however the offset changes in between. The offsets that can occur are first found for all
/// local times that could be in doubt, and then for those that still are.
fn local(instant: i64) -> Place {
    let seconds = instant.div_euclid(MICROS as i64) + EPOCH;
    let day = DAY_SECONDS;
    let Some((least, greatest)) =
        offsets(seconds - MAX_OFFSET - day, seconds + 2 * MAX_OFFSET + day)
    else {
        return zone(instant, -MAX_OFFSET, MAX_OFFSET);
    };
    if least == greatest {
        return zone(instant, least, greatest);
    }
    // PostgreSQL reads the local time as UTC, goes one day back, and takes the first change of the
    // offset after that. It uses the offset after the change only if the change is not later than
    // the local time read with either offset.
    match offsets(seconds + least - day - 2, seconds + greatest - least + 2) {
        Some((least, greatest)) => zone(instant, least, greatest),
        None => zone(instant, -MAX_OFFSET, MAX_OFFSET),
    }
}

/// The place of an instant if the offset is between `least` and `greatest`, in seconds east of UTC:
/// the local times in between are in doubt.
fn zone(instant: i64, least: i64, greatest: i64) -> Place {
    let instant = i128::from(instant);
    let (first, last) = (
        instant + i128::from(least) * MICROS,
        instant + i128::from(greatest) * MICROS,
    );
    if first == last {
        Place::at(first)
    } else {
        Place::zone(first, last)
    }
}

/// The least and the greatest offset of the session's time zone between two Unix times. None if the
/// server does not know.
fn offsets(from: i64, to: i64) -> Option<(i64, i64)> {
    let (mut least, mut greatest) = (i64::MAX, i64::MIN);
    let mut time = from;
    loop {
        let (mut before, mut after) = (0, 0);
        let (mut before_dst, mut after_dst) = (0, 0);
        let mut boundary = 0;
        // SAFETY: the pointers are to local variables, and session_timezone is never null once the
        // backend has read its settings.
        let found = unsafe {
            pg_sys::pg_next_dst_boundary(
                &time,
                &mut before,
                &mut before_dst,
                &mut boundary,
                &mut after,
                &mut after_dst,
                pg_sys::session_timezone,
            )
        };
        if found < 0 {
            return None;
        }
        least = least.min(before);
        greatest = greatest.max(before);
        if found == 0 || boundary > to || boundary <= time {
            return Some((least, greatest));
        }
        time = boundary;
    }
}

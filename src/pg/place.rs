//! Where a search key lies among the values of a column.
//!
//! The comparisons follow the operators of nbtree's families exactly, so that an index
//! scan answers what a sequential scan answers:
//! - integers: `int4 = 2^40` matches nothing, `int4 < 2^40` everything but NULL;
//! - dates against timestamps: a date is its midnight; one beyond the timestamp range lies between
//!   the last finite timestamp and infinity;
//! - a timestamptz column against date or timestamp: the operator converts the key, and so do we;
//! - a date or timestamp column against timestamptz: the operator converts the column's values by
//!   the session's time zone. That is not monotone where clocks go forward: the skipped hour and the one after
//!   it are the same instants. Near a change of the zone's offset the range is widened to all local times that can be
//!   affected, and these are rechecked.

use learned::range::Place;
use pgrx::pg_sys;

use super::key::KeyType;

const MICROS: i128 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;
const DAY_MICROS: i128 = DAY_SECONDS as i128 * MICROS;
/// Unix time of PostgreSQL's epoch, 2000-01-01.
const EPOCH: i64 = 10_957 * DAY_SECONDS;
/// No time zone is further from UTC: POSIX zone names allow 167 hours.
const FARTHEST: i64 = 7 * DAY_SECONDS;

/// Where a key lies among the values of a column.
///
/// # Safety
/// `key` is the type of `datum`.
pub unsafe fn place(column: KeyType, key: KeyType, datum: pg_sys::Datum) -> Place {
    use KeyType::*;
    if matches!(
        (column, key),
        (Date | Timestamp, Timestamp | TimestampTz)
            | (Timestamp | TimestampTz, Date)
            | (TimestampTz, Timestamp)
    ) {
        // SAFETY: the caller's contract.
        return across(column, key, unsafe { key.value(datum) });
    }
    // SAFETY: the caller's contract.
    Place::at(unsafe { key.number(datum) })
}

/// The same for dates and times of two types.
fn across(column: KeyType, key: KeyType, value: i64) -> Place {
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
            // SAFETY: plain integers; with `overflow` given the function does not raise errors.
            unsafe { pg_sys::date2timestamp_opt_overflow(value as pg_sys::DateADT, overflow) }
        }),
        (TimestampTz, Date) => converted(|overflow| {
            // SAFETY: as above.
            unsafe { pg_sys::date2timestamptz_opt_overflow(value as pg_sys::DateADT, overflow) }
        }),
        (TimestampTz, Timestamp) => converted(|overflow| {
            // SAFETY: as above.
            unsafe { pg_sys::timestamp2timestamptz_opt_overflow(value, overflow) }
        }),
        _ => Place::at(value.into()),
    }
}

/// -1 or 1 for the infinite timestamps.
fn infinite(value: i64) -> Option<i64> {
    match value {
        i64::MIN => Some(-1),
        i64::MAX => Some(1),
        _ => None,
    }
}

/// The column's own value for an infinity.
fn infinity(column: KeyType, sign: i64) -> Place {
    let value = match (column, sign < 0) {
        (KeyType::Date, true) => i64::from(i32::MIN),
        (KeyType::Date, false) => i64::from(i32::MAX),
        (_, true) => i64::MIN,
        (_, false) => i64::MAX,
    };
    Place::at(value.into())
}

/// The place of a key that the operator converts to the column's type: beyond the range of finite
/// timestamps it is still not infinite.
fn converted(convert: impl FnOnce(&mut i32) -> i64) -> Place {
    let mut overflow = 0;
    let value = convert(&mut overflow);
    match overflow {
        0 => Place::at(value.into()),
        1.. => Place::before(i64::MAX.into()),
        _ => Place::before(i128::from(i64::MIN) + 1),
    }
}

/// Where an instant lies among local times (microseconds) that are compared by way of the instant
/// that the session's time zone gives them.
///
/// A local time `t` counts as the instant `t - offset(t)`. With offsets between `least` and
/// `greatest`, every `t < instant + least` is earlier and every `t > instant + greatest` later than the
/// instant, however the offset changes in between. Which offsets can occur is first found
/// for all local times that could be in doubt at all, then for those that still are.
fn local(instant: i64) -> Place {
    let seconds = instant.div_euclid(MICROS as i64) + EPOCH;
    let day = DAY_SECONDS;
    let Some((least, greatest)) = offsets(seconds - FARTHEST - day, seconds + 2 * FARTHEST + day)
    else {
        return zone(instant, -FARTHEST, FARTHEST);
    };
    if least == greatest {
        return zone(instant, least, greatest);
    }
    // PostgreSQL takes the first change after the day before (the local time read as UTC), and the
    // offset after that change only if it happens no later than the local time read with either offset.
    match offsets(seconds + least - day - 2, seconds + greatest - least + 2) {
        Some((least, greatest)) => zone(instant, least, greatest),
        None => zone(instant, -FARTHEST, FARTHEST),
    }
}

/// The local times in doubt, with offsets in seconds east of UTC.
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

/// The least and the greatest offset of the session's time zone in effect between two Unix times.
fn offsets(from: i64, to: i64) -> Option<(i64, i64)> {
    let (mut least, mut greatest) = (i64::MAX, i64::MIN);
    let mut time = from;
    loop {
        let (mut before, mut after) = (0, 0);
        let (mut before_dst, mut after_dst) = (0, 0);
        let mut boundary = 0;
        // SAFETY: all pointers are to locals; session_timezone is set for the life of the backend.
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

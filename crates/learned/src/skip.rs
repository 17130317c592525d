//! Skip scan: where the next entries may be that satisfy conditions on later columns of the key.
//!
//! A scan for `b = 5` on a key `(a, b)` with few values of `a` need not read all entries. Behind
//! the entries with `(a, 5)` the next ones have another `a`. The scan searches for the least
//! greater `a` and continues at the entry that it finds, which has the next value of `a`.

use crate::key::{Entry, NULL_BIT};
use crate::search::{Condition, Field};

/// An entry not below `edge`, so that no entry from `edge` to it satisfies all conditions: the
/// least one that may satisfy them, or a lower one. Conditions are in the key's order, one for each
/// column.
#[must_use]
pub fn next_admitted<const W: usize>(conditions: &[Condition<W>], edge: &Entry<W>) -> Entry<W> {
    let mut next = *edge;
    // If earlier columns have to rise, their conditions are checked again: at most once for each.
    'again: for _ in 0..=conditions.len() {
        for Condition { field, spans } in conditions {
            let part = field.part_of(&next);
            let at = spans.partition_point(|span| span.last < part);
            match spans.get(at) {
                Some(span) if span.first <= part => {}
                Some(span) => next = replace_column(field, &next, &span.first, 0),
                None => match increment_prefix(&next, field) {
                    Some(risen) => {
                        next = risen;
                        continue 'again;
                    }
                    None => return Entry::MAX,
                },
            }
        }
        break;
    }
    next
}

/// An entry not above `edge`, so that no entry from it to `edge` satisfies all conditions: the
/// successor of the greatest entry below `edge` that may satisfy them, or a higher one.
#[must_use]
pub fn end_of_previous_admitted<const W: usize>(
    conditions: &[Condition<W>],
    edge: &Entry<W>,
) -> Entry<W> {
    let Some(mut last) = predecessor(edge) else {
        return *edge;
    };
    'again: for _ in 0..=conditions.len() {
        for Condition { field, spans } in conditions {
            let part = field.part_of(&last);
            let after = spans.partition_point(|span| span.first <= part);
            match after.checked_sub(1).and_then(|at| spans.get(at)) {
                Some(span) if part <= span.last => {}
                Some(span) => last = replace_column(field, &last, &span.last, u64::MAX),
                None => match decrement_prefix(&last, field) {
                    Some(fallen) => {
                        last = fallen;
                        continue 'again;
                    }
                    None => return Entry::MIN,
                },
            }
        }
        break;
    }
    successor(&last)
}

/// The entry with the column of `part`. What follows the column has all bits as in `rest`, but
/// words behind the last column are always 0.
fn replace_column<const W: usize>(
    field: &Field,
    entry: &Entry<W>,
    part: &Entry<W>,
    rest: u64,
) -> Entry<W> {
    let behind = if field.has_null_bit { 0 } else { rest };
    let mut result = Entry::new([behind; W], rest);
    for (i, to) in result.key.iter_mut().enumerate().take(field.end()) {
        let from = if i < field.at { entry } else { part };
        *to = from.key.get(i).copied().unwrap_or(rest);
    }
    if field.has_null_bit {
        result.tie = part.tie & NULL_BIT | rest & !NULL_BIT;
    }
    result
}

/// The least entry whose columns before this one are greater. None: they have their greatest
/// values.
fn increment_prefix<const W: usize>(entry: &Entry<W>, field: &Field) -> Option<Entry<W>> {
    let mut next = Entry::MIN;
    let mut carry = true;
    for i in (0..field.at.min(W)).rev() {
        let (from, to) = (entry.key.get(i)?, next.key.get_mut(i)?);
        (*to, carry) = from.overflowing_add(u64::from(carry));
    }
    (!carry).then_some(next)
}

/// The greatest entry whose columns before this one are less. None: they have their least values.
fn decrement_prefix<const W: usize>(entry: &Entry<W>, field: &Field) -> Option<Entry<W>> {
    let mut last = Entry::MAX;
    let mut borrow = true;
    for i in (0..field.at.min(W)).rev() {
        let (from, to) = (entry.key.get(i)?, last.key.get_mut(i)?);
        (*to, borrow) = from.overflowing_sub(u64::from(borrow));
    }
    (!borrow).then_some(last)
}

/// The least entry above `entry`; [`Entry::MAX`] is its own successor.
pub fn successor<const W: usize>(entry: &Entry<W>) -> Entry<W> {
    match entry.tie.checked_add(1) {
        Some(tie) => Entry::new(entry.key, tie),
        None => increment_prefix(entry, &Field::behind::<W>()).unwrap_or(Entry::MAX),
    }
}

/// The greatest entry below `entry`. None: there is none.
fn predecessor<const W: usize>(entry: &Entry<W>) -> Option<Entry<W>> {
    match entry.tie.checked_sub(1) {
        Some(tie) => Some(Entry::new(entry.key, tie)),
        None => decrement_prefix(entry, &Field::behind::<W>()),
    }
}

#[cfg(test)]
mod tests;

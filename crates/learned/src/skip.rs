//! Skipping from group to group: where entries may be that satisfy conditions on later columns of the key.
//!
//! `b = 5` on a key of `(a, b)` with few `a` need not look at all entries: after those with `(a, 5)`, or in place of
//! those before them, come those with the next `a`. Which one that is the index tells: a search for
//! the least `a` that is greater ends at an entry, from which it goes on.

use crate::key::{Entry, NULL_BIT};
use crate::search::{Condition, Field};

/// The least entry from `edge` on that may satisfy all conditions (one a column, in the key's order), or a lesser
/// one from `edge` on: none in between does.
#[must_use]
pub fn above<const W: usize>(conditions: &[Condition<W>], edge: &Entry<W>) -> Entry<W> {
    let mut next = *edge;
    // Where columns before have to rise, their conditions are looked at again: once for each.
    'again: for _ in 0..=conditions.len() {
        for Condition { field, spans } in conditions {
            let part = field.of(&next);
            let at = spans.partition_point(|span| span.last < part);
            match spans.get(at) {
                Some(span) if span.first <= part => {}
                Some(span) => next = with(field, &next, &span.first, 0),
                None => match risen(&next, field) {
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

/// The upper end of the greatest entry below `edge` that may satisfy all conditions, or of a greater one below `edge`: none
/// from the result on, up to `edge`, does.
#[must_use]
pub fn below<const W: usize>(conditions: &[Condition<W>], edge: &Entry<W>) -> Entry<W> {
    let Some(mut last) = predecessor(edge) else {
        return *edge;
    };
    'again: for _ in 0..=conditions.len() {
        for Condition { field, spans } in conditions {
            let part = field.of(&last);
            let after = spans.partition_point(|span| span.first <= part);
            match after.checked_sub(1).and_then(|at| spans.get(at)) {
                Some(span) if part <= span.last => {}
                Some(span) => last = with(field, &last, &span.last, u64::MAX),
                None => match fallen(&last, field) {
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

/// The entry with another value of a column; what follows the column has all bits as in `rest`, but
/// words behind the last column are always 0.
fn with<const W: usize>(field: &Field, entry: &Entry<W>, part: &Entry<W>, rest: u64) -> Entry<W> {
    let behind = if field.ties { 0 } else { rest };
    let mut result = Entry::new([behind; W], rest);
    for (i, to) in result.key.iter_mut().enumerate().take(field.end()) {
        let from = if i < field.at { entry } else { part };
        *to = from.key.get(i).copied().unwrap_or(rest);
    }
    if field.ties {
        result.tie = part.tie & NULL_BIT | rest & !NULL_BIT;
    }
    result
}

/// The least entry whose columns before this one are greater.
fn risen<const W: usize>(entry: &Entry<W>, field: &Field) -> Option<Entry<W>> {
    let mut next = Entry::MIN;
    let mut carry = true;
    for i in (0..field.at.min(W)).rev() {
        let (from, to) = (entry.key.get(i)?, next.key.get_mut(i)?);
        (*to, carry) = from.overflowing_add(u64::from(carry));
    }
    (!carry).then_some(next)
}

/// The greatest entry whose columns before this one are less.
fn fallen<const W: usize>(entry: &Entry<W>, field: &Field) -> Option<Entry<W>> {
    let mut last = Entry::MAX;
    let mut borrow = true;
    for i in (0..field.at.min(W)).rev() {
        let (from, to) = (entry.key.get(i)?, last.key.get_mut(i)?);
        (*to, borrow) = from.overflowing_sub(u64::from(borrow));
    }
    (!borrow).then_some(last)
}

/// The least entry above another one.
pub fn successor<const W: usize>(entry: &Entry<W>) -> Entry<W> {
    match entry.tie.checked_add(1) {
        Some(tie) => Entry::new(entry.key, tie),
        None => risen(entry, &Field::behind::<W>()).unwrap_or(Entry::MAX),
    }
}

/// The greatest entry below another one.
fn predecessor<const W: usize>(entry: &Entry<W>) -> Option<Entry<W>> {
    match entry.tie.checked_sub(1) {
        Some(tie) => Some(Entry::new(entry.key, tie)),
        None => fallen(entry, &Field::behind::<W>()),
    }
}

#[cfg(test)]
mod tests;

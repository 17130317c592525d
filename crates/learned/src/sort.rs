//! A radix sort of many entries in memory: byte by byte, the least significant byte first. Bytes
//! that are the same in all entries are left out.

use std::collections::TryReserveError;

use crate::key::Entry;

/// Sorts `entries`. This takes as much memory again as the entries. `interrupt` is called between
/// the passes, every few milliseconds.
///
/// # Errors
/// [`TryReserveError`] where there is not enough memory; `entries` are as they were.
pub fn sort<const W: usize>(
    entries: &mut Vec<Entry<W>>,
    interrupt: &mut dyn FnMut(),
) -> Result<(), TryReserveError> {
    let Some(&first) = entries.first() else {
        return Ok(());
    };
    // A scan of the table mostly finds rows in the order of their ties. A stable sort by key keeps
    // it.
    let ties_ascend = entries.is_sorted_by_key(|e| e.tie);
    let mut spare = Vec::new();
    spare.try_reserve_exact(entries.len())?;
    spare.resize(entries.len(), Entry::MIN);
    let columns = std::iter::once(None).chain((0..W).rev().map(Some));
    for column in columns.skip(usize::from(ties_ascend)) {
        let word = |e: &Entry<W>| match column {
            Some(w) => e.key.get(w).copied().unwrap_or_default(),
            None => e.tie,
        };
        let varying = entries.iter().fold(0, |v, e| v | (word(e) ^ word(&first)));
        interrupt();
        for shift in (0..u64::BITS).step_by(8) {
            if varying >> shift & 0xFF != 0 {
                pass(entries, &mut spare, &|e| (word(e) >> shift) as u8);
                std::mem::swap(entries, &mut spare);
                interrupt();
            }
        }
    }
    Ok(())
}

/// Distributes the items of `from` to `to` by `digit`; items with the same digit stay in order.
fn pass<T: Copy>(from: &[T], to: &mut [T], digit: &impl Fn(&T) -> u8) {
    let mut next = [0usize; 256];
    for item in from {
        next[usize::from(digit(item))] += 1;
    }
    let mut sum = 0;
    for count in &mut next {
        sum += std::mem::replace(count, sum);
    }
    for item in from {
        let place = &mut next[usize::from(digit(item))];
        if let Some(slot) = to.get_mut(*place) {
            *slot = *item;
        }
        *place += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Checks the order against that of the standard library.
    fn check(mut entries: Vec<Entry<2>>) {
        let mut expected = entries.clone();
        expected.sort();
        sort(&mut entries, &mut || ()).unwrap();
        assert_eq!(entries, expected);
    }

    proptest! {
        #[test]
        fn sorts_any_words(words in prop::collection::vec(any::<(u64, u64, u64)>(), 0..300)) {
            check(words.iter().map(|&(a, b, t)| Entry::new([a, b], t)).collect());
        }

        #[test]
        fn sorts_words_that_repeat(
            words in prop::collection::vec((0u64..3, 250u64..260, 0u64..5), 0..300),
        ) {
            check(words.iter().map(|&(a, b, t)| Entry::new([a, b], t)).collect());
        }

        #[test]
        fn keeps_ascending_ties(words in prop::collection::vec((0u64..3, any::<u64>()), 0..300)) {
            check(words.iter().zip(0..).map(|(&(a, b), t)| Entry::new([a, b], t)).collect());
        }
    }
}

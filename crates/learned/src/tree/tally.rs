//! Counters that many processes add to, in memory of a fixed size that they share.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Counts;

const SETS: usize = 128;
/// Slots that a key can have.
const WAYS: usize = 8;

/// Counts of up to 1,024 indexes, by a number of each that is not 0. Where there are more, the one counted
/// last the longest time ago begins anew. All zero bytes is an empty one.
///
/// There are no locks: while a slot passes from one index to another, counts may go astray or be lost.
pub struct Tally {
    /// Grows with each addition.
    clock: AtomicU64,
    sets: [[Slot; WAYS]; SETS],
}

/// A cache line.
#[repr(align(64))]
struct Slot {
    key: AtomicU64,
    /// The clock when it was last added to.
    used: AtomicU64,
    counts: [AtomicU64; Counts::FIELDS],
}

impl Slot {
    const fn new() -> Self {
        Self {
            key: AtomicU64::new(0),
            used: AtomicU64::new(0),
            counts: [const { AtomicU64::new(0) }; Counts::FIELDS],
        }
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            clock: AtomicU64::new(0),
            sets: [const { [const { Slot::new() }; WAYS] }; SETS],
        }
    }
}

impl Tally {
    /// Adds to the counts of `key`.
    pub fn add(&self, key: u64, counts: &Counts) {
        let now = self.clock.fetch_add(1, Relaxed) + 1;
        let set = self.set(key);
        let slot = set.iter().find(|slot| slot.key.load(Relaxed) == key);
        let Some(slot) = slot.or_else(|| Self::claim(set, key)) else {
            return;
        };
        slot.used.store(now, Relaxed);
        for (to, count) in slot.counts.iter().zip(counts.values()) {
            to.fetch_add(count, Relaxed);
        }
    }

    /// The counts of `key`.
    pub fn of(&self, key: u64) -> Counts {
        let mut sum = [0u64; Counts::FIELDS];
        // Two who came first at once may have taken a slot each.
        let slots = self.set(key).iter();
        for slot in slots.filter(|slot| slot.key.load(Relaxed) == key) {
            for (to, count) in sum.iter_mut().zip(&slot.counts) {
                *to = to.wrapping_add(count.load(Relaxed));
            }
        }
        Counts::of(sum)
    }

    fn set(&self, key: u64) -> &[Slot] {
        // Fibonacci hashing: the product's high bits depend on all bits of the key.
        let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let set = self.sets.get(hash as usize % SETS);
        set.map(<[Slot; WAYS]>::as_slice).unwrap_or_default()
    }

    /// Takes the slot that has been idle longest; None if somebody else was faster.
    fn claim(set: &[Slot], key: u64) -> Option<&Slot> {
        let slot = set.iter().min_by_key(|slot| slot.used.load(Relaxed))?;
        let old = slot.key.load(Relaxed);
        let taken = slot.key.compare_exchange(old, key, Relaxed, Relaxed);
        taken.ok()?;
        for count in &slot.counts {
            count.store(0, Relaxed);
        }
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(straight: u64, links: u64) -> Counts {
        Counts::of([straight, 0, links, 0, 0])
    }

    #[test]
    fn sums_by_key() {
        let tally = Tally::default();
        for key in 1..=100 {
            tally.add(key, &counts(key, 1));
            tally.add(key, &counts(1, 0));
        }
        for key in 1..=100 {
            assert_eq!(tally.of(key).values(), [key + 1, 0, 1, 0, 0], "{key}");
        }
        assert_eq!(tally.of(101).values(), [0; Counts::FIELDS]);
    }

    #[test]
    fn the_longest_idle_makes_room() {
        let tally = Tally::default();
        tally.add(1, &counts(7, 0));
        // Others that share its slots; it stays in use meanwhile.
        let same = |key: &u64| std::ptr::eq(tally.set(*key), tally.set(1));
        let others: Vec<u64> = (2..).filter(same).take(3 * WAYS).collect();
        for key in &others {
            tally.add(*key, &counts(1, 0));
            tally.add(1, &counts(1, 0));
        }
        assert_eq!(tally.of(1).straight.get(), 7 + others.len() as u64);
        let (gone, left) = others.split_at(others.len() + 1 - WAYS);
        assert!(gone.iter().all(|key| tally.of(*key).straight.get() == 0));
        assert!(left.iter().all(|key| tally.of(*key).straight.get() == 1));
    }

    #[test]
    fn threads_lose_nothing() {
        let tally = Tally::default();
        tally.add(1 << 40, &counts(0, 0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| tally.add(1 << 40, &counts(2, 1))));
            }
        });
        assert_eq!(tally.of(1 << 40).values(), [80_000, 0, 40_000, 0, 0]);
    }
}

//! Counters that many processes add to, in shared memory of a fixed size.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::SearchCounts;
use crate::policy::tree::{SHARED_COUNT_SETS, SHARED_COUNT_WAYS};

/// The counts of up to 1,024 indexes, each identified by a key that is not 0. If there are more
/// indexes, the one that has not been counted for the longest time starts from 0 again. All bytes 0
/// are an empty table.
///
/// There are no locks: while a slot passes from one index to another, counts may be added to the
/// wrong index or be lost.
pub struct SharedSearchCounts {
    /// Grows with each addition.
    clock: AtomicU64,
    sets: [[Slot; SHARED_COUNT_WAYS]; SHARED_COUNT_SETS],
}

/// The counts of one index: a cache line.
#[repr(align(64))]
struct Slot {
    key: AtomicU64,
    /// The clock at the last addition.
    used: AtomicU64,
    counts: [AtomicU64; SearchCounts::FIELDS],
}

impl Slot {
    const fn new() -> Self {
        Self {
            key: AtomicU64::new(0),
            used: AtomicU64::new(0),
            counts: [const { AtomicU64::new(0) }; SearchCounts::FIELDS],
        }
    }
}

impl Default for SharedSearchCounts {
    fn default() -> Self {
        Self {
            clock: AtomicU64::new(0),
            sets: [const { [const { Slot::new() }; SHARED_COUNT_WAYS] }; SHARED_COUNT_SETS],
        }
    }
}

impl SharedSearchCounts {
    /// Adds to the counts of `key`.
    pub fn add(&self, key: u64, counts: &SearchCounts) {
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
    pub fn counts(&self, key: u64) -> SearchCounts {
        let mut sum = [0u64; SearchCounts::FIELDS];
        // Two processes that were first at the same time may each have claimed a slot.
        let slots = self.set(key).iter();
        for slot in slots.filter(|slot| slot.key.load(Relaxed) == key) {
            for (to, count) in sum.iter_mut().zip(&slot.counts) {
                *to = to.wrapping_add(count.load(Relaxed));
            }
        }
        SearchCounts::from_values(sum)
    }

    fn set(&self, key: u64) -> &[Slot] {
        // Fibonacci hashing: the product's high bits depend on all bits of the key.
        let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let set = self.sets.get(hash as usize % SHARED_COUNT_SETS);
        set.map(<[Slot; SHARED_COUNT_WAYS]>::as_slice)
            .unwrap_or_default()
    }

    /// Claims the slot that has been idle longest. None: another process was faster.
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

    fn counts(hits: u64, right_links: u64) -> SearchCounts {
        SearchCounts::from_values([hits, 0, right_links, 0, 0])
    }

    #[test]
    fn sums_by_key() {
        let shared = SharedSearchCounts::default();
        for key in 1..=100 {
            shared.add(key, &counts(key, 1));
            shared.add(key, &counts(1, 0));
        }
        for key in 1..=100 {
            assert_eq!(shared.counts(key).values(), [key + 1, 0, 1, 0, 0], "{key}");
        }
        assert_eq!(shared.counts(101).values(), [0; SearchCounts::FIELDS]);
    }

    #[test]
    fn the_longest_idle_makes_room() {
        let shared = SharedSearchCounts::default();
        shared.add(1, &counts(7, 0));
        // Other keys that share its slots; key 1 stays in use meanwhile.
        let same = |key: &u64| std::ptr::eq(shared.set(*key), shared.set(1));
        let others: Vec<u64> = (2..).filter(same).take(3 * SHARED_COUNT_WAYS).collect();
        for key in &others {
            shared.add(*key, &counts(1, 0));
            shared.add(1, &counts(1, 0));
        }
        assert_eq!(shared.counts(1).hits.get(), 7 + others.len() as u64);
        let (gone, left) = others.split_at(others.len() + 1 - SHARED_COUNT_WAYS);
        assert!(gone.iter().all(|key| shared.counts(*key).hits.get() == 0));
        assert!(left.iter().all(|key| shared.counts(*key).hits.get() == 1));
    }

    #[test]
    fn threads_lose_nothing() {
        let shared = SharedSearchCounts::default();
        shared.add(1 << 40, &counts(0, 0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| shared.add(1 << 40, &counts(2, 1))));
            }
        });
        assert_eq!(shared.counts(1 << 40).values(), [80_000, 0, 40_000, 0, 0]);
    }
}

//! Unique keys.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;
use crate::key::{NULL_BIT, TID_MASK};
use crate::search::Field;
use crate::tree::UniqueVerdict;

/// Set in the ties of dead rows.
const DEAD: u64 = 1 << 8;

fn verdict(tie: u64) -> UniqueVerdict {
    if tie & DEAD != 0 {
        UniqueVerdict::Continue
    } else {
        UniqueVerdict::Conflict
    }
}

/// The `i`th of many ties, in random order.
fn scattered(i: u64) -> u64 {
    (i.wrapping_mul(0x9E37_79B1) & 0xFFF_FFFF) << 16
}

/// The `n`th of a few keys: values, NULLs, values beside NULLs.
fn key(n: u64) -> Entry<WORDS> {
    match n {
        0 => Entry::new([0; WORDS], 0),
        1 => Entry::new([0; WORDS], NULL_BIT),
        2 => Entry::new([u64::MAX; WORDS], 0),
        3 => Entry::new([u64::MAX; WORDS], NULL_BIT),
        _ => entry(n * 1000, 0),
    }
}

/// The columns of a key, and its entries.
#[derive(Clone, Copy)]
struct KeyShape {
    field: Field,
    entry: fn(n: u64, tie: u64) -> Entry<WORDS>,
}

/// All words belong to the key.
const WHOLE: KeyShape = KeyShape {
    field: Field {
        at: 0,
        words: WORDS,
        has_null_bit: true,
    },
    entry: |n, tie| {
        let key = key(n);
        Entry::new(key.key, key.tie & NULL_BIT | tie)
    },
};

/// The last word belongs to an included column. It depends on the row, as does the bit of its value
/// in the tie.
const INCLUDING: KeyShape = KeyShape {
    field: Field {
        at: 0,
        words: WORDS - 1,
        has_null_bit: false,
    },
    entry: |n, tie| {
        let word = match n {
            0 | 1 => n,
            2 | 3 => u64::MAX - (n - 2),
            _ => n * 1000,
        };
        let mut entry = Entry::new([word; WORDS], tie | (tie >> 16 & 1) << 62);
        let last = entry.key.last_mut().unwrap();
        *last = match tie >> 17 & 3 {
            0 => 0,
            1 => u64::MAX,
            _ => tie.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        };
        entry
    },
};

/// A key gets one live entry, however many dead entries it has in however many leaves.
#[test]
fn one_live_entry_a_key() {
    one_live_entry(WHOLE);
    one_live_entry(INCLUDING);
}

fn one_live_entry(shape: KeyShape) {
    let with_tie = shape.entry;
    for seed in 0..4 {
        let mut rng = Rng::new(seed);
        let mem = empty::<WORDS>();
        let tree = tree::<WORDS>(&mem, None);
        let mut live = BTreeMap::new();
        let mut set = Set::<WORDS>::new();
        for i in 1..1500 * scale() {
            let n = rng.below(12);
            let tie = scattered(i) | 1;
            if rng.chance(70) {
                let dead = with_tie(n, DEAD | tie);
                tree.insert(dead, FILL).unwrap();
                set.insert(dead);
                continue;
            }
            let new = with_tie(n, tie);
            let mut checked = BTreeSet::new();
            let done =
                tree.insert_unique(None, new, &shape.field.same(&new), FILL, &mut |tie, _| {
                    checked.insert(tie);
                    verdict(tie)
                });
            let done = done.unwrap().is_some();
            assert_eq!(done, !live.contains_key(&n), "seed {seed}, insert {i}");
            let prefix = shape.field.prefix(&new);
            let same = |e: &&Entry<WORDS>| shape.field.prefix(e) == prefix;
            if done {
                let ties: BTreeSet<_> = set.iter().filter(same).map(|e| e.tie).collect();
                assert!(checked == ties, "all of the key are checked, and no other");
                live.insert(n, new);
                set.insert(new);
            }
            let key = shape.field.same(&new);
            assert!(!tree.is_unique(&key, &mut |tie, _| verdict(tie)).unwrap());
            // The row dies.
            if rng.chance(50)
                && let Some(old) = live.remove(&n)
            {
                tree.vacuum(&mut |tie: u64| tie & TID_MASK == old.tie & TID_MASK, true)
                    .unwrap();
                set.remove(&old);
                assert!(tree.is_unique(&key, &mut |tie, _| verdict(tie)).unwrap());
            }
        }
        check(&mem, &set);
        assert!(mem.breaches().is_empty(), "{:?}", mem.breaches());
    }
}

/// With UniqueVerdict::Accept the other entries do not matter.
#[test]
fn accepted_whatever_else_there_is() {
    let mem = empty::<WORDS>();
    let tree = tree::<WORDS>(&mem, None);
    for tie in 1..50 {
        let new = (WHOLE.entry)(9, tie);
        let key = WHOLE.field.same(&new);
        let done = tree.insert_unique(None, new, &key, FILL, &mut |_, _| UniqueVerdict::Accept);
        assert!(done.unwrap().is_some());
    }
}

/// Threads insert the same keys, each with a TID of its own, among dead entries that come and go.
/// One thread succeeds for each key.
#[test]
fn threads_insert_a_key_once() {
    threads_insert_once(WHOLE);
    threads_insert_once(INCLUDING);
}

fn threads_insert_once(shape: KeyShape) {
    let with_tie = shape.entry;
    const THREADS: u64 = 4;
    const KEYS: u64 = 60;
    for seed in 0..3 {
        let mem = empty::<WORDS>();
        let setup = tree::<WORDS>(&mem, None);
        let mut rng = Rng::new(seed);
        let dead = |i: u64, n: u64| with_tie(n, scattered(i) | DEAD);
        for i in 0..40 * scale() {
            for n in (0..KEYS).filter(|n| n % 3 != 0 || i < 2) {
                setup.insert(dead(i, n), FILL).unwrap();
            }
        }
        let (stop, won) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            let inserters: Vec<_> = (0..THREADS)
                .map(|number| {
                    let (mem, won) = (&mem, &won);
                    scope.spawn(move || {
                        let tree = tree::<WORDS>(mem, None);
                        let mut rng = Rng::new(seed * 31 + number);
                        let mut hint = None;
                        for n in 0..KEYS {
                            // Before, between and behind the dead entries.
                            let new = with_tie(n, rng.below(1 << 28) << 16 | (number + 1));
                            let check = &mut |tie, _| verdict(tie);
                            let key = shape.field.same(&new);
                            if let Some(done) =
                                tree.insert_unique(hint, new, &key, FILL, check).unwrap()
                            {
                                won.fetch_add(1, Ordering::Relaxed);
                                hint = Some(done.block);
                            }
                        }
                    })
                })
                .collect();
            let (mem, stop) = (&mem, &stop);
            scope.spawn(move || {
                let tree = tree::<WORDS>(mem, None);
                let mut rng = Rng::new(seed + 100);
                let mut i = 1 << 20;
                while !stop.load(Ordering::Relaxed) {
                    i += 1;
                    tree.insert(dead(i, rng.below(KEYS)), FILL).unwrap();
                    let part = rng.below(8);
                    tree.vacuum(
                        &mut |tie: u64| tie & DEAD != 0 && tie >> 16 & 7 == part,
                        true,
                    )
                    .unwrap();
                }
            });
            for inserter in inserters {
                inserter.join().unwrap();
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(won.load(Ordering::Relaxed), KEYS, "seed {seed}");
        let mut keys = HashSet::new();
        for e in forward(&setup, &Entry::MIN, &Entry::MAX, &mut rng) {
            if e.tie & DEAD == 0 {
                assert!(keys.insert(shape.field.prefix(&e)), "two of one key");
            }
        }
        assert_eq!(keys.len() as u64, KEYS);
        assert!(mem.breaches().is_empty(), "{:?}", mem.breaches());
    }
}

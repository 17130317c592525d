//! Scans and writers beside a VACUUM that joins pages.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::join::{PATTERNS, check_free, vacuum};
use super::*;
use crate::cursor::Cursor;
use crate::range::Range;

/// Scans in both directions stop anywhere. Pages are joined, freed, and recycled for other keys.
/// The scans continue and find each entry that stays exactly once.
#[test]
fn scans_survive_joins_and_recycling() {
    let reused = scans_survive(&build, |entry| entry.tie % 16 == 5, &check_free);
    assert!(reused > 300, "{reused}");
}

/// As [`scans_survive_joins_and_recycling`], for the entries that `stays` selects. Returns by how
/// much the VACUUMs raise `count`.
pub(super) fn scans_survive(
    build: &dyn Fn(&Set<WORDS>) -> Mem,
    stays: fn(&Entry<WORDS>) -> bool,
    count: &dyn Fn(&Mem) -> u64,
) -> u64 {
    let stays = |entry: &&Entry<WORDS>| stays(entry);
    let set: Set<WORDS> = (0..3000).map(|i| entry(1000 * i, i)).collect();
    let built = build(&set).pages();
    let kept: Vec<_> = set.iter().filter(stays).copied().collect();
    let mut counted = 0;
    for stop in (0..3000).step_by(83) {
        for forward in [true, false] {
            let mem = Mem::new(built.clone());
            let tree = tree::<WORDS>(&mem, None);
            let mut cursor = Cursor::default();
            cursor.reset(Range::ALL);
            let mut found = Vec::new();
            let next = |cursor: &mut Cursor<WORDS>| loop {
                if let Some(entry) = cursor.step(forward) {
                    return Some(entry);
                }
                if !cursor.has_more(forward) {
                    return None;
                }
                drop(cursor.load(&tree, forward).unwrap());
            };
            for _ in 0..stop {
                found.extend(next(&mut cursor));
            }
            let mut now = set.clone();
            let before = count(&mem);
            vacuum(&mem, &mut now, |entry| !stays(&entry));
            vacuum(&mem, &mut now, |_| false);
            counted += count(&mem) - before;
            let free = check_free(&mem);
            assert!(free > 5, "{free}");
            for i in 0..1000 {
                // At both ends of the key space: pages from the middle are recycled there.
                let new = entry(if i % 2 == 0 { i } else { 7_000_000 + i }, 4000 + i);
                tree.insert(new, FILL).unwrap();
            }
            assert!(check_free(&mem) < free);
            while let Some(entry) = next(&mut cursor) {
                found.push(entry);
            }
            if !forward {
                found.reverse();
            }
            assert!(
                found.is_sorted_by(|a, b| a < b),
                "stopped at {stop}, {forward}"
            );
            found.retain(|entry| set.contains(entry));
            let old: Vec<_> = found.iter().filter(stays).copied().collect();
            assert!(old == kept, "stopped at {stop}, {forward}");
            assert_eq!(mem.breaches(), Vec::<String>::new());
        }
    }
    counted
}

/// On real locks: writers, a VACUUM that joins most pages, and scans in both directions that keep
/// each page pinned while they use the entries that they copied from it. As long as an entry is in
/// use, no VACUUM may end that deletes it.
#[test]
fn threads_agree_while_pages_are_joined() {
    for (seed, pattern) in (60..).zip(PATTERNS) {
        println!("seed {seed}, {pattern:?}");
        let mem = empty::<WORDS>();
        let kept = Mutex::new(Set::<WORDS>::new());
        let gone = Mutex::new(HashSet::<u64>::new());
        let (stop, freed) = (AtomicBool::new(false), AtomicU64::new(0));
        let dies = |tie: u64| tie >> 16 >= 1 << 20;
        thread::scope(|scope| {
            let writers: Vec<_> = (0..2u64)
                .map(|number| {
                    let (mem, kept) = (&mem, &kept);
                    scope.spawn(move || {
                        let mut rng = Rng::new(seed * 10 + number);
                        let tree = tree::<WORDS>(mem, None);
                        for i in 0..3000 {
                            let mut new = pattern.entry::<WORDS>(2 * i + number, &mut rng);
                            let stays = rng.chance(7);
                            let block = if stays { i } else { 1 << 20 | i };
                            new.tie = tie_of(block as u32, number as u16 + 1);
                            tree.insert(new, FILL).unwrap();
                            if stays {
                                kept.lock().unwrap().insert(new);
                            }
                        }
                    })
                })
                .collect();
            for forward in [true, false] {
                let (mem, kept, gone, stop) = (&mem, &kept, &gone, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let tree = tree::<WORDS>(mem, None);
                        let there = kept.lock().unwrap().clone();
                        let mut cursor = Cursor::default();
                        cursor.reset(Range::ALL);
                        let mut found = Vec::new();
                        while cursor.has_more(forward) {
                            let pin = mem.pin(cursor.load(&tree, forward).unwrap());
                            thread::yield_now();
                            let gone = gone.lock().unwrap();
                            let lost = cursor.batch().iter().any(|e| gone.contains(&e.tie));
                            assert!(!lost, "an entry in use was deleted");
                            drop(gone);
                            found.extend_from_slice(cursor.batch());
                            drop(pin);
                        }
                        let sorted = found.is_sorted_by(|a, b| (a < b) == forward && a != b);
                        assert!(sorted, "a scan is out of order");
                        let found: Set<_> = found.into_iter().collect();
                        assert!(there.is_subset(&found), "a scan missed entries");
                    }
                });
            }
            scope.spawn(|| {
                let tree = tree::<WORDS>(&mem, None);
                while !stop.load(Ordering::Relaxed) {
                    let mut deleted = Vec::new();
                    let mut dead = |tie: u64| {
                        let dead = dies(tie);
                        deleted.extend(dead.then_some(tie));
                        dead
                    };
                    let done = tree.vacuum(&mut dead, true).unwrap();
                    gone.lock().unwrap().extend(deleted);
                    freed.fetch_add(done.freed, Ordering::Relaxed);
                    tree.sweep(&mut |_| ()).unwrap();
                }
            });
            for writer in writers {
                writer.join().unwrap();
            }
            stop.store(true, Ordering::Relaxed);
        });
        let mut kept = kept.into_inner().unwrap();
        let all = tree::<WORDS>(&mem, None)
            .vacuum(&mut |tie: u64| dies(tie), true)
            .unwrap();
        assert_eq!(all.live, kept.len() as u64);
        let report = vacuum(&mem, &mut kept, |_| false);
        assert!(freed.into_inner() + all.freed > 10, "{report:?}");
    }
}

//! Leaves and inner pages that VACUUM merges away.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;
use crate::cursor::Cursor;
use crate::page::{Block, Kind, MERGED_FILL};
use crate::range::Range;
use crate::store::Store;

/// Those whose keys take some room.
pub(super) const PATTERNS: [Pattern; 4] = [
    Pattern::Ascending,
    Pattern::Descending,
    Pattern::Random,
    Pattern::Groups,
];

/// Vacuums, and compares with the set.
pub(super) fn vacuum(
    mem: &Mem,
    set: &mut Set<WORDS>,
    dead: impl Fn(&Entry<WORDS>) -> bool,
) -> TreeReport {
    let ties: HashSet<u64> = set.iter().filter(|e| dead(e)).map(|e| e.tie).collect();
    set.retain(|entry| !dead(entry));
    let (free, blocks) = (check_free(mem), mem.pages().len() as u64);
    let done = tree::<WORDS>(mem, None)
        .vacuum(&mut |tie: u64| ties.contains(&tie), true)
        .unwrap();
    let report = check(mem, set);
    assert_eq!(
        (done.live, done.removed),
        (set.len() as u64, ties.len() as u64)
    );
    assert_eq!(done.leaves, report.leaves);
    // The index may have grown by a page in which entries were shifted.
    let grown = mem.pages().len() as u64 - blocks;
    assert_eq!(free + grown + done.freed, check_free(mem));
    assert_eq!(report.incomplete, 0);
    report
}

fn check_free(mem: &Mem) -> u64 {
    let free = |page: &&std::sync::Arc<crate::Page>| crate::page::kind(page) == Some(Kind::Free);
    mem.pages().iter().filter(free).count() as u64
}

#[test]
fn an_emptied_index_is_one_leaf_again() {
    for (seed, pattern) in (0..).zip(PATTERNS) {
        let mut rng = Rng::new(seed);
        let mut set: Set<WORDS> = (0..6000).map(|i| pattern.entry(i, &mut rng)).collect();
        let mem = build(&set);
        let full = check(&mem, &set);
        assert!(full.height > 2, "{full:?}");
        // Neighbours below different parents wait until the parents are one.
        let mut last = u64::MAX;
        loop {
            let report = vacuum(&mem, &mut set, |_| true);
            if report.leaves == last {
                break;
            }
            last = report.leaves;
        }
        let report = check(&mem, &set);
        assert_eq!(
            (report.leaves, report.height, report.inner_pages),
            (1, 1, 0)
        );
        // And it fills up again from its own pages.
        let blocks = mem.blocks().unwrap();
        let tree = tree::<WORDS>(&mem, None);
        for i in 0..2000 {
            let new = pattern.entry(i, &mut rng);
            if set.insert(new) {
                tree.insert(new, FILL).unwrap();
            }
        }
        check(&mem, &set);
        assert_eq!(mem.blocks().unwrap(), blocks);
    }
}

/// What is deleted at random leaves no more than a few sparse pages.
#[test]
fn sparse_neighbours_are_merged() {
    for (seed, pattern) in (0..).zip(PATTERNS) {
        let mut rng = Rng::new(seed);
        let mut set: Set<WORDS> = (0..3000).map(|i| pattern.entry(i, &mut rng)).collect();
        let mem = build(&set);
        let before = check(&mem, &set);
        let mut last = before;
        for _ in 0..8 {
            let chosen: HashSet<u64> = set
                .iter()
                .map(|e| e.tie)
                .filter(|_| rng.chance(30))
                .collect();
            last = vacuum(&mem, &mut set, |entry| chosen.contains(&entry.tie));
        }
        let fresh = check(&build(&set), &set);
        // Pairs are more than 70 % full, so each is on average more than 35 %.
        assert!(
            last.leaves <= 3 * fresh.leaves + before.leaves / FANOUT as u64,
            "{pattern:?}: {} leaves became {}, anew {}",
            before.leaves,
            last.leaves,
            fresh.leaves
        );
        assert!(last.leaves < before.leaves, "{last:?}");
    }
}

#[test]
fn a_sliding_window_does_not_grow() {
    for pattern in [Pattern::Ascending, Pattern::Descending, Pattern::Groups] {
        let mem = empty::<WORDS>();
        let mut rng = Rng::new(3);
        let mut window = std::collections::VecDeque::new();
        let mut set = Set::new();
        let mut sizes = Vec::new();
        for round in 0..120 {
            let tree = tree::<WORDS>(&mem, None).with_inner_limit(8);
            for i in 0..400 {
                let mut new = pattern.entry::<WORDS>(round * 400 + i, &mut rng);
                new.tie = tie_of((round * 400 + i) as u32, 1);
                tree.insert(new, FILL).unwrap();
                set.insert(new);
                window.push_back(new.tie);
            }
            let count = window.len().saturating_sub(2000);
            let old: HashSet<u64> = window.drain(..count).collect();
            set.retain(|entry| !old.contains(&entry.tie));
            tree.vacuum(&mut |tie: u64| old.contains(&tie), true)
                .unwrap();
            check(&mem, &set);
            sizes.push(mem.blocks().unwrap());
        }
        let (early, late) = (sizes[59], sizes[119]);
        assert!(late <= early + early / 10 + 2, "{pattern:?}: {sizes:?}");
    }
}

/// Deletes and vacuums alone; a crash after each record.
#[test]
fn every_record_of_a_merge_leaves_a_sound_tree() {
    let mut records = [0; 5];
    for (seed, pattern) in (0..).zip(PATTERNS) {
        let mut rng = Rng::new(seed);
        let mut set: Set<WORDS> = (0..2500).map(|i| pattern.entry(i, &mut rng)).collect();
        let mem = build(&set);
        let mut kept = set.clone();
        for percent in [30, 60, 90, 100] {
            let chosen: HashSet<u64> = set
                .iter()
                .map(|e| e.tie)
                .filter(|_| rng.chance(percent))
                .collect();
            vacuum(&mem, &mut set, |entry| chosen.contains(&entry.tie));
            if percent < 90 {
                kept = set.clone();
            }
        }
        let mut pages = mem.base();
        let mut found = Set::new();
        for record in mem.log() {
            let before = std::mem::take(&mut found);
            record.redo(&mut pages);
            records[record.blocks().count()] += 1;
            let after = Mem::new(pages.clone());
            let tree = tree::<WORDS>(&after, None);
            let report = tree.verify(&mut |e| assert!(found.insert(*e))).unwrap();
            assert_eq!(report.incomplete, 0);
            assert!(
                before.is_empty() || found.is_subset(&before),
                "an entry has come back"
            );
            assert!(set.is_subset(&found), "an entry is missing");
            if rng.chance(5) {
                let mut found = found.clone();
                for i in 10_000..10_020 {
                    let new = pattern.entry(i, &mut rng);
                    if found.insert(new) {
                        tree.insert(new, FILL).unwrap();
                    }
                }
                check(&after, &found);
                vacuum(&after, &mut found, |entry| entry.tie % 3 > 0);
            }
        }
        assert!(kept.len() > set.len());
    }
    // Removals; roots given up; merges.
    assert!(
        records[1] > 0 && records[2] > 0 && records[3] > 0,
        "{records:?}"
    );
}

/// A vacuum that fails between two records, or is cancelled, leaves work for the next.
#[test]
fn a_vacuum_may_fail_anywhere() {
    for (seed, pattern) in (0..).zip(PATTERNS) {
        let mut rng = Rng::new(seed);
        let mut set: Set<WORDS> = (0..2500).map(|i| pattern.entry(i, &mut rng)).collect();
        let mem = build(&set);
        let chosen: HashSet<u64> = set
            .iter()
            .map(|e| e.tie)
            .filter(|_| rng.chance(95))
            .collect();
        let mut tries = 0;
        loop {
            mem.fail_after(Some(3));
            let tree = tree::<WORDS>(&mem, None);
            let result = tree.vacuum(&mut |tie: u64| chosen.contains(&tie), true);
            mem.fail_after(None);
            tries += 1;
            let mut found = Set::new();
            tree.verify(&mut |e| assert!(found.insert(*e))).unwrap();
            assert!(found.is_subset(&set) && found.len() + chosen.len() >= set.len());
            if result.is_ok() {
                break;
            }
        }
        assert!(tries > 5, "{tries}");
        set.retain(|entry| !chosen.contains(&entry.tie));
        check(&mem, &set);
    }
}

/// Scans in both directions stop anywhere, pages are merged away and used again for other keys, and
/// the scans go on: they find each entry that stays exactly once.
#[test]
fn scans_survive_merging_and_reuse() {
    let reused = scans_survive(&build, |entry| entry.tie % 16 == 5, &check_free);
    assert!(reused > 300, "{reused}");
}

/// The same with entries that `stays` says so of. `count` is asked before VACUUM, and what it rose by is added up.
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
        for ahead in [true, false] {
            let mem = Mem::new(built.clone());
            let tree = tree::<WORDS>(&mem, None);
            let mut cursor = Cursor::default();
            cursor.reset(Range::ALL);
            let mut found = Vec::new();
            let next = |cursor: &mut Cursor<WORDS>| loop {
                if let Some(entry) = cursor.step(ahead) {
                    return Some(entry);
                }
                if !cursor.has_more(ahead) {
                    return None;
                }
                drop(cursor.load(&tree, ahead).unwrap());
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
                // At both ends: what was a page in the middle becomes one there.
                let new = entry(if i % 2 == 0 { i } else { 7_000_000 + i }, 4000 + i);
                tree.insert(new, FILL).unwrap();
            }
            assert!(check_free(&mem) < free);
            while let Some(entry) = next(&mut cursor) {
                found.push(entry);
            }
            if !ahead {
                found.reverse();
            }
            assert!(
                found.is_sorted_by(|a, b| a < b),
                "stopped at {stop}, {ahead}"
            );
            found.retain(|entry| set.contains(entry));
            let old: Vec<_> = found.iter().filter(stays).copied().collect();
            assert!(old == kept, "stopped at {stop}, {ahead}");
            assert_eq!(mem.breaches(), Vec::<String>::new());
        }
    }
    counted
}

/// As long as somebody has a leaf pinned, it stays, and what was copied from it, too.
#[test]
fn a_pinned_leaf_is_not_merged_away() {
    let mut set: Set<WORDS> = (0..600).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    // Sparse, but in this one nothing dies.
    let second = {
        let first = tree::<WORDS>(&mem, None).find(&Entry::MIN).unwrap();
        crate::page::right(&first).unwrap()
    };
    let (low, high) = {
        let page = mem.read(second).unwrap();
        crate::fences::of::<WORDS>(&page, second, 0)
            .unwrap()
            .unwrap()
    };
    let pin = mem.pin(mem.read(second).unwrap());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            vacuum(&mem, &mut set, |entry| *entry < low || high <= *entry);
            done.store(true, Ordering::SeqCst);
        });
        thread::sleep(std::time::Duration::from_millis(300));
        assert!(!done.load(Ordering::SeqCst));
        let page = mem.read(second).unwrap();
        assert!(crate::fences::of::<WORDS>(&page, second, 0).unwrap() == Some((low, high)));
        drop(page);
        drop(pin);
    });
    assert!(done.into_inner());
}

/// Fences and block of a leaf.
pub(super) fn place(mem: &Mem, block: Block) -> (Entry<WORDS>, Entry<WORDS>, Block) {
    let page = mem.read(block).unwrap();
    let (low, high) = crate::fences::of(&page, block, 0).unwrap().unwrap();
    (low, high, block)
}

/// Leaves no more than five entries in a leaf.
fn thin_out(mem: &Mem, block: Block) {
    let mut left = 5;
    let mut dead = |_: u64| {
        left -= 1;
        left < 0
    };
    tree::<WORDS>(mem, None).purge(block, &mut dead).unwrap();
}

/// A scan may come to a leaf after VACUUM has, and before it is merged away: what it copies would be out of
/// reach of the next VACUUM's wait.
#[test]
fn a_leaf_pinned_after_vacuum_is_not_merged_away() {
    let set: Set<WORDS> = (0..600).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    let tree = tree::<WORDS>(&mem, None);
    let left = tree.find(&Entry::MIN).unwrap().block();
    let right = crate::page::right(&mem.read(left).unwrap()).unwrap();
    thin_out(&mem, left);
    thin_out(&mem, right);
    let fence = place(&mem, right).0;
    let pin = mem.pin(mem.read(right).unwrap());
    assert!(!tree.merge_leaves(left, right, &fence, MERGED_FILL).unwrap());
    drop(pin);
    assert!(tree.merge_leaves(left, right, &fence, MERGED_FILL).unwrap());
}

/// An index and its entries; three leaves side by side of which the middle one's split is incomplete, and where the middle
/// and the right one begin.
pub(super) fn incomplete_split() -> (Mem, Set<WORDS>, [Block; 3], [Entry<WORDS>; 2]) {
    let mut set: Set<WORDS> = (0..600).map(|i| entry(1000 * i, i)).collect();
    let mem = build(&set);
    let tree = tree::<WORDS>(&mem, None);
    let left = tree.find(&Entry::MIN).unwrap().block();
    let (fence, _, middle) = place(&mem, crate::page::right(&mem.read(left).unwrap()).unwrap());
    for i in 1.. {
        let mut new = fence;
        new.key[0] += 1 + i;
        mem.fail_after(Some(1));
        let done = tree.insert(new, FILL);
        mem.fail_after(None);
        set.insert(new);
        if done.is_err() {
            break;
        }
    }
    assert_eq!(check(&mem, &set).incomplete, 1);
    let (_, high, _) = place(&mem, middle);
    let right = crate::page::right(&mem.read(middle).unwrap()).unwrap();
    (mem.clone(), set, [left, middle, right], [fence, high])
}

/// The right one of a split's halves has no downlink yet, and the left one's mark is all that tells.
#[test]
fn halves_of_an_incomplete_split_are_not_merged() {
    let (mem, set, [left, middle, right], [fence, high]) = incomplete_split();
    let tree = tree::<WORDS>(&mem, None);
    for block in [left, middle, right] {
        thin_out(&mem, block);
    }
    assert!(
        !tree
            .merge_leaves(left, middle, &fence, MERGED_FILL)
            .unwrap()
    );
    assert!(
        !tree
            .merge_leaves(middle, right, &high, MERGED_FILL)
            .unwrap()
    );
    let mut left_over = Set::new();
    tree.verify(&mut |entry| assert!(left_over.insert(*entry)))
        .unwrap();
    let leaves = vacuum(&mem, &mut left_over, |_| false).leaves;
    assert!(leaves < check(&build(&set), &set).leaves);
}

/// However full its neighbours are.
#[test]
fn an_empty_leaf_goes() {
    let mut set: Set<WORDS> = (0..3000).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    let before = check(&mem, &set).leaves;
    for wanted in [400, 1100, 1700, 2500] {
        let block = tree::<WORDS>(&mem, None)
            .find(&entry(wanted, 0))
            .unwrap()
            .block();
        let (low, high, _) = place(&mem, block);
        vacuum(&mem, &mut set, |entry| low <= *entry && *entry < high);
    }
    assert!(check(&mem, &set).leaves <= before - 3);
}

/// An inner page is not used again as long as somebody holds a page who did so when it was freed.
#[test]
fn a_freed_inner_page_waits() {
    let mut set: Set<WORDS> = (0..3000).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    let model = mem
        .pages()
        .iter()
        .position(|page| crate::page::kind(page) == Some(Kind::Model));
    let held = mem.read(model.unwrap() as Block).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| vacuum(&mem, &mut set, |entry| entry.key[0] % 64 > 0));
    });
    let pages = mem.pages();
    let freed: Vec<_> = (0..)
        .zip(&pages)
        .filter(|(_, page)| crate::page::kind(page) == Some(Kind::Free))
        .map(|(block, page)| (block, crate::page::freed_at(page)))
        .collect();
    let inner = |block: Block| freed.iter().any(|(b, moment)| *b == block && *moment > 0);
    let leaves = freed.iter().filter(|(_, moment)| *moment == 0).count();
    assert!(leaves > 5 && freed.len() > leaves + 3, "{freed:?}");
    thread::scope(|scope| {
        scope.spawn(|| {
            let tree = tree::<WORDS>(&mem, None);
            let swept = tree.sweep(&mut |block| assert!(!inner(block))).unwrap();
            assert_eq!(swept.waiting + swept.free, freed.len() as u64);
            let all: Vec<_> = (0..leaves + 3).map(|_| mem.allocate().unwrap()).collect();
            assert!(all.iter().all(|page| !inner(page.block())));
        });
    });
    drop(held);
    let all: Vec<_> = freed.iter().map(|_| mem.allocate().unwrap()).collect();
    assert!(all.iter().any(|page| inner(page.block())));
}

/// Writers, VACUUM that merges most pages, scans in both directions that keep each page pinned while they
/// use what they copied from it, on real locks. As long as an entry is in use, no VACUUM that removes it may end.
#[test]
fn threads_agree_while_pages_are_merged() {
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
            for ahead in [true, false] {
                let (mem, kept, gone, stop) = (&mem, &kept, &gone, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let tree = tree::<WORDS>(mem, None);
                        let there = kept.lock().unwrap().clone();
                        let mut cursor = Cursor::default();
                        cursor.reset(Range::ALL);
                        let mut found = Vec::new();
                        while cursor.has_more(ahead) {
                            let pin = mem.pin(cursor.load(&tree, ahead).unwrap());
                            thread::yield_now();
                            let gone = gone.lock().unwrap();
                            let lost = cursor.batch().iter().any(|e| gone.contains(&e.tie));
                            assert!(!lost, "an entry in use was removed");
                            drop(gone);
                            found.extend_from_slice(cursor.batch());
                            drop(pin);
                        }
                        let sorted = found.is_sorted_by(|a, b| (a < b) == ahead && a != b);
                        assert!(sorted, "a scan is out of order");
                        let found: Set<_> = found.into_iter().collect();
                        assert!(there.is_subset(&found), "a scan missed entries");
                    }
                });
            }
            scope.spawn(|| {
                let tree = tree::<WORDS>(&mem, None);
                while !stop.load(Ordering::Relaxed) {
                    let mut removed = Vec::new();
                    let mut dead = |tie: u64| {
                        let dead = dies(tie);
                        removed.extend(dead.then_some(tie));
                        dead
                    };
                    let done = tree.vacuum(&mut dead, true).unwrap();
                    gone.lock().unwrap().extend(removed);
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

/// In a sliding window the number of leaves stays, but not which they are.
#[test]
fn a_model_goes_stale_in_a_sliding_window() {
    let mut set: Set<WORDS> = (0..3000).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    let tree = tree::<WORDS>(&mem, None);
    let trained = |set: &Set<WORDS>| {
        assert!(tree.is_model_stale().unwrap());
        tree.retrain(0).unwrap();
        assert!(!tree.is_model_stale().unwrap());
        check(&mem, set)
    };
    assert!(!tree.is_model_stale().unwrap());
    let before = check(&mem, &set).leaves;
    for i in 3000..4000 {
        tree.insert(entry(i, i), FILL).unwrap();
        set.insert(entry(i, i));
    }
    vacuum(&mem, &mut set, |entry| entry.key[0] < 1500);
    let after = trained(&set).leaves;
    assert!(
        after.abs_diff(before) * 10 < before,
        "{before} leaves became {after}"
    );
    // What the model knows and the tree has no more is as bad.
    vacuum(&mem, &mut set, |entry| (500..3000).contains(&entry.key[0]));
    trained(&set);
    while check(&mem, &set).leaves > 1 {
        vacuum(&mem, &mut set, |_| true);
    }
    assert_eq!(trained(&set).model_leaves, 1);
}

#[test]
fn leaves_that_scans_emptied_are_merged() {
    for (seed, pattern) in (0..).zip(PATTERNS) {
        let mut rng = Rng::new(seed);
        let mut set: Set<WORDS> = (0..6000).map(|i| pattern.entry(i, &mut rng)).collect();
        let mem = build(&set);
        let full = check(&mem, &set);
        let mut low = Entry::MIN;
        while low < Entry::MAX {
            let tree = tree::<WORDS>(&mem, None);
            let leaf = tree.find(&low).unwrap();
            let (_, high) = crate::fences::of(&leaf, leaf.block(), 0).unwrap().unwrap();
            let block = leaf.block();
            drop(leaf);
            let entries = set.range(low..high).enumerate();
            let dead: Vec<_> = entries
                .filter(|(i, _)| i % 10 > 0)
                .map(|(_, e)| *e)
                .collect();
            tree.delete(block, &dead).unwrap();
            dead.iter().for_each(|e| assert!(set.remove(e)));
            low = high;
        }
        check(&mem, &set);
        let report = vacuum(&mem, &mut set, |_| false);
        // Only leaves with the same parent are merged, and parents have two or three.
        assert!(report.leaves * 3 < full.leaves * 2, "{report:?}, {full:?}");
    }
}

//! Leaves and inner pages that VACUUM joins.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;
use crate::page::{Block, Kind};
use crate::policy::tree::MAX_JOINED_PERCENT;
use crate::store::Store;

/// The patterns whose keys are not compressed to nearly nothing.
pub(super) const PATTERNS: [Pattern; 4] = [
    Pattern::Ascending,
    Pattern::Descending,
    Pattern::Random,
    Pattern::Groups,
];

/// Vacuums, and compares the index with the set.
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
        (done.live, done.deleted),
        (set.len() as u64, ties.len() as u64)
    );
    assert_eq!(done.leaves, report.leaves);
    // The index may have grown by a page for shifted entries.
    let grown = mem.pages().len() as u64 - blocks;
    assert_eq!(free + grown + done.freed, check_free(mem));
    assert_eq!(report.incomplete, 0);
    report
}

pub(super) fn check_free(mem: &Mem) -> u64 {
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
        // Neighbours below different parents are joined after the parents.
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
        // The index recycles its own pages when it fills up again.
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

/// Random deletions leave only a few sparse pages.
#[test]
fn sparse_neighbours_are_joined() {
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
        // Pairs of neighbours take more than 70 % of a page, so that each takes more than 35 % on
        // average.
        assert!(
            last.leaves <= 3 * fresh.leaves + before.leaves / FANOUT as u64,
            "{pattern:?}: {} leaves became {}, a build has {}",
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

/// Only deletions and vacuums; a crash after each record.
#[test]
fn every_record_of_a_join_leaves_a_sound_tree() {
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
    // Deletions, freed roots, joins.
    assert!(
        records[1] > 0 && records[2] > 0 && records[3] > 0,
        "{records:?}"
    );
}

/// A VACUUM that fails or is cancelled between two records leaves work for the next one.
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

/// As long as a backend has a leaf pinned, the leaf stays, and so do the entries that the backend
/// has copied.
#[test]
fn a_pinned_leaf_is_not_freed() {
    let mut set: Set<WORDS> = (0..600).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    // All other leaves become sparse; in this one nothing dies.
    let second = {
        let first = tree::<WORDS>(&mem, None).find(&Entry::MIN).unwrap();
        crate::page::right(&first).unwrap()
    };
    let (low, high) = {
        let page = mem.read(second).unwrap();
        crate::fences::read::<WORDS>(&page, second, 0)
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
        assert!(crate::fences::read::<WORDS>(&page, second, 0).unwrap() == Some((low, high)));
        drop(page);
        drop(pin);
    });
    assert!(done.into_inner());
}

/// Fences and block of a leaf.
pub(super) fn place(mem: &Mem, block: Block) -> (Entry<WORDS>, Entry<WORDS>, Block) {
    let page = mem.read(block).unwrap();
    let (low, high) = crate::fences::read(&page, block, 0).unwrap().unwrap();
    (low, high, block)
}

/// Deletes all but five entries of a leaf.
fn thin_out(mem: &Mem, block: Block) {
    let mut left = 5;
    let mut dead = |_: u64| {
        left -= 1;
        left < 0
    };
    tree::<WORDS>(mem, None)
        .delete_dead(block, &mut dead)
        .unwrap();
}

/// A scan may pin a leaf after VACUUM has passed it and before it would be freed. The next VACUUM
/// would not wait for the entries that this scan copies.
#[test]
fn a_leaf_pinned_after_vacuum_is_not_freed() {
    let set: Set<WORDS> = (0..600).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    let tree = tree::<WORDS>(&mem, None);
    let left = tree.find(&Entry::MIN).unwrap().block();
    let right = crate::page::right(&mem.read(left).unwrap()).unwrap();
    thin_out(&mem, left);
    thin_out(&mem, right);
    let fence = place(&mem, right).0;
    let pin = mem.pin(mem.read(right).unwrap());
    assert!(
        !tree
            .join_leaves(left, right, &fence, MAX_JOINED_PERCENT)
            .unwrap()
    );
    drop(pin);
    assert!(
        tree.join_leaves(left, right, &fence, MAX_JOINED_PERCENT)
            .unwrap()
    );
}

/// An index and its entries; three neighbouring leaves, of which the middle one is an incomplete
/// split; and the low fences of the middle and the right one.
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

/// The right half of an incomplete split has no downlink yet, and only the flag of the left half
/// says so.
#[test]
fn halves_of_an_incomplete_split_are_not_joined() {
    let (mem, set, [left, middle, right], [fence, high]) = incomplete_split();
    let tree = tree::<WORDS>(&mem, None);
    for block in [left, middle, right] {
        thin_out(&mem, block);
    }
    assert!(
        !tree
            .join_leaves(left, middle, &fence, MAX_JOINED_PERCENT)
            .unwrap()
    );
    assert!(
        !tree
            .join_leaves(middle, right, &high, MAX_JOINED_PERCENT)
            .unwrap()
    );
    let mut left_over = Set::new();
    tree.verify(&mut |entry| assert!(left_over.insert(*entry)))
        .unwrap();
    let leaves = vacuum(&mem, &mut left_over, |_| false).leaves;
    assert!(leaves < check(&build(&set), &set).leaves);
}

/// An empty leaf is freed, however full its neighbours are.
#[test]
fn an_empty_leaf_is_freed() {
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

/// A freed inner page is not recycled as long as a backend holds a page that it already held then.
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

/// In a sliding window of keys the number of leaves stays the same, but other leaves hold the keys.
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
    // Leaves of the model that no longer exist count as well.
    vacuum(&mem, &mut set, |entry| (500..3000).contains(&entry.key[0]));
    trained(&set);
    while check(&mem, &set).leaves > 1 {
        vacuum(&mem, &mut set, |_| true);
    }
    assert_eq!(trained(&set).model_leaves, 1);
}

#[test]
fn leaves_that_scans_emptied_are_joined() {
    for (seed, pattern) in (0..).zip(PATTERNS) {
        let mut rng = Rng::new(seed);
        let mut set: Set<WORDS> = (0..6000).map(|i| pattern.entry(i, &mut rng)).collect();
        let mem = build(&set);
        let full = check(&mem, &set);
        let mut low = Entry::MIN;
        while low < Entry::MAX {
            let tree = tree::<WORDS>(&mem, None);
            let leaf = tree.find(&low).unwrap();
            let (_, high) = crate::fences::read(&leaf, leaf.block(), 0)
                .unwrap()
                .unwrap();
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
        // Only leaves below the same parent are joined, and a parent has two or three.
        assert!(report.leaves * 3 < full.leaves * 2, "{report:?}, {full:?}");
    }
}

//! Sparse leaves that VACUUM fills up from their right neighbours.

use std::collections::HashSet;

use super::join::{PATTERNS, incomplete_split, place, vacuum};
use super::join_threads::scans_survive;
use super::*;
use crate::inner::{self, Frame, Inner};
use crate::page::{self, Block};
use crate::store::{Change, Store};

/// An index with wide inner pages: few leaves are the first or the last below their parent.
fn wide<const W: usize>(set: &Set<W>) -> Mem {
    let mut pages = Pages::default();
    let mut builder = Builder::new(&mut pages, 97, *b"test key").with_inner_limit(12);
    set.iter().for_each(|e| builder.push(*e).unwrap());
    builder.finish(0).unwrap();
    Mem::new(pages.0)
}

/// The number of shifts: only these make records of four pages.
pub(super) fn shifts(mem: &Mem) -> usize {
    let log = mem.log();
    log.iter().filter(|r| r.blocks().count() == 4).count()
}

/// VACUUM of random entries, `percent` of all.
pub(super) fn thin(mem: &Mem, set: &mut Set<WORDS>, percent: u64, rng: &mut Rng) -> TreeReport {
    // In order, so that a seed always gives the same entries.
    let ties: BTreeSet<u64> = set.iter().map(|e| e.tie).collect();
    let chosen: BTreeSet<u64> = ties.into_iter().filter(|_| rng.chance(percent)).collect();
    vacuum(mem, set, |entry| chosen.contains(&entry.tie))
}

/// Two of these leaves do not fit on a page, so that joins alone would not make them fewer.
#[test]
fn half_empty_leaves_become_dense() {
    for (seed, pattern) in (0..).zip(PATTERNS) {
        let mut rng = Rng::new(seed);
        let mut set: Set<WORDS> = (0..6000).map(|i| pattern.entry(i, &mut rng)).collect();
        let mem = wide(&set);
        let before = check(&mem, &set).leaves;
        let after = thin(&mem, &mut set, 40, &mut rng).leaves;
        assert!(shifts(&mem) > 10, "{pattern:?}: {}", shifts(&mem));
        assert!(
            after * 10 < before * 8,
            "{pattern:?}: {before} leaves became {after}"
        );
    }
}

/// VACUUM frees room, so it must not need any: on a full disk leaves stay sparse.
#[test]
fn without_room_leaves_stay_sparse() {
    let mut rng = Rng::new(1);
    let mut set: Set<WORDS> = (0..6000).map(|i| entry(i, i)).collect();
    let mem = wide(&set);
    mem.limit_spare(Some(0));
    let blocks = mem.blocks().unwrap();
    thin(&mem, &mut set, 40, &mut rng);
    assert_eq!((shifts(&mem), mem.blocks().unwrap()), (0, blocks));
    mem.limit_spare(None);
    thin(&mem, &mut set, 5, &mut rng);
    assert!(shifts(&mem) > 0);
}

/// Random keys, with few parents. A part of the entries is replaced again and again.
#[test]
fn random_churn_keeps_leaves_dense() {
    let mut rng = Rng::new(5);
    let random = |i: u64, rng: &mut Rng| entry::<2>(rng.below(1 << 40), i);
    let mut set: Set<2> = (0..20_000).map(|i| random(i, &mut rng)).collect();
    let mem = wide(&set);
    let tree = Tree::<_, 2>::new(&mem);
    let fresh = check(&mem, &set).leaves;
    let mut next = 20_000;
    for round in 0..6 {
        let dead: HashSet<u64> = set
            .iter()
            .map(|e| e.tie)
            .filter(|_| rng.chance(20))
            .collect();
        for _ in 0..dead.len() {
            let new = random(next, &mut rng);
            next += 1;
            set.insert(new);
            tree.insert(new, FILL).unwrap();
        }
        tree.vacuum(&mut |tie: u64| dead.contains(&tie), true)
            .unwrap();
        set.retain(|e| !dead.contains(&e.tie));
        let now = check(&mem, &set).leaves;
        assert!(
            now * 100 <= fresh * 125,
            "round {round}: {now} leaves, fresh {fresh}"
        );
    }
    // The index is dense now: a VACUUM that deletes little rewrites only the leaves that it deletes
    // from.
    let before = shifts(&mem);
    let dead: HashSet<u64> = set
        .iter()
        .map(|e| e.tie)
        .filter(|_| rng.chance(2))
        .collect();
    tree.vacuum(&mut |tie: u64| dead.contains(&tie), true)
        .unwrap();
    assert!(shifts(&mem) < before + fresh as usize / 20);
    // The next VACUUM clears flags.
    tree.vacuum(&mut |_: u64| false, true).unwrap();
    let records = mem.log_len();
    tree.vacuum(&mut |_: u64| false, true).unwrap();
    assert_eq!(mem.log_len(), records);
}

/// Splits leave pages half full for the entries to come.
#[test]
fn an_index_that_only_grows_is_left_alone() {
    let mut rng = Rng::new(1);
    let mem = empty::<WORDS>();
    let tree = tree::<WORDS>(&mem, None);
    for i in 0..3000 {
        let new = Pattern::Random.entry(i, &mut rng);
        tree.insert(new, FILL).unwrap();
    }
    let leaves = tree.vacuum(&mut |_: u64| false, false).unwrap().leaves;
    assert_eq!(
        tree.vacuum(&mut |_: u64| false, true).unwrap().leaves,
        leaves
    );
    assert_eq!(shifts(&mem), 0);
}

/// A crash after each record, and more work after some of them.
#[test]
fn every_record_of_a_shift_leaves_a_sound_tree() {
    let mut hit = 0;
    for (seed, pattern) in (0..).zip(PATTERNS) {
        let mut rng = Rng::new(seed);
        let mut set: Set<WORDS> = (0..2500).map(|i| pattern.entry(i, &mut rng)).collect();
        let mem = wide(&set);
        let all = set.clone();
        for percent in [40, 10, 10, 20] {
            thin(&mem, &mut set, percent, &mut rng);
        }
        let mut pages = mem.base();
        let mut before = all;
        for record in mem.log() {
            record.redo(&mut pages);
            let shift = record.blocks().count() == 4;
            hit += u64::from(shift);
            let after = Mem::new(pages.clone());
            let tree = tree::<WORDS>(&after, None);
            let mut found = Set::new();
            let report = tree.verify(&mut |e| assert!(found.insert(*e))).unwrap();
            assert_eq!(report.incomplete, 0);
            assert!(found.is_subset(&before), "an entry has come back");
            assert!(!shift || found == before, "an entry is lost");
            assert!(set.is_subset(&found), "an entry is missing");
            if shift && rng.chance(20) {
                crash::continue_work(&after, found.clone(), pattern, &mut rng);
            }
            before = found;
        }
    }
    assert!(hit > 50, "{hit}");
}

#[test]
fn scans_survive_shifts_and_recycling() {
    let moved = scans_survive(&wide, |entry| entry.tie % 16 < 10, &|mem| {
        shifts(mem) as u64
    });
    assert!(moved > 300, "{moved}");
}

/// An index, two neighbouring leaves that are half full, and the fence between them.
pub(super) fn halves(set: &Set<WORDS>) -> (Mem, Block, Block, Entry<WORDS>) {
    let mem = build(set);
    let left = tree::<WORDS>(&mem, None).find(&Entry::MIN).unwrap().block();
    let right = page::right(&mem.read(left).unwrap()).unwrap();
    for block in [left, right] {
        let deleted = tree::<WORDS>(&mem, None).delete_dead(block, &mut |tie: u64| tie % 16 < 6);
        assert!(deleted.unwrap() > 0);
    }
    let fence = place(&mem, right).0;
    (mem, left, right, fence)
}

/// The next VACUUM would not wait for a scan whose copied entries have left the leaf that it has
/// pinned.
#[test]
fn nothing_is_shifted_from_a_pinned_leaf() {
    let (mem, left, right, fence) = halves(&(0..600).map(|i| entry(i, i)).collect());
    let tree = tree::<WORDS>(&mem, None);
    let pin = mem.pin(mem.read(right).unwrap());
    assert!(tree.shift_left(left, right, &fence).unwrap().is_none());
    drop(pin);
    // The left one may be pinned.
    let _pin = mem.pin(mem.read(left).unwrap());
    let (_, rest) = tree.shift_left(left, right, &fence).unwrap().unwrap();
    assert_eq!(place(&mem, left).1, rest.low);
    assert_eq!(place(&mem, rest.block).0, rest.low);
    assert!(place(&mem, left).1 > fence);
    // The right leaf no longer exists, so nothing is shifted.
    assert!(tree.shift_left(left, right, &fence).unwrap().is_none());
}

#[test]
fn the_first_leaf_below_a_parent_stays() {
    let set: Set<WORDS> = (0..1500).map(|i| entry(i, i)).collect();
    let (mem, ..) = halves(&set);
    let tree = tree::<WORDS>(&mem, None);
    let (mut kept, mut low) = (0, Entry::MIN);
    loop {
        let left = tree.find(&low).unwrap();
        let (block, right) = (left.block(), page::right(&left));
        drop(left);
        let Some(right) = right else { break };
        low = place(&mem, right).0;
        let parent = tree.find_on_level(&crate::tree::descend::SearchTarget::covering(&low), 1);
        let parent = parent.unwrap().unwrap();
        let first = Inner::<WORDS>::open(&parent, parent.block()).unwrap();
        let first = first.frame().low == low;
        drop(parent);
        if first {
            kept += 1;
            for block in [block, right] {
                tree.delete_dead(block, &mut |tie: u64| tie % 16 < 6)
                    .unwrap();
            }
            let pages = mem.pages();
            assert!(tree.shift_left(block, right, &low).unwrap().is_none());
            assert!(mem.pages() == pages);
        }
    }
    assert!(kept > 3, "{kept}");
}

#[test]
fn halves_of_an_incomplete_split_are_left_alone() {
    let (mem, _, [left, middle, right], [fence, high]) = incomplete_split();
    let tree = tree::<WORDS>(&mem, None);
    tree.delete_dead(left, &mut |tie: u64| tie % 16 < 6)
        .unwrap();
    assert!(tree.shift_left(left, middle, &fence).unwrap().is_none());
    assert!(tree.shift_left(middle, right, &high).unwrap().is_none());
}

/// A parent without the downlink, or with another one, is damaged.
#[test]
fn only_a_downlink_that_is_there_is_changed() {
    let at = |n: u64| entry::<WORDS>(n, n);
    let frame = Frame {
        low: at(10),
        high: at(50),
        level: 1,
        right: Some(9),
        flags: 0,
    };
    let page = inner::build(&frame, &[(at(10), 1), (at(20), 2), (at(30), 3)]);
    let view = Inner::<WORDS>::open(&page, 7).unwrap();
    for (old, new) in [((20, 2), (25, 8)), ((30, 3), (49, 8))] {
        let change = view.relink((at(old.0), old.1), (at(new.0), new.1));
        let Change::Patch(patch) = change.unwrap() else {
            panic!("an image")
        };
        assert!(patch.len() <= 4 + Entry::<WORDS>::BYTES + 4);
        let mut changed = page.clone();
        patch.apply(&mut changed);
        let changed = Inner::<WORDS>::open(&changed, 7).unwrap();
        assert_eq!(changed.child_of(&at(new.0)), Some(new.1));
        assert_eq!(changed.child_of(&at(old.0)), None);
        assert_eq!(changed.len(), 3);
    }
    for (old, new) in [
        ((10, 1), (15, 8)),
        ((20, 3), (25, 8)),
        ((21, 2), (25, 8)),
        ((20, 2), (20, 8)),
        ((20, 2), (30, 8)),
        ((30, 3), (50, 8)),
    ] {
        let change = view.relink((at(old.0), old.1), (at(new.0), new.1));
        assert!(change.is_err(), "{old:?} {new:?}");
    }
}

/// Scans have left tombstones nearly everywhere; VACUUM finds a few more dead entries.
#[test]
fn tombstones_of_scans_do_not_keep_leaves() {
    let mut set: Set<WORDS> = (0..40_000)
        .map(|i| entry(i * 7919 % 40_009 * 1000, i))
        .collect();
    let mem = wide(&set);
    let tree = tree::<WORDS>(&mem, None);
    let before = check(&mem, &set).leaves;
    let mut low = Entry::MIN;
    while low < Entry::MAX {
        let block = tree.find(&low).unwrap().block();
        let (from, until, _) = place(&mem, block);
        let dead: Vec<_> = set
            .range(from..until)
            .filter(|e| e.tie % 16 > 0)
            .copied()
            .collect();
        tree.delete(block, &dead).unwrap();
        low = until;
    }
    set.retain(|e| e.tie % 16 == 0);
    assert_eq!(check(&mem, &set).leaves, before);
    let done = vacuum(&mem, &mut set, |e| e.tie % 64 == 0);
    assert!(
        done.leaves * 3 < before,
        "{before} leaves became {}",
        done.leaves
    );
}

/// Inserts delete the entries of dead rows from a leaf that they would have to split, and scans
/// delete them anywhere, so VACUUM finds none of them. It makes the leaves dense all the same,
/// once.
#[test]
fn leaves_thinned_by_others_become_dense() {
    for by_scans in [false, true] {
        let mut set: Set<WORDS> = (0..6000).map(|i| entry(i, i)).collect();
        let mem = wide(&set);
        let tree = tree::<WORDS>(&mem, None);
        let before = check(&mem, &set).leaves;
        let mut low = Entry::MIN;
        while low < Entry::MAX {
            let block = tree.find(&low).unwrap().block();
            let (from, until, _) = place(&mem, block);
            if by_scans {
                let dead = set.range(from..until).filter(|e| e.tie % 16 < 6);
                let dead: Vec<_> = dead.copied().collect();
                tree.delete(block, &dead).unwrap();
            } else {
                tree.delete_dead(block, &mut |tie: u64| tie % 16 < 6)
                    .unwrap();
            }
            low = until;
        }
        set.retain(|e| e.tie % 16 >= 6);
        let after = vacuum(&mem, &mut set, |_| false).leaves;
        assert!(
            shifts(&mem) > 10 && after * 10 < before * 8,
            "{before} leaves became {after}"
        );
        // The next VACUUM clears flags; the one after that changes nothing.
        tree.vacuum(&mut |_: u64| false, true).unwrap();
        let records = mem.log_len();
        tree.vacuum(&mut |_: u64| false, true).unwrap();
        assert_eq!(mem.log_len(), records);
    }
}

//! Sparse leaves that VACUUM fills up from their right neighbours.

use std::collections::HashSet;

use super::merge::{PATTERNS, incomplete_split, place, scans_survive, vacuum};
use super::*;
use crate::inner::{self, Frame, Inner};
use crate::page::{self, Block};
use crate::store::{Change, Store};
use crate::tree::{How, Splits};

/// Few leaves are the first or the last below their parent.
fn wide<const W: usize>(set: &Set<W>) -> Mem {
    let mut pages = Pages::default();
    let mut builder = Builder::new(&mut pages, 97, *b"test key").with_inner_limit(12);
    set.iter().for_each(|e| builder.push(*e).unwrap());
    builder.finish(0).unwrap();
    Mem::new(pages.0)
}

/// Records of four pages: nothing else makes them.
fn shifts(mem: &Mem) -> usize {
    let log = mem.log();
    log.iter().filter(|r| r.blocks().count() == 4).count()
}

/// Removes a part of the entries, chosen at random.
fn thin(mem: &Mem, set: &mut Set<WORDS>, percent: u64, rng: &mut Rng) -> TreeReport {
    // In order, so that a seed gives the same each time.
    let ties: BTreeSet<u64> = set.iter().map(|e| e.tie).collect();
    let chosen: BTreeSet<u64> = ties.into_iter().filter(|_| rng.chance(percent)).collect();
    vacuum(mem, set, |entry| chosen.contains(&entry.tie))
}

/// Two of these do not fit on a page, so no merge would ever make them fewer.
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

/// VACUUM gives room back, so it must not want any: on a full disk leaves stay sparse.
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

/// Where no parents are in the way. Half the entries are replaced again and again.
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
    // It is dense now: who removes little rewrites nothing but what he removes it from.
    let before = shifts(&mem);
    let dead: HashSet<u64> = set
        .iter()
        .map(|e| e.tie)
        .filter(|_| rng.chance(2))
        .collect();
    tree.vacuum(&mut |tie: u64| dead.contains(&tie), true)
        .unwrap();
    assert!(shifts(&mem) < before + fresh as usize / 20);
    // The next one takes marks off.
    tree.vacuum(&mut |_: u64| false, true).unwrap();
    let records = mem.log_len();
    tree.vacuum(&mut |_: u64| false, true).unwrap();
    assert_eq!(mem.log_len(), records);
}

/// Splits alone leave pages half full, for what is to come.
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

/// A crash after each record, and work that goes on after some.
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
                crash::go_on(&after, found.clone(), pattern, &mut rng);
            }
            before = found;
        }
    }
    assert!(hit > 50, "{hit}");
}

#[test]
fn scans_survive_shifting_and_reuse() {
    let moved = scans_survive(&wide, |entry| entry.tie % 16 < 10, &|mem| {
        shifts(mem) as u64
    });
    assert!(moved > 300, "{moved}");
}

/// The index, two neighbours that are half full, and the fence between them.
fn halves(set: &Set<WORDS>) -> (Mem, Block, Block, Entry<WORDS>) {
    let mem = build(set);
    let left = tree::<WORDS>(&mem, None).find(&Entry::MIN).unwrap().block();
    let right = page::right(&mem.read(left).unwrap()).unwrap();
    for block in [left, right] {
        let removed = tree::<WORDS>(&mem, None).purge(block, &mut |tie: u64| tie % 16 < 6);
        assert!(removed.unwrap() > 0);
    }
    let fence = place(&mem, right).0;
    (mem, left, right, fence)
}

/// What is copied from a pinned leaf would be out of reach of the next VACUUM's wait.
#[test]
fn a_pinned_leaf_is_not_emptied() {
    let (mem, left, right, fence) = halves(&(0..600).map(|i| entry(i, i)).collect());
    let tree = tree::<WORDS>(&mem, None);
    let pin = mem.pin(mem.read(right).unwrap());
    assert!(tree.shift(left, right, &fence).unwrap().is_none());
    drop(pin);
    // Nobody needs to let go of the left one.
    let _pin = mem.pin(mem.read(left).unwrap());
    let (_, rest) = tree.shift(left, right, &fence).unwrap().unwrap();
    assert_eq!(place(&mem, left).1, rest.low);
    assert_eq!(place(&mem, rest.block).0, rest.low);
    assert!(place(&mem, left).1 > fence);
    // What is not there any more is not moved.
    assert!(tree.shift(left, right, &fence).unwrap().is_none());
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
        let parent = tree.seek(&crate::tree::descend::Target::at(&low), 1);
        let parent = parent.unwrap().unwrap();
        let first = Inner::<WORDS>::open(&parent, parent.block()).unwrap();
        let first = first.frame().low == low;
        drop(parent);
        if first {
            kept += 1;
            for block in [block, right] {
                tree.purge(block, &mut |tie: u64| tie % 16 < 6).unwrap();
            }
            let pages = mem.pages();
            assert!(tree.shift(block, right, &low).unwrap().is_none());
            assert!(mem.pages() == pages);
        }
    }
    assert!(kept > 3, "{kept}");
}

#[test]
fn halves_of_an_incomplete_split_are_left_alone() {
    let (mem, _, [left, middle, right], [fence, high]) = incomplete_split();
    let tree = tree::<WORDS>(&mem, None);
    tree.purge(left, &mut |tie: u64| tie % 16 < 6).unwrap();
    assert!(tree.shift(left, middle, &fence).unwrap().is_none());
    assert!(tree.shift(middle, right, &high).unwrap().is_none());
}

/// A parent that does not have the downlink, or has another, is damaged.
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

/// Adds entries as an index does on a server: a full leaf where entries die (or any, with `all`) is split only if its neighbours
/// take nothing.
fn insert_sparingly(mem: &Mem, set: &mut Set<WORDS>, new: Entry<WORDS>, all: bool) {
    let splits = if all {
        Splits::Never
    } else {
        Splits::UnlessChurned
    };
    let patient = tree::<WORDS>(mem, None).with_splits(splits);
    let done = patient.insert(new, FILL).unwrap();
    if let How::Full { churned } = done.how {
        assert!(churned || all);
        let tree = tree::<WORDS>(mem, None);
        tree.redistribute(done.block).unwrap();
        tree.insert(new, FILL).unwrap();
    }
    set.insert(new);
}

/// Entries die and are replaced by others: the room that is left here and there is used.
#[test]
fn full_leaves_give_to_their_neighbours() {
    for seed in seeds(0, 3) {
        let mut rng = Rng::new(seed);
        let random = |i, rng: &mut Rng| entry(rng.below(1 << 40), i);
        let mut set: Set<WORDS> = (0..20_000).map(|i| random(i, &mut rng)).collect();
        let (sparing, plain) = (build(&set), build(&set));
        for round in 1..6 {
            let mut other = set.clone();
            thin(&sparing, &mut set, 20, &mut Rng::new(round));
            thin(&plain, &mut other, 20, &mut Rng::new(round));
            assert!(set == other);
            for i in 0..4000 {
                let new = random(round * 20_000 + i, &mut rng);
                insert_sparingly(&sparing, &mut set, new, false);
                tree::<WORDS>(&plain, None).insert(new, FILL).unwrap();
            }
        }
        let (few, many) = (check(&sparing, &set).leaves, check(&plain, &set).leaves);
        println!("seed {seed}: {few} leaves, {many}");
        assert!(shifts(&sparing) > shifts(&plain) + 10);
        assert!(few * 100 < many * 95, "seed {seed}: {few} leaves, {many}");
    }
}

/// Where none die, the room that splits leave is for entries to come, and moving them would be in vain.
#[test]
fn a_growing_index_moves_nothing() {
    let mut rng = Rng::new(1);
    let (mem, mut set) = (empty::<WORDS>(), Set::new());
    for i in 0..10_000 {
        insert_sparingly(&mem, &mut set, Pattern::Random.entry(i, &mut rng), false);
    }
    check(&mem, &set);
    assert_eq!(shifts(&mem), 0);
}

/// Where entries die, a leaf is marked: by whoever removes them, until a vacuum finds that none has died since the one before; what it is split into or merged
/// with has the mark, too.
#[test]
fn the_mark_of_churn_comes_and_goes() {
    let set: Set<WORDS> = (0..600).map(|i| entry(i, i)).collect();
    let churned = |mem: &Mem, block| page::flags(&mem.read(block).unwrap()) & page::CHURNED != 0;
    for by in ["vacuum", "purge", "scan"] {
        let (mem, left, right, _) = halves(&set);
        let tree = tree::<WORDS>(&mem, None);
        for _ in 0..2 {
            tree.vacuum(&mut |_: u64| false, false).unwrap();
        }
        assert!(!churned(&mem, left) && !churned(&mem, right));
        let mut dead = |tie: u64| tie % 16 == 7;
        match by {
            "vacuum" => _ = tree.vacuum(&mut dead, false).unwrap(),
            "purge" => _ = tree.purge(left, &mut dead).unwrap(),
            _ => tree.delete(left, &[entry(7, 7)]).unwrap(),
        }
        assert!(churned(&mem, left), "{by}");
        assert_eq!(churned(&mem, right), by == "vacuum");
        if by != "vacuum" {
            // They died since the vacuum before.
            tree.vacuum(&mut |_: u64| false, false).unwrap();
            assert!(churned(&mem, left), "{by}");
        }
        tree.vacuum(&mut |_: u64| false, false).unwrap();
        assert!(!churned(&mem, left), "{by}");
    }
    // Only the right one of two that become one.
    let (mem, left, right, _) = halves(&set);
    let tree = tree::<WORDS>(&mem, None);
    for _ in 0..2 {
        tree.vacuum(&mut |_: u64| false, false).unwrap();
    }
    tree.purge(right, &mut |tie: u64| tie % 16 != 15).unwrap();
    assert!(!churned(&mem, left) && churned(&mem, right));
    assert!(tree.vacuum(&mut |_: u64| false, true).unwrap().freed > 0);
    assert!(churned(&mem, left));
    // Its halves when it is split.
    let mut next = 600;
    let right = loop {
        let done = tree.insert(entry(next % 600, next), FILL).unwrap();
        next += 1;
        if let How::Split(right) = done.how {
            break right;
        }
    };
    assert!(churned(&mem, left) && churned(&mem, right));
}

/// A crash after each record, and work that goes on after some.
#[test]
fn every_record_of_a_redistribution_leaves_a_sound_tree() {
    let mut hit = 0;
    for (seed, pattern) in (0..).zip(PATTERNS) {
        let mut rng = Rng::new(seed);
        let mut set = Set::new();
        let mem = empty::<WORDS>();
        for i in 0..6000 {
            insert_sparingly(&mem, &mut set, pattern.entry(i, &mut rng), true);
        }
        let mut pages = mem.base();
        let mut before = Set::new();
        for record in mem.log() {
            record.redo(&mut pages);
            if record.blocks().count() != 4 {
                continue;
            }
            hit += 1;
            let after = Mem::new(pages.clone());
            let mut found = Set::new();
            let report = tree::<WORDS>(&after, None).verify(&mut |e| assert!(found.insert(*e)));
            assert_eq!(report.unwrap().incomplete, 0);
            assert!(before.is_subset(&found), "an entry is lost");
            assert!(found.is_subset(&set), "an entry came from nowhere");
            if rng.chance(20) {
                crash::go_on(&after, found.clone(), pattern, &mut rng);
            }
            before = found;
        }
    }
    assert!(hit > 20, "{hit}");
}

/// Who reads goes on from an entry, whatever full leaves give to their neighbours meanwhile.
#[test]
fn a_leaf_gives_nothing_to_a_pinned_or_full_one() {
    let set: Set<WORDS> = (0..600).map(|i| entry(i, i)).collect();
    let (mem, left, right, _) = halves(&set);
    let tree = tree::<WORDS>(&mem, None);
    // Both have as much.
    assert!(!tree.redistribute(left).unwrap());
    tree.purge(right, &mut |tie: u64| tie % 16 < 12).unwrap();
    let pin = mem.pin(mem.read(right).unwrap());
    assert!(!tree.redistribute(left).unwrap());
    drop(pin);
    let (_pin, before) = (mem.pin(mem.read(left).unwrap()), place(&mem, left).1);
    assert!(tree.redistribute(left).unwrap());
    assert!(place(&mem, left).1 < before);
    // The page of the one that took over is free now, and no leaf.
    assert!(!tree.redistribute(right).unwrap());
    let mem = build(&set);
    let first = super::tree::<WORDS>(&mem, None)
        .find(&Entry::MIN)
        .unwrap()
        .block();
    assert!(
        !super::tree::<WORDS>(&mem, None)
            .redistribute(first)
            .unwrap()
    );
    assert_eq!(mem.log_len(), 0);
}

/// A vacuum that stands between two leaves goes on where the right one began. Were that amid a leaf, another split could take what a scan has
/// copied away from the page that this scan has pinned, and the vacuum would not wait for it.
#[test]
fn nothing_is_given_beside_a_vacuum() {
    let set: Set<WORDS> = (0..600).map(|i| entry(i, i)).collect();
    let (mem, left, right, _) = halves(&set);
    let tree = tree::<WORDS>(&mem, None);
    tree.purge(right, &mut |tie: u64| tie % 16 < 12).unwrap();
    let mut asked = 0;
    let mut dead = |_: u64| {
        asked += 1;
        assert!(mem.unless_vacuumed(|| ()).is_none());
        assert!(!tree.redistribute(left).unwrap());
        false
    };
    tree.vacuum(&mut dead, false).unwrap();
    assert!(asked > 100);
    assert!(tree.redistribute(left).unwrap());
}

/// Scans have left tombstones nearly everywhere; VACUUM finds a few more.
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

/// Inserts take the entries of dead rows off a leaf that they would have to split, and scans off any; then these are not VACUUM's to remove any
/// more. The leaves become dense all the same, once.
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
                tree.purge(block, &mut |tie: u64| tie % 16 < 6).unwrap();
            }
            low = until;
        }
        set.retain(|e| e.tie % 16 >= 6);
        let after = vacuum(&mem, &mut set, |_| false).leaves;
        assert!(
            shifts(&mem) > 10 && after * 10 < before * 8,
            "{before} leaves became {after}"
        );
        // The next one takes marks off; after that, who only looks changes nothing.
        tree.vacuum(&mut |_: u64| false, true).unwrap();
        let records = mem.log_len();
        tree.vacuum(&mut |_: u64| false, true).unwrap();
        assert_eq!(mem.log_len(), records);
    }
}

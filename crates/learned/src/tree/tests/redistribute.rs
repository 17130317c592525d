//! Full leaves whose entries are shifted to their right neighbours, and the flag that decides it.

use super::join::{PATTERNS, place};
use super::shift::{halves, shifts, thin};
use super::*;
use crate::page;
use crate::store::Store;
use crate::tree::{InsertOutcome, SplitPolicy};

/// Adds an entry as on a server: a full leaf where entries die (or, with `all`, any full leaf) is
/// split only if its neighbours take no entries.
fn insert_sparingly(mem: &Mem, set: &mut Set<WORDS>, new: Entry<WORDS>, all: bool) {
    let splits = if all {
        SplitPolicy::Never
    } else {
        SplitPolicy::UnlessChurned
    };
    let patient = tree::<WORDS>(mem, None).with_split_policy(splits);
    let done = patient.insert(new, FILL).unwrap();
    if let InsertOutcome::Full { churned } = done.outcome {
        assert!(churned || all);
        let tree = tree::<WORDS>(mem, None);
        tree.redistribute(done.block).unwrap();
        tree.insert(new, FILL).unwrap();
    }
    set.insert(new);
}

/// Where entries die and are replaced by others, the free room here and there is used.
#[test]
fn full_leaves_shift_to_their_neighbours() {
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

/// Where no entries die, the room that splits leave is for the entries to come.
#[test]
fn a_growing_index_shifts_nothing() {
    let mut rng = Rng::new(1);
    let (mem, mut set) = (empty::<WORDS>(), Set::new());
    for i in 0..10_000 {
        insert_sparingly(&mem, &mut set, Pattern::Random.entry(i, &mut rng), false);
    }
    check(&mem, &set);
    assert_eq!(shifts(&mem), 0);
}

/// A leaf where entries are deleted gets the flag CHURNED, until a VACUUM finds that none has died
/// since the VACUUM before. Leaves that it is split into or joined with get the flag, too.
#[test]
fn the_churned_flag_is_set_and_cleared() {
    let set: Set<WORDS> = (0..600).map(|i| entry(i, i)).collect();
    let churned = |mem: &Mem, block| page::flags(&mem.read(block).unwrap()) & page::CHURNED != 0;
    for by in ["vacuum", "insert", "scan"] {
        let (mem, left, right, _) = halves(&set);
        let tree = tree::<WORDS>(&mem, None);
        for _ in 0..2 {
            tree.vacuum(&mut |_: u64| false, false).unwrap();
        }
        assert!(!churned(&mem, left) && !churned(&mem, right));
        let mut dead = |tie: u64| tie % 16 == 7;
        match by {
            "vacuum" => _ = tree.vacuum(&mut dead, false).unwrap(),
            "insert" => _ = tree.delete_dead(left, &mut dead).unwrap(),
            _ => tree.delete(left, &[entry(7, 7)]).unwrap(),
        }
        assert!(churned(&mem, left), "{by}");
        assert_eq!(churned(&mem, right), by == "vacuum");
        if by != "vacuum" {
            // These entries died since the VACUUM before.
            tree.vacuum(&mut |_: u64| false, false).unwrap();
            assert!(churned(&mem, left), "{by}");
        }
        tree.vacuum(&mut |_: u64| false, false).unwrap();
        assert!(!churned(&mem, left), "{by}");
    }
    // Only the right one of two leaves that are joined has the flag.
    let (mem, left, right, _) = halves(&set);
    let tree = tree::<WORDS>(&mem, None);
    for _ in 0..2 {
        tree.vacuum(&mut |_: u64| false, false).unwrap();
    }
    tree.delete_dead(right, &mut |tie: u64| tie % 16 != 15)
        .unwrap();
    assert!(!churned(&mem, left) && churned(&mem, right));
    assert!(tree.vacuum(&mut |_: u64| false, true).unwrap().freed > 0);
    assert!(churned(&mem, left));
    // Both halves get the flag when the leaf is split.
    let mut next = 600;
    let right = loop {
        let done = tree.insert(entry(next % 600, next), FILL).unwrap();
        next += 1;
        if let InsertOutcome::Split(right) = done.outcome {
            break right;
        }
    };
    assert!(churned(&mem, left) && churned(&mem, right));
}

/// A crash after each record, and more work after some of them.
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
                crash::continue_work(&after, found.clone(), pattern, &mut rng);
            }
            before = found;
        }
    }
    assert!(hit > 20, "{hit}");
}

/// A leaf shifts nothing to a right neighbour that is pinned or full.
#[test]
fn nothing_is_shifted_to_a_pinned_or_full_leaf() {
    let set: Set<WORDS> = (0..600).map(|i| entry(i, i)).collect();
    let (mem, left, right, _) = halves(&set);
    let tree = tree::<WORDS>(&mem, None);
    // Both leaves are equally full.
    assert!(!tree.redistribute(left).unwrap());
    tree.delete_dead(right, &mut |tie: u64| tie % 16 < 12)
        .unwrap();
    let pin = mem.pin(mem.read(right).unwrap());
    assert!(!tree.redistribute(left).unwrap());
    drop(pin);
    let (_pin, before) = (mem.pin(mem.read(left).unwrap()), place(&mem, left).1);
    assert!(tree.redistribute(left).unwrap());
    assert!(place(&mem, left).1 < before);
    // The old page of the right leaf is free now, and no leaf.
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

/// A VACUUM that stands between two leaves continues where the right one began. If that were in the
/// middle of a leaf, another split could move entries that a scan has copied away from the page
/// that the scan has pinned, and VACUUM would not wait for the scan.
#[test]
fn nothing_is_shifted_beside_a_vacuum() {
    let set: Set<WORDS> = (0..600).map(|i| entry(i, i)).collect();
    let (mem, left, right, _) = halves(&set);
    let tree = tree::<WORDS>(&mem, None);
    tree.delete_dead(right, &mut |tie: u64| tie % 16 < 12)
        .unwrap();
    let mut asked = 0;
    let mut dead = |_: u64| {
        asked += 1;
        assert!(mem.unless_vacuuming(|| ()).is_none());
        assert!(!tree.redistribute(left).unwrap());
        false
    };
    tree.vacuum(&mut dead, false).unwrap();
    assert!(asked > 100);
    assert!(tree.redistribute(left).unwrap());
}

//! Full leaves whose dead entries are deleted to avoid a split.

use std::collections::HashSet;

use super::*;
use crate::tree::{InsertOutcome, SplitPolicy};

/// A third of the entries die again and again, and as many new ones are added, without any VACUUM.
#[test]
fn deleting_dead_entries_keeps_the_size() {
    for seed in seeds(0, 4) {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let random = |i: u64, rng: &mut Rng| entry::<2>(rng.below(1 << 40), i);
        let mut set: Set<2> = (0..6000).map(|i| random(i, &mut rng)).collect();
        let mem = build(&set);
        let before = check(&mem, &set).leaves;
        let careful = tree::<2>(&mem, None).with_split_policy(SplitPolicy::Never);
        let plain = tree::<2>(&mem, None);
        let (mut dead, mut total) = (HashSet::new(), 0);
        for i in 6000..26_000 {
            if i % 2000 == 0 {
                let dying = set.iter().filter(|e| !dead.contains(&e.tie));
                let dying: Vec<u64> = dying.map(|e| e.tie).filter(|_| rng.chance(33)).collect();
                dead.extend(dying);
            }
            let new = random(i, &mut rng);
            let (pages, records) = (mem.pages(), mem.log_len());
            let done = careful.insert(new, FILL).unwrap();
            assert!(
                !matches!(done.outcome, InsertOutcome::Split(_)) || pages.len() > before as usize
            );
            if matches!(done.outcome, InsertOutcome::Full { .. }) {
                assert!(mem.log_len() == records && mem.pages() == pages);
                let (low, high) = {
                    let page = plain.find(&new).unwrap();
                    assert_eq!(page.block(), done.block);
                    let (low, high) = crate::fences::read(&page, done.block, 0).unwrap().unwrap();
                    let mut ties = plain.ties(&page).unwrap();
                    let mut wanted: Vec<u64> = set.range(low..high).map(|e| e.tie).collect();
                    ties.sort_unstable();
                    wanted.sort_unstable();
                    assert_eq!(ties, wanted);
                    (low, high)
                };
                let deleted = plain
                    .delete_dead(done.block, &mut |tie: u64| dead.contains(&tie))
                    .unwrap();
                let gone = set.range(low..high).filter(|e| dead.contains(&e.tie));
                let gone: Vec<_> = gone.copied().collect();
                assert_eq!(deleted, gone.len());
                gone.iter().for_each(|e| assert!(set.remove(e)));
                total += deleted;
                let again = plain.insert(new, FILL).unwrap();
                assert!(deleted < 100 || !matches!(again.outcome, InsertOutcome::Split(_)));
            }
            set.insert(new);
        }
        let after = check(&mem, &set).leaves;
        assert!(total > 10_000, "{total}");
        assert!(after < 2 * before, "{before} leaves became {after}");
    }
}

/// An append leaves a full leaf behind, whatever could be deleted from it.
#[test]
fn appending_splits_at_once() {
    let mem = empty::<2>();
    let mut set = Set::new();
    let tree = tree::<2>(&mem, None).with_split_policy(SplitPolicy::Never);
    for i in 0..5000 {
        // Some entries come a little late.
        let new = entry::<2>(1000 * i - if i % 7 == 6 { 1500 } else { 0 }, i);
        let done = tree.insert(new, FILL).unwrap();
        assert!(!matches!(done.outcome, InsertOutcome::Full { .. }));
        set.insert(new);
    }
    assert!(check(&mem, &set).leaves > 5);
}

/// Nothing is deleted from a page that is no longer a leaf.
#[test]
fn nothing_is_deleted_from_a_freed_leaf() {
    let set: Set<WORDS> = (0..3000).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    let tree = tree::<WORDS>(&mem, None);
    tree.vacuum(&mut |tie: u64| !tie.is_multiple_of(64), true)
        .unwrap();
    let free = |page: &std::sync::Arc<crate::Page>| {
        crate::page::kind(page) == Some(crate::page::Kind::Free)
    };
    let block = mem.pages().iter().position(free).unwrap() as crate::Block;
    let records = mem.log_len();
    assert!(tree.ties(&mem.read(block).unwrap()).unwrap().is_empty());
    assert_eq!(tree.delete_dead(block, &mut |_| true).unwrap(), 0);
    assert_eq!(mem.log_len(), records);
}

//! Full leaves that are cleared of dead entries rather than split.

use std::collections::HashSet;

use super::*;
use crate::tree::{How, Splits};

/// Half of the entries die again and again, and as many new ones come, without any vacuum.
#[test]
fn an_index_whose_full_leaves_are_cleared_keeps_its_size() {
    for seed in seeds(0, 4) {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let random = |i: u64, rng: &mut Rng| entry::<2>(rng.below(1 << 40), i);
        let mut set: Set<2> = (0..6000).map(|i| random(i, &mut rng)).collect();
        let mem = build(&set);
        let before = check(&mem, &set).leaves;
        let patient = tree::<2>(&mem, None).with_splits(Splits::Never);
        let hasty = tree::<2>(&mem, None);
        let (mut dead, mut cleared) = (HashSet::new(), 0);
        for i in 6000..26_000 {
            if i % 2000 == 0 {
                let dying = set.iter().filter(|e| !dead.contains(&e.tie));
                let dying: Vec<u64> = dying.map(|e| e.tie).filter(|_| rng.chance(33)).collect();
                dead.extend(dying);
            }
            let new = random(i, &mut rng);
            let (pages, records) = (mem.pages(), mem.log_len());
            let done = patient.insert(new, FILL).unwrap();
            assert!(!matches!(done.how, How::Split(_)) || pages.len() > before as usize);
            if matches!(done.how, How::Full { .. }) {
                assert!(mem.log_len() == records && mem.pages() == pages);
                let (low, high) = {
                    let page = hasty.find(&new).unwrap();
                    assert_eq!(page.block(), done.block);
                    let (low, high) = crate::fences::of(&page, done.block, 0).unwrap().unwrap();
                    let mut ties = hasty.ties(&page).unwrap();
                    let mut wanted: Vec<u64> = set.range(low..high).map(|e| e.tie).collect();
                    ties.sort_unstable();
                    wanted.sort_unstable();
                    assert_eq!(ties, wanted);
                    (low, high)
                };
                let removed = hasty
                    .purge(done.block, &mut |tie: u64| dead.contains(&tie))
                    .unwrap();
                let gone = set.range(low..high).filter(|e| dead.contains(&e.tie));
                let gone: Vec<_> = gone.copied().collect();
                assert_eq!(removed, gone.len());
                gone.iter().for_each(|e| assert!(set.remove(e)));
                cleared += removed;
                let again = hasty.insert(new, FILL).unwrap();
                assert!(removed < 100 || !matches!(again.how, How::Split(_)));
            }
            set.insert(new);
        }
        let after = check(&mem, &set).leaves;
        assert!(cleared > 10_000, "{cleared}");
        assert!(after < 2 * before, "{before} leaves became {after}");
    }
}

/// There the leaf that is left behind stays full, whatever is removed.
#[test]
fn appending_splits_at_once() {
    let mem = empty::<2>();
    let mut set = Set::new();
    let tree = tree::<2>(&mem, None).with_splits(Splits::Never);
    for i in 0..5000 {
        // Some come a little late.
        let new = entry::<2>(1000 * i - if i % 7 == 6 { 1500 } else { 0 }, i);
        let done = tree.insert(new, FILL).unwrap();
        assert!(!matches!(done.how, How::Full { .. }));
        set.insert(new);
    }
    assert!(check(&mem, &set).leaves > 5);
}

/// Of what is no leaf any more, nothing is removed.
#[test]
fn a_freed_leaf_has_nothing_to_clear() {
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
    assert_eq!(tree.purge(block, &mut |_| true).unwrap(), 0);
    assert_eq!(mem.log_len(), records);
}

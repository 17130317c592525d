//! Positions and hints that are out of date.

use super::*;
use crate::store::Store;

/// A reader's position is a high fence and a right link, while everything around it is split.
#[test]
fn an_old_position_survives_splits() {
    let mut set: Set<WORDS> = (0..400).map(|i| entry(1000 * i, i)).collect();
    let mem = build(&set);
    let tree = tree::<WORDS>(&mem, None);
    let old: Vec<_> = {
        let mut places = Vec::new();
        let mut leaf = Some(tree.find(&Entry::MIN).unwrap());
        while let Some(page) = leaf.take() {
            let view = Leaf::<WORDS>::open(&page, page.block()).unwrap();
            let place = (view.low(), view.high(), view.right());
            places.push(place);
            drop(page);
            leaf = tree.next(&place.1, place.2).unwrap();
        }
        places
    };
    for i in 0..3000 {
        let new = entry((i * 7919) % 400_000, 5000 + i);
        if set.insert(new) {
            tree.insert(new, FILL).unwrap();
        }
    }
    for (low, high, right) in old {
        let next = tree.next(&high, right).unwrap();
        assert_eq!(next.is_none(), high == Entry::MAX);
        if let Some(next) = next {
            let view = Leaf::<WORDS>::open(&next, next.block()).unwrap();
            assert!(view.covers(&high));
        }
        // A right link that is wrong by now: other pages.
        for wrong in [0, 1, mem.blocks().unwrap() - 1] {
            if let Some(next) = tree.next(&high, Some(wrong)).unwrap() {
                let view = Leaf::<WORDS>::open(&next, next.block()).unwrap();
                assert!(view.covers(&high));
            }
        }
        // To the left.
        let before = tree.find_before(&low).unwrap();
        assert_eq!(before.is_none(), low == Entry::MIN);
        if let Some(before) = before {
            let view = Leaf::<WORDS>::open(&before, before.block()).unwrap();
            assert!(view.low() < low && low <= view.high());
        }
    }
    check(&mem, &set);
}

/// An old model and an old root only cost time.
#[test]
fn stale_hints_find_everything() {
    let mut set: Set<WORDS> = (0..50 * scale()).map(|i| entry(1000 * i, i)).collect();
    let mem = build(&set);
    let old = tree::<WORDS>(&mem, None);
    old.find(&Entry::MIN).unwrap();
    let root = old.root_hint();
    assert!(root.is_some());
    let model = old.load_model().unwrap();
    let span = scale() * 60_000;
    for i in 0..3000 {
        let new = entry((i * 7919) % span, 5000 + i);
        if set.insert(new) {
            old.insert(new, FILL).unwrap();
        }
    }
    // The pages of the old model are recycled, too.
    for now in 0..3 {
        old.retrain(now).unwrap();
    }
    let mut rng = Rng::new(1);
    let stale = tree::<WORDS>(&mem, model.as_deref());
    for entry in &set {
        let hinted = tree::<WORDS>(&mem, None).with_root_hint(root);
        assert!(hinted.contains(entry).unwrap());
        assert!(stale.contains(entry).unwrap());
        let below = stale.find_before(entry).unwrap().unwrap();
        let view = Leaf::<WORDS>::open(&below, below.block()).unwrap();
        assert!(view.low() < *entry && *entry <= view.high());
    }
    assert!(stale.counts.misses.get() > 0);
    let all: Vec<_> = set.iter().copied().collect();
    assert!(forward(&stale, &Entry::MIN, &Entry::MAX, &mut rng) == all);
    let all: Vec<_> = all.into_iter().rev().collect();
    assert!(backward(&stale, &Entry::MIN, &Entry::MAX, &mut rng) == all);
    // Hints that never were right.
    for hint in [(0, 0), (0, 3), (1, 2), (3, 0)] {
        let wrong = tree::<WORDS>(&mem, None).with_root_hint(Some(hint));
        assert!(set.iter().all(|entry| wrong.contains(entry).unwrap()));
    }
    check(&mem, &set);
}

#[test]
fn the_ends_of_the_index() {
    let set: Set<WORDS> = (0..300).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    let tree = tree::<WORDS>(&mem, None);
    assert!(tree.find_before(&Entry::MIN).unwrap().is_none());
    let last = tree.find_before(&Entry::MAX).unwrap().unwrap();
    assert_eq!(crate::page::right(&last), None);
    let last_block = last.block();
    drop(last);
    assert_eq!(tree.find(&Entry::MAX).unwrap().block(), last_block);
    assert_eq!(tree.find(&Entry::MIN).unwrap().block(), 1);
    assert!(tree.next(&Entry::MAX, None).unwrap().is_none());
}

//! Random inserts, deletions, scans, vacuums and trainings, compared with a set.

use super::*;
use crate::Block;
use crate::tree::InsertOutcome;

/// Does random work. Returns the report at the end and the greatest height on the way.
fn run<const W: usize>(seed: u64, steps: u64) -> (TreeReport, u32) {
    let pattern = pattern_of(seed);
    println!("seed {seed}, {pattern:?}, {W} words");
    let mut rng = Rng::new(seed);
    let mut expected = Set::<W>::new();
    if seed % 2 == 1 {
        expected.extend((0..steps / 3).map(|i| pattern.entry::<W>(i, &mut rng)));
    }
    let mem = if expected.is_empty() {
        empty::<W>()
    } else {
        build(&expected)
    };
    check(&mem, &expected);
    let mut model = model::<W>(&mem, &mut rng);
    let mut reload = false;
    let mut highest = 0;
    for i in steps / 3..steps {
        if std::mem::take(&mut reload) {
            model = super::model::<W>(&mem, &mut rng);
            assert!(model.is_some());
        }
        let tree = tree::<W>(&mem, model.as_deref().filter(|_| rng.chance(70)));
        let new = pattern.entry(i, &mut rng);
        assert_eq!(tree.contains(&new).unwrap(), expected.contains(&new));
        if expected.insert(new) {
            tree.insert(new, FILL).unwrap();
        }
        assert!(tree.contains(&new).unwrap());
        if rng.chance(2) {
            // Many entries at once: scattered ones, or entries that follow each other.
            let last = expected.last().copied().unwrap_or(new);
            let most = 1 + rng.below(100);
            let mut many: Vec<_> = match rng.chance(50) {
                true => (0..most)
                    .map(|_| pattern.entry(rng.below(steps), &mut rng))
                    .collect(),
                false => (1..=most).map(|n| later(&last, n)).collect(),
            };
            many.retain(|entry| expected.insert(*entry));
            many.sort_unstable();
            let hint = rng.chance(50).then(|| tree.find(&new).unwrap().block());
            insert_all(&tree, hint, &many);
        }
        highest = highest.max(u32::from(tree.meta().unwrap().level) + 1);
        if rng.chance(1) {
            let (modulus, rest) = (2 + rng.below(9), rng.below(2));
            let most = i < steps / 2 && rng.chance(10);
            let dead = |tie: u64| (tie % modulus == rest) != most;
            let before = expected.len();
            expected.retain(|entry| !dead(entry.tie));
            let done = tree.vacuum(&mut |tie: u64| dead(tie), true).unwrap();
            assert_eq!(done.live, expected.len() as u64);
            assert_eq!(done.deleted, (before - expected.len()) as u64);
            if rng.chance(20) {
                let report = check(&mem, &expected);
                assert_eq!((report.leaves, report.incomplete), (done.leaves, 0));
            }
        }
        if rng.chance(1) {
            // Found dead by a scan that read this leaf earlier: some have moved to other leaves.
            let leaf = tree.find(&new).unwrap();
            let (low, high) = crate::fences::read(&leaf, leaf.block(), 0)
                .unwrap()
                .unwrap();
            let mut dead: Vec<_> = expected.range(..new).rev().take(30).copied().collect();
            dead.extend(expected.range(new..).take(rng.below(9) as usize));
            dead.retain(|_| rng.chance(60));
            dead.sort_unstable();
            let mut present = dead.clone();
            tree.retain_present(&leaf, &mut present).unwrap();
            let block = leaf.block();
            drop(leaf);
            tree.delete(block, &dead).unwrap();
            dead.retain(|entry| low <= *entry && *entry < high);
            assert_eq!(present, dead);
            expected.retain(|entry| dead.binary_search(entry).is_err());
        }
        if rng.chance(1) {
            // As an insert deletes dead entries from a full leaf before it splits the leaf.
            let leaf = tree.find(&new).unwrap();
            let (block, part) = (leaf.block(), 1 + rng.below(6));
            let (low, high) = crate::fences::read(&leaf, block, 0).unwrap().unwrap();
            drop(leaf);
            let dead = |tie: u64| tie >> 3 & 7 < part;
            let before = expected.len();
            expected.retain(|e| *e < low || high <= *e || !dead(e.tie));
            let deleted = tree.delete_dead(block, &mut |tie: u64| dead(tie)).unwrap();
            assert_eq!(deleted, before - expected.len());
        }
        if rng.chance(5) {
            // As an insert shifts entries from a full leaf before it splits the leaf.
            let block = tree.find(&new).unwrap().block();
            tree.redistribute(block).unwrap();
        }
        if rng.chance(1) {
            tree.retrain(i as i64).unwrap();
            if rng.chance(50) {
                reload = true;
            }
        }
        if rng.chance(2) {
            let mut ends = [new, pattern.entry(rng.below(steps), &mut rng)];
            if rng.chance(20) {
                ends = [Entry::MIN, Entry::MAX];
            }
            ends.sort_unstable();
            let [from, until] = ends;
            let wanted: Vec<_> = expected.range(from..until).copied().collect();
            assert_eq!(forward(&tree, &from, &until, &mut rng), wanted);
            let wanted: Vec<_> = wanted.into_iter().rev().collect();
            assert_eq!(backward(&tree, &from, &until, &mut rng), wanted);
        }
    }
    // Replay of the log gives the same pages.
    let mut pages = mem.base();
    for record in mem.log() {
        record.redo(&mut pages);
    }
    let now = mem.pages();
    for (block, page) in pages.iter().enumerate() {
        assert!(
            page == now.get(block).unwrap(),
            "block {block} differs after replay"
        );
    }
    (check(&mem, &expected), highest)
}

/// The `n`th entry after `last` in a table that is appended to.
fn later<const W: usize>(last: &Entry<W>, n: u64) -> Entry<W> {
    let mut key = last.key;
    key[W - 1] = key[W - 1].saturating_add(n / 3);
    Entry::new(key, last.tie.saturating_add(n << 16))
}

/// Adds entries in order, as many in one record as possible.
fn insert_all<const W: usize>(
    tree: &Tree<'_, Mem, W>,
    mut hint: Option<Block>,
    mut rest: &[Entry<W>],
) {
    while let Some((first, more)) = rest.split_first() {
        let done = tree.insert_with(hint, *first, more, FILL).unwrap();
        if matches!(
            done.outcome,
            InsertOutcome::Appended | InsertOutcome::Logged
        ) {
            assert!(done.taken > 0);
        } else {
            assert_eq!(done.taken, 1);
        }
        hint = Some(done.block);
        rest = &rest[done.taken..];
    }
}

#[test]
fn many_entries_at_once_make_few_records() {
    let mem = empty::<1>();
    let tree = tree::<1>(&mem, None);
    let set: Set<1> = (1..6000).map(|i| entry(i, i)).collect();
    let all: Vec<_> = set.iter().copied().collect();
    for part in all.chunks(500) {
        insert_all(&tree, None, part);
    }
    check(&mem, &set);
    let records = mem.log().len();
    assert!(records < 200, "{records}");
}

#[test]
fn random_work_matches_a_set() {
    for seed in seeds(0, 20) {
        let (report, highest) = run::<WORDS>(seed, 1500 * scale());
        // Duplicates may be packed into few leaves.
        let high = highest >= 3 || matches!(pattern_of(seed), Pattern::Duplicates);
        assert!(high, "{report:?}");
        assert_eq!(report.incomplete, 0);
    }
    for seed in seeds(40, 5) {
        run::<1>(seed, 3000);
        run::<2>(seed + 5, 3000);
    }
}

#[test]
fn builds_of_every_size_are_sound() {
    for entries in [0, 1, 2, 5, 6, 7, 30, 31, 200, 1000, 4000] {
        let set: Set<WORDS> = (0..entries).map(|i| entry(i / 3, i)).collect();
        let mem = build(&set);
        let report = check(&mem, &set);
        assert_eq!(report.model_misses, 0);
        assert_eq!(report.model_bytes > 0, report.leaves > 1);
        let tree = tree::<WORDS>(&mem, None);
        tree.insert(entry(entries, entries), FILL).unwrap();
        let mut set = set;
        set.insert(entry(entries, entries));
        check(&mem, &set);
    }
}

#[test]
fn empty_build_equals_empty_index() {
    let built = build(&Set::<2>::new()).pages();
    let empty = empty::<2>().pages();
    assert!(built == empty);
}

#[test]
fn a_build_starts_over_at_an_entry_out_of_order() {
    let set: Set<WORDS> = (0..1000).map(|i| entry(2 * i, i)).collect();
    let late = entry::<WORDS>(77, 5);
    let pages = std::cell::RefCell::new(Pages::default());
    struct SharedPages<'a>(&'a std::cell::RefCell<Pages>);
    impl crate::tree::Sink for SharedPages<'_> {
        fn put(&mut self, block: Block, page: &crate::Page) -> crate::Result<()> {
            self.0.borrow_mut().put(block, page)
        }
    }
    let mut sink = SharedPages(&pages);
    let mut builder = Builder::new(&mut sink, FILL, [0; 8]).with_inner_limit(FANOUT);
    for entry in &set {
        builder.push(*entry).unwrap();
    }
    assert!(!builder.accepts(&late));
    assert!(builder.push(late).is_err());
    let mut moved = Vec::new();
    builder
        .restart(
            &mut |block| Ok(Box::new(*pages.borrow().0[block as usize])),
            &mut |entry| {
                moved.push(entry);
                Ok(())
            },
        )
        .unwrap();
    assert!(moved.iter().eq(&set));
    let mut set = set;
    set.insert(late);
    for entry in &set {
        builder.push(*entry).unwrap();
    }
    let built = builder.finish(0).unwrap();
    assert_eq!(built.entries, 1001);
    check(&Mem::new(pages.into_inner().0), &set);
}

#[test]
fn retraining_recycles_the_pages_of_old_models() {
    let set: Set<WORDS> = (0..3000).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    let tree = tree::<WORDS>(&mem, None);
    for now in 0..6 {
        tree.retrain(now).unwrap();
    }
    let report = check(&mem, &set);
    assert!(
        report.model_pages > 0 && report.stale_model_pages == 0,
        "{report:?}"
    );
    assert_eq!(report.free_pages, report.model_pages);
    let mut free = Vec::new();
    let swept = tree.sweep(&mut |block| free.push(block)).unwrap();
    assert_eq!((swept.free, swept.stale), (report.free_pages, 0));
    assert_eq!(free.len() as u64, report.free_pages);
}

#[test]
fn the_model_saves_the_descent() {
    let set: Set<WORDS> = (0..3000).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    let model = tree::<WORDS>(&mem, None).load_model().unwrap();
    let tree = tree::<WORDS>(&mem, model.as_deref());
    for entry in &set {
        assert!(tree.contains(entry).unwrap());
    }
    assert_eq!(tree.counts.predicted(), 3000);
    // Keys beside a fence may be sent to the next leaf.
    assert!(tree.counts.descents.get() <= 30);
    let before = mem.reads();
    assert!(tree.contains(&entry(1500, 1500)).unwrap());
    assert!(mem.reads() - before <= 2);
}

#[test]
fn pages_of_another_model_are_not_mixed_in() {
    use crate::store::Store;
    use crate::tree::model_pages::blocks;
    let set: Set<WORDS> = (0..4000).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    let tree = tree::<WORDS>(&mem, None);
    let old = tree.meta().unwrap().model;
    for now in 0..4 {
        tree.retrain(now).unwrap();
        // A session with an old meta page finds no model, rather than a mixture of two.
        assert!(blocks(&mem, &old).unwrap().is_none());
        assert!(tree.load_model().unwrap().is_some());
    }
    let training = irregular::<WORDS>(700);
    let write = |generation| {
        let allocate = || mem.allocate().map(Some);
        let place = tree.write_model(&training, generation, 0, &allocate);
        place.unwrap().unwrap()
    };
    let place = write(77);
    let used = blocks(&mem, &place).unwrap().unwrap();
    let pages = place.pages;
    assert!(used.len() == pages as usize && pages > 4);
    for wrong in [
        crate::meta::ModelLocation {
            generation: 76,
            ..place
        },
        crate::meta::ModelLocation {
            first: used[1],
            ..place
        },
        crate::meta::ModelLocation {
            first: used[1],
            pages: pages - 1,
            ..place
        },
        crate::meta::ModelLocation {
            pages: pages - 1,
            ..place
        },
        crate::meta::ModelLocation {
            bytes: place.bytes - 1,
            ..place
        },
    ] {
        assert!(blocks(&mem, &wrong).unwrap().is_none(), "{wrong:?}");
    }
    // Nothing refers to these pages, as after a crash: the sweep frees them, and they are recycled.
    let swept = tree.sweep(&mut |_| ()).unwrap();
    assert_eq!(swept.stale, u64::from(pages));
    assert!(blocks(&mem, &place).unwrap().is_none());
    let end = mem.blocks().unwrap();
    assert_eq!(write(78).pages, pages);
    assert_eq!(mem.blocks().unwrap(), end);
    assert!(blocks(&mem, &place).unwrap().is_none());
}

#[test]
fn a_remembered_leaf_is_only_a_hint() {
    let mem = empty::<WORDS>();
    let tree = tree::<WORDS>(&mem, None);
    let mut set = Set::new();
    let mut last = 1;
    for i in 0..1500 {
        let new = entry(i, i);
        let done = tree.insert_with(Some(last), new, &[], FILL).unwrap();
        last = match done.outcome {
            InsertOutcome::Split(right) => right,
            _ => done.block,
        };
        set.insert(new);
    }
    let before = mem.reads();
    tree.insert_with(Some(last), entry(5000, 0), &[], FILL)
        .unwrap();
    assert!(mem.reads() - before <= 2);
    set.insert(entry(5000, 0));
    // The meta page, an inner page, and leaves far to the left and right.
    let root = tree.meta().unwrap().root;
    for (i, hint) in (2000..).zip([0, 1, root, last].into_iter().cycle().take(200)) {
        tree.insert_with(Some(hint), entry(i % 7 * 300, i), &[], FILL)
            .unwrap();
        set.insert(entry(i % 7 * 300, i));
    }
    check(&mem, &set);
}

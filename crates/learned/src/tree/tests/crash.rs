use super::*;
use crate::store::Store;

/// What the sets before and after a piece of work were, and where its records end.
struct Done {
    end: usize,
    added: Option<Entry<WORDS>>,
    removed: Vec<Entry<WORDS>>,
}

/// Random work; returns the store and what was done.
fn work(seed: u64, steps: u64) -> (Mem, Vec<Done>) {
    let pattern = pattern_of(seed);
    println!("seed {seed}, {pattern:?}");
    let mut rng = Rng::new(seed);
    let mem = empty::<WORDS>();
    let mut now = Set::new();
    let mut done = Vec::new();
    for i in 0..steps {
        let tree = tree::<WORDS>(&mem, None);
        let (mut added, mut removed) = (None, Vec::new());
        match rng.below(100) {
            0 => {
                let modulus = 2 + rng.below(9);
                let dead = |tie: u64| tie.is_multiple_of(modulus);
                tree.vacuum(&mut |tie| dead(tie), true).unwrap();
                removed.extend(now.iter().filter(|e: &&Entry<WORDS>| dead(e.tie)));
                now.retain(|e| !dead(e.tie));
            }
            1 => tree.retrain(0).unwrap(),
            _ => {
                let new = pattern.entry(i, &mut rng);
                if now.insert(new) {
                    tree.insert(new, FILL).unwrap();
                    added = Some(new);
                }
            }
        }
        done.push(Done {
            end: mem.log_len(),
            added,
            removed,
        });
    }
    (mem, done)
}

/// Crashes after every record, replays, and checks that exactly the finished work is there, and of
/// the one unfinished piece any part.
#[test]
fn every_record_leaves_a_sound_tree() {
    let (mut incomplete, mut stale) = (0, 0);
    for seed in seeds(0, 5) {
        let (mem, done) = work(seed, 700);
        let mut rng = Rng::new(seed);
        let mut pages = mem.base();
        let mut done = done.into_iter().peekable();
        let mut certain = Set::<WORDS>::new();
        for (n, record) in mem.log().iter().enumerate() {
            record.redo(&mut pages);
            while let Some(next) = done.next_if(|next| next.end <= n + 1) {
                certain.extend(next.added);
                next.removed.iter().for_each(|e| assert!(certain.remove(e)));
            }
            let unfinished = done.peek();
            // Pages that the index was extended by come back as zeroes.
            let mut pages = pages.clone();
            let zeroes = rng.below(3) as usize;
            pages.resize(pages.len() + zeroes, std::sync::Arc::new([0; 8192]));
            let after = Mem::new(pages);

            let mut found = Set::new();
            let tree = tree::<WORDS>(&after, None);
            let report = tree.verify(&mut |e| assert!(found.insert(*e))).unwrap();
            incomplete += report.incomplete;
            stale += report.stale_model_pages;
            for entry in certain.difference(&found) {
                let going = unfinished.is_some_and(|work| work.removed.contains(entry));
                assert!(going, "a committed entry is missing after record {n}");
            }
            for entry in found.difference(&certain) {
                let coming = unfinished.is_some_and(|work| work.added == Some(*entry));
                assert!(coming, "an entry has come back after record {n}");
            }
            if report.incomplete > 0 || rng.chance(10) {
                go_on(&after, found, pattern_of(seed), &mut rng);
            }
        }
    }
    assert!(incomplete > 0 && stale > 0, "nothing of interest was hit");
}

/// Further work on a crashed index, which must end without anything left to mend.
pub(super) fn go_on(mem: &Mem, mut found: Set<WORDS>, pattern: Pattern, rng: &mut Rng) {
    let tree = tree::<WORDS>(mem, None);
    for i in 10_000..10_030 {
        let new = pattern.entry(i, rng);
        if found.insert(new) {
            tree.insert(new, FILL).unwrap();
        }
    }
    check(mem, &found);
    found.retain(|entry| entry.tie % 7 != 0);
    tree.vacuum(&mut |tie| tie % 7 == 0, true).unwrap();
    tree.retrain(1).unwrap();
    tree.sweep(&mut |_| ()).unwrap();
    let report = check(mem, &found);
    assert_eq!((report.incomplete, report.stale_model_pages), (0, 0));
}

/// An error between two records (an interrupt, a full disk) leaves the same states, but with the
/// store's other pages as they are.
#[test]
fn errors_between_records_are_survived() {
    for seed in seeds(20, 5) {
        let pattern = pattern_of(seed);
        println!("seed {seed}, {pattern:?}");
        let mut rng = Rng::new(seed);
        let mem = empty::<WORDS>();
        let mut expected = Set::new();
        let mut failed = 0;
        for i in 0..1500 {
            let tree = tree::<WORDS>(&mem, None);
            let new = pattern.entry(i, &mut rng);
            if expected.contains(&new) {
                continue;
            }
            if rng.chance(60) {
                mem.fail_after(Some(rng.below(4)));
            }
            let result = tree.insert(new, FILL);
            mem.fail_after(None);
            failed += u64::from(result.is_err());
            if result.is_ok() || tree.contains(&new).unwrap() {
                expected.insert(new);
            }
            if i % 50 == 0 {
                check(&mem, &expected);
            }
        }
        let report = check(&mem, &expected);
        let high = report.height >= 3 || matches!(pattern, Pattern::Duplicates);
        assert!(failed > 100 && high, "{failed} {report:?}");
        tree::<WORDS>(&mem, None)
            .vacuum(&mut |_| false, true)
            .unwrap();
        assert_eq!(check(&mem, &expected).incomplete, 0);
    }
}

/// The old root's split is incomplete when its new right sibling is split in turn: the level for
/// the second downlink does not exist, and the old root lies left of what is held.
#[test]
fn a_missing_level_is_made_by_whoever_needs_it() {
    let mem = empty::<WORDS>();
    let tree = tree::<WORDS>(&mem, None);
    let mut expected = Set::new();
    let mut next = (0..).map(|i| entry::<WORDS>(i, i));
    while tree.meta().unwrap().level == 0 && mem.blocks().unwrap() == 2 {
        let new = next.next().unwrap();
        let before = mem.log_len();
        mem.fail_after(Some(1));
        let result = tree.insert(new, FILL);
        mem.fail_after(None);
        assert!(mem.log_len() == before + 1);
        assert_eq!(result.is_err(), mem.blocks().unwrap() > 2);
        expected.insert(new);
    }
    let report = check(&mem, &expected);
    assert_eq!((report.incomplete, report.height, report.leaves), (1, 1, 2));
    // The right leaf fills up without anybody locking the root.
    while tree.meta().unwrap().level == 0 {
        let new = next.next().unwrap();
        tree.insert(new, FILL).unwrap();
        expected.insert(new);
    }
    let report = check(&mem, &expected);
    assert_eq!((report.incomplete, report.height, report.leaves), (0, 2, 3));
}

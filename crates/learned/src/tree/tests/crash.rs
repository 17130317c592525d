//! Crashes and errors after every record, and replay.

use super::*;
use crate::store::Store;

/// The changes of a piece of work to the set, and the end of its records in the log.
struct Work<const W: usize> {
    end: usize,
    added: Option<Entry<W>>,
    deleted: Vec<Entry<W>>,
}

/// Does random work. Returns the store and the pieces of work.
fn work<const W: usize>(seed: u64, steps: u64) -> (Mem, Vec<Work<W>>) {
    let pattern = pattern_of(seed);
    println!("seed {seed}, {pattern:?}, {W} words, {steps} steps");
    let mut rng = Rng::new(seed);
    let mem = empty::<W>();
    let mut now = Set::new();
    let mut done = Vec::new();
    for i in 0..steps {
        let tree = tree::<W>(&mem, None);
        let (mut added, mut deleted) = (None, Vec::new());
        match rng.below(100) {
            0 => {
                let modulus = 2 + rng.below(9);
                let dead = |tie: u64| tie.is_multiple_of(modulus);
                tree.vacuum(&mut |tie: u64| dead(tie), true).unwrap();
                deleted.extend(now.iter().filter(|e: &&Entry<W>| dead(e.tie)));
                now.retain(|e| !dead(e.tie));
            }
            1 => tree.retrain(0).unwrap(),
            2 => {
                let from = pattern.entry(rng.below(steps), &mut rng);
                deleted.extend(now.range(from..).take(10).filter(|_| rng.chance(60)));
                let block = tree.find(&from).unwrap().block();
                tree.delete(block, &deleted).unwrap();
                // Entries that the leaf does not have stay.
                deleted.retain(|entry| !tree.contains(entry).unwrap());
                now.retain(|entry| deleted.binary_search(entry).is_err());
            }
            _ => {
                let new = pattern.entry(i, &mut rng);
                if now.insert(new) {
                    tree.insert(new, FILL).unwrap();
                    added = Some(new);
                }
            }
        }
        done.push(Work {
            end: mem.log_len(),
            added,
            deleted,
        });
    }
    (mem, done)
}

/// Counts of the states after crashes, and of what was incomplete in them.
#[derive(Default)]
pub(super) struct CrashCounts {
    pub states: u64,
    pub incomplete: u64,
    pub stale: u64,
    pub shifts: u64,
}

/// Crashes after every record of some work, replays, and checks that exactly the finished work is
/// there, and any part of the one unfinished piece.
fn survive<const W: usize>(seed: u64, steps: u64, counts: &mut CrashCounts) {
    let (mem, done) = work::<W>(seed, steps);
    let mut rng = Rng::new(seed);
    let mut pages = mem.base();
    let mut done = done.into_iter().peekable();
    let mut certain = Set::<W>::new();
    for (n, record) in mem.log().iter().enumerate() {
        record.redo(&mut pages);
        while let Some(next) = done.next_if(|next| next.end <= n + 1) {
            certain.extend(next.added);
            next.deleted.iter().for_each(|e| assert!(certain.remove(e)));
        }
        let unfinished = done.peek();
        // Pages by which the index was extended come back as zeros.
        let mut pages = pages.clone();
        let zeroes = rng.below(3) as usize;
        pages.resize(pages.len() + zeroes, std::sync::Arc::new([0; 8192]));
        let after = Mem::new(pages);

        let mut found = Set::new();
        let tree = tree::<W>(&after, None);
        let report = tree.verify(&mut |e| assert!(found.insert(*e))).unwrap();
        counts.states += 1;
        counts.incomplete += report.incomplete;
        counts.stale += report.stale_model_pages;
        for entry in certain.difference(&found) {
            let going = unfinished.is_some_and(|work| work.deleted.contains(entry));
            assert!(going, "a committed entry is missing after record {n}");
        }
        for entry in found.difference(&certain) {
            let coming = unfinished.is_some_and(|work| work.added == Some(*entry));
            assert!(coming, "an entry has come back after record {n}");
        }
        if report.incomplete > 0 || rng.chance(10) {
            continue_work(&after, found, pattern_of(seed), &mut rng);
        }
    }
}

#[test]
fn every_record_leaves_a_sound_tree() {
    let mut counts = CrashCounts::default();
    for seed in seeds(0, 5) {
        survive::<WORDS>(seed, 700, &mut counts);
        survive::<2>(seed, 700, &mut counts);
        survive::<1>(seed, 1200, &mut counts);
    }
    let hit = counts.incomplete > 0 && counts.stale > 0;
    assert!(hit, "nothing of interest was hit");
}

/// The same for much longer, with interleavings: OMENDB_STEPS pieces of work in all (default: two
/// million), from seed OMENDB_SEED (default: 0) on.
#[test]
#[ignore = "long"]
fn millions_of_steps_survive_crashes() {
    let set = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let (wanted, mut seed) = (set("OMENDB_STEPS"), set("OMENDB_SEED").unwrap_or(0));
    let (wanted, first) = (wanted.unwrap_or(2_000_000), seed);
    let (mut steps, mut counts) = (0, CrashCounts::default());
    while steps < wanted {
        let length = 300 + Rng::new(seed).below(1500);
        match seed % 6 {
            0 => survive::<1>(seed, length, &mut counts),
            1 => survive::<2>(seed, length, &mut counts),
            2 => survive::<WORDS>(seed, length, &mut counts),
            _ => concurrent::survive(seed, length / 3, &mut counts),
        }
        steps += length;
        seed += 1;
    }
    println!(
        "{steps} steps of seeds {first} to {}; {} states after crashes, \
         {} incomplete splits in them",
        seed - 1,
        counts.states,
        counts.incomplete
    );
}

/// More work on a crashed index, after which nothing may be incomplete.
pub(super) fn continue_work<const W: usize>(
    mem: &Mem,
    mut found: Set<W>,
    pattern: Pattern,
    rng: &mut Rng,
) {
    let tree = tree::<W>(mem, None);
    for i in 10_000..10_030 {
        let new = pattern.entry(i, rng);
        if found.insert(new) {
            tree.insert(new, FILL).unwrap();
        }
    }
    check(mem, &found);
    found.retain(|entry| entry.tie % 7 != 0);
    tree.vacuum(&mut |tie: u64| tie.is_multiple_of(7), true)
        .unwrap();
    tree.retrain(1).unwrap();
    tree.sweep(&mut |_| ()).unwrap();
    let report = check(mem, &found);
    assert_eq!((report.incomplete, report.stale_model_pages), (0, 0));
}

/// An error between two records (an interrupt, a full disk) leaves the same states as a crash, but
/// the other pages of the store stay as they are.
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
            .vacuum(&mut |_: u64| false, true)
            .unwrap();
        assert_eq!(check(&mem, &expected).incomplete, 0);
    }
}

/// The old root's split is incomplete when its new right sibling is split in turn. The level for
/// the second downlink does not exist, and the old root is left of the page that is held.
#[test]
fn a_missing_level_is_added_by_the_next_writer() {
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
        // An early merge is a second record, too.
        assert!(result.is_err() || mem.blocks().unwrap() == 2);
        expected.insert(new);
    }
    let report = check(&mem, &expected);
    assert_eq!((report.incomplete, report.height, report.leaves), (1, 1, 2));
    // The right leaf fills up while no backend locks the root.
    while tree.meta().unwrap().level == 0 {
        let new = next.next().unwrap();
        tree.insert(new, FILL).unwrap();
        expected.insert(new);
    }
    let report = check(&mem, &expected);
    assert_eq!((report.incomplete, report.height, report.leaves), (0, 2, 3));
}

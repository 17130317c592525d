//! Writers, scans, VACUUM and training at the same time: on real locks, and in interleavings that a
//! seed decides.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;
use crate::error::Error;
use crate::mem::{REFUSED, Task};

/// Writers, scans in both directions, VACUUM and retraining on one index.
struct Load {
    mem: Mem,
    seed: u64,
    pattern: Pattern,
    /// The number of writers that have not finished.
    writing: AtomicUsize,
    /// Entries whose insert has begun, with the length of the log before.
    begun: Mutex<Vec<(usize, Entry<WORDS>)>>,
    /// Entries that must stay, with the length of the log after their insert.
    kept: Mutex<Vec<(usize, Entry<WORDS>)>>,
}

/// Marks the end of a writer, also after a panic.
struct WriterEnd<'a>(&'a AtomicUsize);

impl Drop for WriterEnd<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether the VACUUM deletes the entries with this tie.
fn doomed(tie: u64) -> bool {
    tie >> 16 >= 1 << 20
}

/// The result, or None if a commit was refused. Every other error is a failure.
fn unless_refused<T>(result: crate::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::Corrupted { fault, .. }) if fault == REFUSED => None,
        Err(error) => panic!("{error}"),
    }
}

impl Load {
    fn new(seed: u64, writers: usize) -> Self {
        let pattern = pattern_of(seed);
        println!("seed {seed}, {pattern:?}");
        Self {
            mem: empty::<WORDS>(),
            seed,
            pattern,
            writing: AtomicUsize::new(writers),
            begun: Mutex::default(),
            kept: Mutex::default(),
        }
    }

    fn write(&self, number: u64, entries: u64) {
        let _done = WriterEnd(&self.writing);
        let mut rng = Rng::new(self.seed * 10 + number);
        let (mut last, mut model) = (None, None);
        for i in 0..entries {
            if rng.chance(5) {
                model = super::model::<WORDS>(&self.mem, &mut rng);
            }
            let tree = tree::<WORDS>(&self.mem, model.as_deref());
            let mut new = self.pattern.entry::<WORDS>(3 * i + number, &mut rng);
            let dies = rng.chance(20);
            let block = if dies { 1 << 20 | i as u32 } else { i as u32 };
            new.tie = tie_of(block, number as u16 + 1);
            let before = self.mem.log_len();
            self.begun.lock().unwrap().push((before, new));
            let done = match last.filter(|_| rng.chance(50)) {
                Some(hint) => tree.insert_with(Some(hint), new, &[], FILL),
                None => tree.insert(new, FILL),
            };
            let done = unless_refused(done);
            last = done.map(|done| done.block);
            if let Some(leaf) = last.filter(|_| dies && rng.chance(30)) {
                // As a scan that finds the entry dead. It may have moved to another leaf, and the
                // page may be another one by now.
                unless_refused(tree.delete(leaf, &[new]));
            }
            if let Some(leaf) = last.filter(|_| rng.chance(10)) {
                unless_refused(tree.redistribute(leaf));
            }
            if done.is_some() && !dies {
                let after = self.mem.log_len();
                self.kept.lock().unwrap().push((after, new));
            }
        }
    }

    /// The entries that are certainly there.
    fn there(&self) -> Set<WORDS> {
        self.kept
            .lock()
            .unwrap()
            .iter()
            .map(|kept| kept.1)
            .collect()
    }

    /// A scan must see all entries that were there before it began, in order and once.
    fn read(&self) {
        let mut rng = Rng::new(self.seed + 1);
        let mut model = None;
        while self.writing.load(Ordering::SeqCst) > 0 {
            let tree = tree::<WORDS>(&self.mem, model.as_deref());
            let there = self.there();
            let found = forward(&tree, &Entry::MIN, &Entry::MAX, &mut rng);
            assert!(found.is_sorted_by(|a, b| a < b));
            let set: Set<_> = found.into_iter().collect();
            assert!(there.is_subset(&set), "a forward scan missed entries");
            let there = self.there();
            let found = backward(&tree, &Entry::MIN, &Entry::MAX, &mut rng);
            assert!(found.is_sorted_by(|a, b| a > b));
            let set: Set<_> = found.into_iter().collect();
            assert!(there.is_subset(&set), "a backward scan missed entries");
            for entry in there.iter().step_by(7) {
                assert!(tree.contains(entry).unwrap());
            }
            drop(tree);
            if rng.chance(50) {
                model = super::model::<WORDS>(&self.mem, &mut rng);
            }
        }
    }

    fn clean(&self) {
        let tree = tree::<WORDS>(&self.mem, None);
        while self.writing.load(Ordering::SeqCst) > 0 {
            unless_refused(tree.vacuum(&mut |tie: u64| doomed(tie), true));
            unless_refused(tree.retrain(0));
            unless_refused(tree.sweep(&mut |_| ()));
        }
    }

    /// After a last VACUUM nothing is incomplete, and exactly the expected entries are there. If
    /// the commit of an insert was refused, its entry may be there, since the refused record may
    /// have been a later one.
    fn end(&self) {
        let tree = tree::<WORDS>(&self.mem, None);
        tree.vacuum(&mut |tie: u64| doomed(tie), true).unwrap();
        let mut found = Set::new();
        tree.verify(&mut |entry| assert!(found.insert(*entry)))
            .unwrap();
        self.compare(&found, usize::MAX);
        assert!(found.iter().all(|entry| !doomed(entry.tie)));
        assert_eq!(check(&self.mem, &found).incomplete, 0);
    }

    /// Compares the entries found after `records` records with the expected ones.
    fn compare(&self, found: &Set<WORDS>, records: usize) {
        for (end, entry) in self.kept.lock().unwrap().iter() {
            let gone = *end <= records && !found.contains(entry);
            assert!(!gone, "an entry is missing after record {records}");
        }
        let begun = self.begun.lock().unwrap();
        let begun: Set<_> = begun
            .iter()
            .filter(|b| b.0 < records)
            .map(|b| b.1)
            .collect();
        assert!(found.is_subset(&begun), "entries from nowhere");
    }
}

/// On real locks.
#[test]
fn threads_agree() {
    for seed in seeds(40, 5) {
        let load = Load::new(seed, 3);
        thread::scope(|scope| {
            let load = &load;
            for number in 0..3 {
                scope.spawn(move || load.write(number, 700));
            }
            scope.spawn(|| load.read());
            scope.spawn(|| load.clean());
        });
        load.end();
    }
}

/// Three writers of `entries` entries each, a reader and a cleaner, one thread at a time. The seed
/// decides at each call of the store which thread runs next; some commits fail. Then a crash after
/// every record: all finished work is there, and the index is usable.
pub(super) fn survive(seed: u64, entries: u64, counts: &mut crash::CrashCounts) {
    let mut rng = Rng::new(seed);
    let load = Load::new(seed, 3);
    let mut tasks: Vec<Task<'_>> = Vec::new();
    for number in 0..3 {
        let load = &load;
        tasks.push(Box::new(move || load.write(number, entries)));
    }
    tasks.push(Box::new(|| load.read()));
    tasks.push(Box::new(|| load.clean()));
    load.mem.interleave(seed, rng.below(3) * 5, tasks);
    assert_eq!(load.mem.breaches(), Vec::<String>::new());
    load.end();

    let mut pages = load.mem.base();
    for (n, record) in load.mem.log().iter().enumerate() {
        record.redo(&mut pages);
        let after = Mem::new(pages.clone());
        let mut found = Set::new();
        let report = tree::<WORDS>(&after, None)
            .verify(&mut |entry| assert!(found.insert(*entry)))
            .unwrap();
        load.compare(&found, n + 1);
        counts.states += 1;
        counts.incomplete += report.incomplete;
        counts.shifts += u64::from(record.blocks().count() == 4);
        if rng.chance(if report.incomplete > 0 { 20 } else { 1 }) {
            crash::continue_work(&after, found, load.pattern, &mut rng);
        }
    }
}

#[test]
fn interleavings_agree_and_survive_crashes() {
    let mut counts = crash::CrashCounts::default();
    for seed in seeds(60, 20) {
        survive(seed, 60 + seed * 37 % 100, &mut counts);
    }
    let hit = counts.incomplete > 0 && counts.shifts > 0;
    assert!(hit, "nothing of interest was hit");
}

/// The same seed gives the same records.
#[test]
fn interleavings_can_be_repeated() {
    let run = |seed| {
        let load = Load::new(seed, 2);
        let tasks: Vec<Task<'_>> = vec![
            Box::new(|| load.write(0, 100)),
            Box::new(|| load.write(1, 100)),
            Box::new(|| load.clean()),
        ];
        load.mem.interleave(seed, 5, tasks);
        let blocks = |record: &crate::mem::Record| record.blocks().collect::<Vec<_>>();
        load.mem.log().iter().map(blocks).collect::<Vec<_>>()
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

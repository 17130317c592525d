use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

/// Ties of entries that the vacuum thread removes.
fn doomed(tie: u64) -> bool {
    tie >> 16 >= 1 << 20
}

/// Writers, scans in both directions, vacuum and retraining at the same time, on real locks. A
/// scan must see what was there before it began, in order and once.
#[test]
fn threads_agree() {
    for (seed, pattern) in (40..).zip(PATTERNS) {
        println!("seed {seed}, {pattern:?}");
        let mem = empty::<WORDS>();
        let kept = Mutex::new(Set::<WORDS>::new());
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let writers: Vec<_> = (0..3)
                .map(|number| {
                    let (mem, kept) = (&mem, &kept);
                    scope.spawn(move || {
                        let mut rng = Rng::new(seed * 10 + number);
                        let tree = tree::<WORDS>(mem, None);
                        for i in 0..700 {
                            let mut new = pattern.entry::<WORDS>(3 * i + number, &mut rng);
                            let dies = rng.chance(20);
                            new.tie = if dies {
                                tie_of(1 << 20 | i as u32, number as u16 + 1)
                            } else {
                                tie_of(i as u32, number as u16 + 1)
                            };
                            tree.insert(new, FILL).unwrap();
                            if !dies {
                                kept.lock().unwrap().insert(new);
                            }
                        }
                    })
                })
                .collect();
            scope.spawn(|| {
                let mut rng = Rng::new(seed + 1);
                let mut model = None;
                while !stop.load(Ordering::Relaxed) {
                    let tree = tree::<WORDS>(&mem, model.as_deref());
                    let there = kept.lock().unwrap().clone();
                    let mut found = forward(&tree, &Entry::MIN, &Entry::MAX, &mut rng);
                    assert!(found.is_sorted_by(|a, b| a < b));
                    let set: Set<_> = found.drain(..).collect();
                    assert!(there.is_subset(&set), "a forward scan missed entries");
                    let there = kept.lock().unwrap().clone();
                    let mut found = backward(&tree, &Entry::MIN, &Entry::MAX, &mut rng);
                    assert!(found.is_sorted_by(|a, b| a > b));
                    let set: Set<_> = found.drain(..).collect();
                    assert!(there.is_subset(&set), "a backward scan missed entries");
                    for entry in there.iter().step_by(7) {
                        assert!(tree.contains(entry).unwrap());
                    }
                    drop(tree);
                    if rng.chance(50) {
                        model = super::tree::<WORDS>(&mem, None).load_model().unwrap();
                    }
                }
            });
            scope.spawn(|| {
                let tree = tree::<WORDS>(&mem, None);
                while !stop.load(Ordering::Relaxed) {
                    tree.vacuum(&mut |tie| doomed(tie), true).unwrap();
                    tree.retrain(0).unwrap();
                    tree.sweep(&mut |_| ()).unwrap();
                }
            });
            for writer in writers {
                writer.join().unwrap();
            }
            stop.store(true, Ordering::Relaxed);
        });
        tree::<WORDS>(&mem, None)
            .vacuum(&mut |tie| doomed(tie), true)
            .unwrap();
        let report = check(&mem, &kept.into_inner().unwrap());
        assert_eq!(report.incomplete, 0);
    }
}

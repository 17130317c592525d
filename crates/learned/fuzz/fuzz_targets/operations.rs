//! Any sequence of changes: the index has the entries of a set, breaks no rule of locking or
//! logging, and replay of its log gives the same pages.
#![no_main]

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use learned::cursor::Cursor;
use learned::key::tie_of;
use learned::mem::Mem;
use learned::range::Range;
use learned::tree::empty_index;
use learned::{Entry, Tree};
use libfuzzer_sys::fuzz_target;

const FANOUT: usize = 4;

#[derive(Debug, Arbitrary)]
enum Operation {
    Insert(i64, u16),
    /// A first key, a number of keys, and the step between them.
    Append(i32, u16, u8),
    /// A multiplier that scatters keys, and a quarter of their number.
    Scatter(u64, u8),
    Vacuum(u8),
    Retrain,
    Scan(i64, i64, bool),
}

fn entry(key: u64, tid: u64) -> Entry<1> {
    Entry::new([key], tie_of((tid / 200) as u32, (tid % 200 + 1) as u16))
}

/// Reads a range and compares it with the set's.
fn scan(
    tree: &Tree<'_, Mem, 1>,
    from: Entry<1>,
    until: Entry<1>,
    forward: bool,
    set: &BTreeSet<Entry<1>>,
) {
    let mut cursor = Cursor::default();
    cursor.reset(Range::exact(from, until));
    let mut found = Vec::new();
    loop {
        match cursor.step(forward) {
            Some(entry) => found.push(entry),
            None if cursor.has_more(forward) => drop(cursor.load(tree, forward).unwrap()),
            None => break,
        }
    }
    if !forward {
        found.reverse();
    }
    assert!(found.iter().eq(set.range(from..until)));
}

fuzz_target!(|operations: Vec<Operation>| {
    let mem = Mem::from_blocks(empty_index::<1>(90, [0; 8]));
    let mut set = BTreeSet::new();
    let mut next = 0;
    for operation in operations.iter().take(60) {
        let model = Tree::<_, 1>::new(&mem).load_model().unwrap();
        let tree = match &model {
            Some(bytes) => Tree::<_, 1>::with_model(&mem, bytes),
            None => Tree::new(&mem),
        }
        .with_inner_limit(FANOUT);
        let mut add = |key: u64, tid: u64| {
            if set.insert(entry(key, tid)) {
                tree.insert(entry(key, tid), 90).unwrap();
            }
        };
        match *operation {
            Operation::Insert(key, tid) => add(key as u64, tid.into()),
            Operation::Append(first, count, step) => {
                for i in 0..u64::from(count % 2000) {
                    next += 1;
                    add((first as u64).wrapping_add(i * u64::from(step)), next);
                }
            }
            Operation::Scatter(multiplier, count) => {
                for i in 0..4 * u64::from(count) {
                    next += 1;
                    add(multiplier.wrapping_mul(i * i + 1), next);
                }
            }
            Operation::Vacuum(keep) => {
                let dead = |tie: u64| tie % (u64::from(keep) + 2) != 0;
                tree.vacuum(&mut |tie: u64| dead(tie), true).unwrap();
                set.retain(|entry| !dead(entry.tie));
            }
            Operation::Retrain => tree.retrain(0).unwrap(),
            Operation::Scan(a, b, forward) => {
                let (a, b) = (entry(a as u64, 0), entry(b as u64, 0));
                scan(&tree, a.min(b), a.max(b), forward, &set);
            }
        }
    }
    let tree = Tree::<_, 1>::new(&mem).with_inner_limit(FANOUT);
    for forward in [true, false] {
        scan(&tree, Entry::MIN, Entry::MAX, forward, &set);
    }
    let mut found = Vec::new();
    tree.verify(&mut |entry| found.push(*entry)).unwrap();
    assert!(found.iter().eq(&set));
    assert_eq!(mem.breaches(), Vec::<String>::new());
    let mut pages = mem.base();
    for record in mem.log() {
        record.redo(&mut pages);
    }
    assert!(pages == mem.pages());
});

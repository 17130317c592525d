//! How full splits leave the leaves when keys ascend or descend, but not at the end of the index:
//! in groups, or behind faster sessions.

use super::*;
use crate::tree::InsertOutcome;

/// Rows of a heap page.
const PAGE: u64 = 157;

fn row(key: u64, block: u64, row: u64) -> Entry<1> {
    Entry::new([key], tie_of(block as u32, (row % PAGE + 1) as u16))
}

/// Adds the entries in this order. Returns the number of leaves in percent of the leaves of a
/// build.
fn growth(entries: &[Entry<1>]) -> u64 {
    let mem = empty::<1>();
    let tree = Tree::<_, 1>::new(&mem);
    for entry in entries {
        tree.insert(*entry, FILL).unwrap();
    }
    let set: Set<1> = entries.iter().copied().collect();
    check(&mem, &set).leaves * 100 / check(&build(&set), &set).leaves
}

/// Rows of the same times from several sessions, each of which inserts about `turns` rows at a time
/// into heap pages of its own.
fn sessions(turns: &[u64], rows: u64) -> Vec<Entry<1>> {
    let mut rng = Rng::new(1);
    let mut all = Vec::new();
    let mut blocks = 0;
    let mut done = vec![(0, 0); turns.len()];
    while done.iter().any(|&(i, _)| i < rows) {
        for ((i, block), most) in done.iter_mut().zip(turns) {
            for _ in 0..rng.below(2 * most + 1).min(rows - *i) {
                if *i % PAGE == 0 {
                    *block = blocks;
                    blocks += 1;
                }
                all.push(row(*i / 1000 * 10_000_000, *block, *i));
                *i += 1;
            }
        }
    }
    all
}

#[test]
fn slower_sessions() {
    let grown = growth(&sessions(&[100; 4], 120_000));
    assert!(grown < 165, "{grown} percent");
}

#[test]
fn groups() {
    let mut rng = Rng::new(3);
    let rows = 0..150_000;
    let all: Vec<_> = rows
        .map(|i| row((rng.below(30) << 40) + i * 1000, i / PAGE, i))
        .collect();
    let grown = growth(&all);
    assert!(grown < 140, "{grown} percent");
}

#[test]
fn descending_groups() {
    let mut rng = Rng::new(3);
    let rows = 0..150_000;
    let all: Vec<_> = rows
        .map(|i| row(((rng.below(30) + 1) << 40) - i * 1000, i / PAGE, i))
        .collect();
    let grown = growth(&all);
    assert!(grown < 160, "{grown} percent");
}

/// The rows of 8 sessions, which run in random order. Each takes 20 ids at a time and fills heap
/// pages of its own.
fn ids(rows: u64) -> Vec<Entry<1>> {
    let mut rng = Rng::new(5);
    // Of each session: its last id, its heap page, and the number of rows there.
    let mut sessions = [(0, 0, PAGE); 8];
    let (mut next, mut blocks) = (0, 0);
    let mut all = Vec::new();
    for _ in 0..rows {
        let (id, block, rows) = &mut sessions[rng.below(8) as usize];
        if *id % 20 == 0 {
            *id = next;
            next += 20;
        }
        *id += 1;
        if *rows == PAGE {
            (*block, *rows) = (blocks, 0);
            blocks += 1;
        }
        all.push(row(*id * 1000, *block, *rows));
        *rows += 1;
    }
    all
}

/// Concurrent sessions that add ascending or descending keys all add to one leaf. The leaves left
/// behind are not merged again and again for a few entries.
#[test]
fn leaves_are_left_behind() {
    for (direction, sign) in [("up", 1), ("down", u64::MAX)] {
        let mem = empty::<1>();
        let tree = Tree::<_, 1>::new(&mem);
        let (mut merges, mut splits, mut behind) = (0, 0, 0);
        let mut front = None;
        let rows = ids(200_000);
        for row in &rows {
            let key = (1 << 40) + row.key[0].wrapping_mul(sign);
            let done = tree.insert(Entry::new([key], row.tie), 97).unwrap();
            match done.outcome {
                InsertOutcome::Merged => merges += 1,
                InsertOutcome::Split(right) => {
                    splits += 1;
                    front = Some(if sign == 1 { right } else { done.block });
                }
                _ if front.is_some_and(|front| front != done.block) => behind += 1,
                _ => {}
            }
        }
        assert!(merges < splits * 28, "{direction}: {merges} merges");
        assert!(behind < 200, "{direction}: {behind} rows behind");
        let leaves = tree.verify(&mut |_| ()).unwrap().leaves;
        assert!(leaves < 53, "{direction}: {leaves} leaves");
    }
}

/// Batches of 4 sessions, which load the data of 200 series each, the latest time first. Sometimes
/// one of them is faster and sometimes another one.
fn batches(moments: u64) -> Vec<Vec<Entry<1>>> {
    const SHARE: u64 = 200;
    let mut rng = Rng::new(7);
    let mut sessions = [(0, 0); 4];
    let mut blocks = 0;
    let mut all = Vec::new();
    while sessions.iter().any(|&(i, _)| i < SHARE * moments) {
        let (i, block) = &mut sessions[rng.below(4) as usize];
        for _ in 0..=rng.below(8) {
            let mut batch = Vec::new();
            while batch.len() < 4096 && *i < SHARE * moments {
                if *i % PAGE == 0 {
                    *block = blocks;
                    blocks += 1;
                }
                let moment = u64::MAX / 2 - *i / SHARE * 10_000_000;
                batch.push(row(moment, *block, *i));
                *i += 1;
            }
            batch.sort();
            all.push(batch);
        }
    }
    all
}

/// Leaves that faster sessions have left behind are not split early when a slower session comes to
/// their end.
#[test]
fn faster_and_slower_sessions() {
    let mem = empty::<1>();
    let tree = Tree::<_, 1>::new(&mem);
    for batch in batches(2500) {
        let mut rest = batch.as_slice();
        while let Some((e, more)) = rest.split_first() {
            let taken = tree.insert_with(None, *e, more, 97).unwrap().taken;
            rest = &rest[taken..];
        }
    }
    // 2 million rows. There would be 207 leaves if every leaf were split early as the last one is.
    let leaves = tree.verify(&mut |_| ()).unwrap().leaves;
    assert!(leaves < 201, "{leaves} leaves");
}

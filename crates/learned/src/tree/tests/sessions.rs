//! How full splits leave the leaves where keys ascend, but amid others: in groups, or behind faster sessions.

use super::*;
use crate::tree::How;

/// Rows of a heap page.
const PAGE: u64 = 157;

fn row(key: u64, block: u64, row: u64) -> Entry<1> {
    Entry::new([key], tie_of(block as u32, (row % PAGE + 1) as u16))
}

/// Adds the entries in this order, and compares the number of leaves with that of an index built from them: percent.
fn growth(entries: &[Entry<1>]) -> u64 {
    let mem = empty::<1>();
    let tree = Tree::<_, 1>::new(&mem);
    for entry in entries {
        tree.insert(*entry, FILL).unwrap();
    }
    let set: Set<1> = entries.iter().copied().collect();
    check(&mem, &set).leaves * 100 / check(&build(&set), &set).leaves
}

/// Rows of the same moments from sessions that insert so many a turn, each into heap pages of its own.
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

/// 8 sessions, each of which takes 20 ids at a time and fills heap pages of its own, in an order of chance.
fn ids(rows: u64) -> Vec<Entry<1>> {
    let mut rng = Rng::new(5);
    // Of each session its last id, its heap page and the rows there.
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

/// What sessions side by side add, be it in ascending or in descending order, goes to one leaf, and those that it has left behind are
/// not merged for a few entries again and again.
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
            match done.how {
                How::Merged => merges += 1,
                How::Split(right) => {
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

/// Batches of 4 sessions, which load each its share of 800 series, from the first moment to the last, now one faster and now the other; the
/// latest moment first.
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

/// Leaves that other sessions have left behind are not split early where a slower one comes to an end of theirs.
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
    // 2 million rows; 207 with the rule for the last leaf at every leaf.
    let leaves = tree.verify(&mut |_| ()).unwrap().leaves;
    assert!(leaves < 201, "{leaves} leaves");
}

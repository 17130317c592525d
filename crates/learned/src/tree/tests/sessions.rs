//! How full splits leave the leaves where keys ascend, but amid others: in groups, or behind faster sessions.

use super::*;

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

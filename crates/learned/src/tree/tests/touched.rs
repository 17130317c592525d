//! Pages touched by a search for a random row's key, by distribution of the keys.

use super::*;

const ROWS: u64 = 200_000;
const SEARCHES: u64 = 4000;

/// Keys in order, as many as asked for or nearly.
fn keys(name: &str, rng: &mut Rng) -> Vec<u64> {
    let middle = 1u64 << 63;
    let mut keys: Vec<u64> = (0..ROWS)
        .map(|i| match name {
            "sequential" => middle + i,
            "uniform" => rng.next(),
            "one key in 90 %" if rng.chance(90) => middle,
            "one key in 90 %" => middle - ROWS + rng.below(2 * ROWS),
            "all equal" => middle,
            "two clusters" => rng.below(2) * (middle + middle / 2) + rng.below(1 << 30),
            "exponential gaps" => (1u64 << rng.below(63)) | (rng.next() >> (1 + rng.below(63))),
            "powers of two" => 1u64 << rng.below(64),
            "alternating extremes" if i % 2 == 0 => 1 + i,
            "alternating extremes" => u64::MAX - 1 - i,
            "outliers" if rng.below(10_000) == 0 => u64::MAX - rng.below(1 << 50),
            "outliers" => middle + rng.below(1 << 20) * rng.below(1 << 20) / (1 << 20),
            _ => middle + ((i / 100) << 20) + i % 100,
        })
        .collect();
    keys.sort_unstable();
    keys
}

/// Pages read by one search for the start of `key`, which must end at its leaf.
fn search(mem: &Mem, tree: &Tree<'_, Mem, 1>, key: u64) -> u64 {
    let target = Entry::floor([key]);
    let before = mem.reads();
    let leaf = tree.find(&target).unwrap();
    assert!(
        Leaf::<1>::open(&leaf, leaf.block())
            .unwrap()
            .covers(&target)
    );
    mem.reads() - before
}

fn built(keys: &[u64]) -> Mem {
    let entries = (0..).zip(keys).map(|(i, &key)| row(key, i));
    build::<1>(&entries.collect())
}

fn row(key: u64, i: u64) -> Entry<1> {
    Entry::new([key], tie_of((i / 200) as u32, (i % 200 + 1) as u16))
}

#[test]
fn one_page_after_a_build() {
    for name in [
        "sequential",
        "uniform",
        "one key in 90 %",
        "all equal",
        "two clusters",
        "exponential gaps",
        "powers of two",
        "alternating extremes",
        "outliers",
        "bursts",
    ] {
        let mut rng = Rng::new(5);
        let keys = keys(name, &mut rng);
        let mem = built(&keys);
        let model = tree::<1>(&mem, None).load_model().unwrap();
        let tree = tree::<1>(&mem, model.as_deref());
        let pages: u64 = (0..SEARCHES)
            .map(|_| search(&mem, &tree, keys[rng.below(keys.len() as u64) as usize]))
            .sum();
        let mean = pages as f64 / SEARCHES as f64;
        println!("{name}: {mean:.3}");
        assert!(mean <= 1.1, "{name}: {mean}");
    }
}

/// Keys beyond the leaves that the model knows cost one page more than without a model.
#[test]
fn appended_keys_cost_a_page_more_at_most() {
    let first = 1u64 << 63;
    let keys: Vec<u64> = (first..first + ROWS).collect();
    let mem = built(&keys);
    let plain = tree::<1>(&mem, None);
    let model = plain.load_model().unwrap();
    for i in ROWS..ROWS + ROWS / 2 {
        plain.insert(row(first + i, i), FILL).unwrap();
    }
    search(&mem, &plain, first);
    let tree = tree::<1>(&mem, model.as_deref()).with_root_hint(plain.root_hint());
    for key in (first + ROWS..first + ROWS + ROWS / 2).step_by(31) {
        let (with, without) = (search(&mem, &tree, key), search(&mem, &plain, key));
        assert!(
            with <= without + 1,
            "{with} pages, {without} without a model"
        );
    }
}

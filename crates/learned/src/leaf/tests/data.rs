//! Entries of many shapes, the same in every run.

use crate::key::{Entry, NULL_BIT, tie_of};
use crate::rng::Rng;

/// The tie of row `i`, with `rows` rows on a heap page.
pub fn heap(i: u64, rows: u64) -> u64 {
    tie_of((i / rows) as u32, (i % rows + 1) as u16)
}

pub const SHAPES: [&str; 13] = [
    "uniform",
    "sequential",
    "jitter",
    "bursty",
    "duplicates",
    "one key",
    "extreme",
    "nulls",
    "wide",
    "minutes",
    "descending heap",
    "constant step",
    "wide rows",
];

/// At most `n` entries of a shape, strictly ascending. With two words or more the first word is a
/// device.
pub fn entries<const W: usize>(shape: &str, n: usize, seed: u64) -> Vec<Entry<W>> {
    let mut rng = Rng(seed);
    let mut at = 1u64 << 63 | rng.below(1 << 40);
    let mut out: Vec<Entry<W>> = (0..n as u64)
        .map(|i| {
            let (k, tie) = match shape {
                "uniform" => (
                    rng.below(n as u64 * 100_000),
                    heap(rng.below(10_000_000), 226),
                ),
                "sequential" => (1_000_000 + i * 1000 + rng.below(1001), heap(i, 226)),
                "jitter" => (
                    i * 64 + rng.below(128),
                    heap((i + rng.below(9)) * 10 + rng.below(10), 100),
                ),
                "bursty" => {
                    at += if rng.below(200) == 0 {
                        rng.below(1 << 40)
                    } else {
                        rng.below(7)
                    };
                    (at, heap(i + rng.below(3) * 1000, 50))
                }
                "duplicates" => (rng.below(n as u64 / 50 + 1), heap(rng.below(1 << 30), 200)),
                "one key" => (42, heap(i * 3 + rng.below(3), 150)),
                "extreme" => (
                    [0, 1, u64::MAX, u64::MAX - 1, 1 << 63][rng.below(5) as usize],
                    rng.next() & (NULL_BIT | crate::key::TID_MASK),
                ),
                "nulls" => {
                    if i * 10 < n as u64 * 7 {
                        (u64::MAX - 1_000_000 + i, heap(i, 226))
                    } else {
                        (u64::MAX, NULL_BIT | heap(rng.below(1 << 24), 226))
                    }
                }
                "wide" => (rng.next(), rng.next() & crate::key::TID_MASK),
                "minutes" => {
                    at += if rng.below(13) == 0 {
                        60_000_000 * rng.below(3)
                    } else {
                        0
                    };
                    (at, heap(i, 150))
                }
                "descending heap" => (i * 17, heap(n as u64 * 2 - i, 100)),
                // Each heap page has one row, so that the ordinals of a block are one.
                "wide rows" => (i * 5, heap(rng.below(1 << 20), 1)),
                _ => (i * 10_000_000, heap(i, 226)),
            };
            let mut key = [k; W];
            if W > 1 {
                // About a hundred rows for each device. Their keys repeat where the shape has
                // duplicates.
                key[0] = i / 100;
                key[W - 1] = k;
            }
            Entry::new(key, tie)
        })
        .collect();
    out.sort();
    out.dedup();
    out
}

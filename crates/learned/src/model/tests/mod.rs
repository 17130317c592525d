//! Tests of the model, and the data they share.

mod bounds;
mod coordinates;
mod damage;
mod fitting;
mod serialized;

use super::{Model, Training};
use crate::key::Entry;
use crate::page::Block;
use crate::rng::Rng;

/// A number in (0, 1].
fn unit(r: &mut Rng) -> f64 {
    ((r.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
}

/// A number of the standard normal distribution, by the Box-Muller transform.
fn normal(r: &mut Rng) -> f64 {
    (-2.0 * unit(r).ln()).sqrt() * (std::f64::consts::TAU * unit(r)).cos()
}

pub type Leaves<const W: usize> = Vec<(Entry<W>, Block)>;

/// Leaves of `per` entries each over these keys.
pub fn leaves<const W: usize>(keys: &[[u64; W]], per: usize) -> Leaves<W> {
    let mut entries: Vec<Entry<W>> = keys
        .iter()
        .zip(1u64..)
        .map(|(&k, tid)| Entry::new(k, tid << 16 | 1))
        .collect();
    entries.sort_unstable();
    (0..entries.len().div_ceil(per))
        .map(|j| {
            let low = match j {
                0 => Entry::MIN,
                _ => entries[j * per].fence_after(&entries[j * per - 1]),
            };
            (low, j as Block + 7)
        })
        .collect()
}

pub fn train<const W: usize>(leaves: &Leaves<W>) -> Vec<u8> {
    let mut training = Training::new();
    for (low, block) in leaves {
        training.push(low, *block);
    }
    assert_eq!(training.len(), leaves.len());
    training.finish(3, 1_700_000_000_000_000)
}

/// The leaf where a scan for `key` starts, by binary search.
pub fn truth<const W: usize>(leaves: &Leaves<W>, key: &[u64; W]) -> usize {
    let floor = Entry::floor(*key);
    leaves
        .partition_point(|(low, _)| *low <= floor)
        .saturating_sub(1)
}

/// Share of these keys whose leaf is predicted exactly.
pub fn exactness<const W: usize>(model: &Model, leaves: &Leaves<W>, keys: &[[u64; W]]) -> f64 {
    let hits = keys
        .iter()
        .filter(|k| {
            let guess = model.predict(k).map(|p| p.ordinal as usize);
            guess == Some(truth(leaves, k))
        })
        .count();
    hits as f64 / keys.len() as f64
}

/// `n` keys of one word, by name.
pub fn distributions(n: usize) -> Vec<(&'static str, Vec<[u64; 1]>)> {
    let mut r = Rng::new(42);
    let mut all: Vec<(&'static str, Vec<u64>)> = Vec::new();
    let count = n as u64;
    let low = 1u64 << 63;
    all.push((
        "uniform",
        (0..n).map(|_| low + r.below(1_000_000_000_000)).collect(),
    ));
    all.push((
        "sequential",
        (0..count).map(|i| low + i * 1000 + r.below(900)).collect(),
    ));
    all.push(("consecutive", (0..count).map(|i| low + i).collect()));
    let mut at = low;
    all.push((
        "bursty",
        (0..n)
            .map(|_| {
                at += if r.below(200) == 0 {
                    r.below(50_000_000)
                } else {
                    r.below(100)
                };
                at
            })
            .collect(),
    ));
    all.push((
        "zipf",
        (0..n)
            .map(|_| low + (1e6 * unit(&mut r).powf(-0.8)) as u64 % (1 << 40))
            .collect(),
    ));
    all.push((
        "lognormal",
        (0..n)
            .map(|_| low + (1e9 * (2.0 * normal(&mut r)).exp()) as u64)
            .collect(),
    ));
    all.push((
        "clustered",
        (0..n)
            .map(|i| (i as u64 & 1) * 0xF000_0000_0000_0000 + r.below(1 << 30))
            .collect(),
    ));
    let mut at = 0f64;
    all.push((
        "exponential gaps",
        (0..n)
            .map(|_| {
                at += (2f64).powf(unit(&mut r) * 24.0);
                at as u64
            })
            .collect(),
    ));
    all.push((
        "powers of two",
        (0..n).map(|_| 1 << r.below(64) | r.below(1000)).collect(),
    ));
    all.push((
        "extremes",
        (0..count)
            .map(|i| if i % 2 == 0 { i } else { u64::MAX - i })
            .collect(),
    ));
    all.push((
        "one key in 90 %",
        (0..n)
            .map(|_| {
                low + if r.below(10) > 0 {
                    500_000
                } else {
                    r.below(1_000_000)
                }
            })
            .collect(),
    ));
    all.push(("all equal", vec![low + 5; n]));
    all.push(("all least", vec![0; n]));
    all.push(("all greatest", vec![u64::MAX; n]));
    all.push(("few values", (0..n).map(|_| low + r.below(20)).collect()));
    all.push((
        "heavy pairs",
        (0..count).map(|i| low + i / 100 * 10).collect(),
    ));
    all.push(("full range", (0..n).map(|_| r.next()).collect()));
    all.into_iter()
        .map(|(name, keys)| (name, keys.into_iter().map(|k| [k]).collect()))
        .collect()
}

/// `n` keys of two words, by name.
pub fn pairs(n: usize) -> Vec<(&'static str, Vec<[u64; 2]>)> {
    let mut r = Rng::new(43);
    let low = 1u64 << 63;
    let mut all: Vec<(&'static str, Vec<[u64; 2]>)> = Vec::new();
    let series = |r: &mut Rng, devices: u64| -> Vec<[u64; 2]> {
        let each = n as u64 / devices;
        let mut keys = Vec::new();
        for d in 0..devices {
            keys.extend((0..each).map(|i| [low + d, low + i * 10_000 + r.below(9000)]));
        }
        keys
    };
    all.push(("20 devices", series(&mut r, 20)));
    all.push(("many devices", series(&mut r, n as u64 / 100)));
    all.push(("one device", series(&mut r, 1)));
    all.push(("uuid", (0..n).map(|_| [r.next(), r.next()]).collect()));
    all.push((
        "wide second word",
        (0..n).map(|_| [r.below(5), r.next()]).collect(),
    ));
    all.push((
        "wide first word",
        (0..n).map(|_| [r.below(8) << 61, r.below(100)]).collect(),
    ));
    let mut nulls = series(&mut r, 20);
    for key in nulls.iter_mut().step_by(7) {
        key[1] = u64::MAX;
    }
    all.push(("every seventh null", nulls));
    all.push(("all equal", vec![[low, 9]; n]));
    all.push((
        "one key in 90 %",
        (0..n)
            .map(|_| {
                if r.below(10) > 0 {
                    [low, 500]
                } else {
                    [low + r.below(9) - 4, r.below(1000)]
                }
            })
            .collect(),
    ));
    all.push((
        "heavy in lossy",
        (0..n)
            .map(|_| {
                if r.below(10) > 0 {
                    [1 << 60, r.below(1 << 40)]
                } else {
                    [r.next(), r.next()]
                }
            })
            .collect(),
    ));
    all
}

//! Training and predicting. Each prediction is compared with a binary search over the fences.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "../src/rng.rs"]
mod rng;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use learned::key::Entry;
use learned::model::{Model, Training};
use rng::Rng;

const PER_LEAF: u64 = 1400;

/// Fences `gap` apart on average. `irregular`: their spread, in units of the spread that `PER_LEAF`
/// random keys for each leaf would give; 0: none.
fn fences(leaves: u64, gap: u64, irregular: f64) -> Vec<u64> {
    let mut rng = Rng::new(7);
    let mut at = 1u64 << 60;
    (0..leaves)
        .map(|_| {
            let sum: f64 = (0..12).map(|_| rng.next() as f64 / u64::MAX as f64).sum();
            let spread = 1.0 + irregular * (sum - 6.0) / (PER_LEAF as f64).sqrt();
            at += (gap as f64 * spread.max(0.01)) as u64;
            at
        })
        .collect()
}

fn one(fences: &[u64]) -> Vec<Entry<1>> {
    let rest = fences.iter().skip(1).map(|&k| Entry::floor([k]));
    std::iter::once(Entry::MIN).chain(rest).collect()
}

fn two(fences: &[u64], devices: u64) -> Vec<Entry<2>> {
    let each = (fences.len() as u64 / devices).max(1) as usize;
    let keys = (0..fences.len()).map(|j| [1000 + (j / each) as u64, fences[j % each]]);
    std::iter::once(Entry::MIN)
        .chain(keys.skip(1).map(Entry::floor))
        .collect()
}

fn training<const W: usize>(lows: &[Entry<W>]) -> Training<W> {
    let mut training = Training::new();
    for (low, block) in lows.iter().zip(1..) {
        training.push(low, block);
    }
    training
}

fn fit<const W: usize>(c: &mut Criterion, name: &str, lows: &[Entry<W>]) {
    let mut group = c.benchmark_group("fit");
    group
        .throughput(Throughput::Elements(lows.len() as u64))
        .sample_size(20);
    group.bench_function(name, |b| {
        b.iter_batched(|| training(lows), |t| t.finish(1, 0), BatchSize::LargeInput);
    });
    group.finish();
}

fn predict<const W: usize>(c: &mut Criterion, name: &str, lows: &[Entry<W>]) {
    let bytes = training(lows).finish(1, 0);
    let model = Model::open(&bytes).unwrap();
    let mut rng = Rng::new(3);
    let keys: Vec<[u64; W]> = (0..1 << 14)
        .map(|_| {
            let j = 1 + rng.next() as usize % (lows.len() - 2);
            let (mut key, next) = (lows[j].key, lows[j + 1].key);
            let last = W - 1;
            let gap = next[last].saturating_sub(key[last]).max(1);
            key[last] += rng.next() % gap;
            key
        })
        .collect();
    let mut exact = 0;
    for key in &keys {
        let truth = lows.partition_point(|low| *low <= Entry::floor(*key)) as u32 - 1;
        let p = model.predict(key).unwrap();
        assert!((p.ordinal - p.below..=p.ordinal + p.above).contains(&truth));
        assert_eq!(model.block(p.ordinal), Some(p.ordinal + 1));
        exact += u32::from(p.ordinal == truth);
    }
    let exact = f64::from(exact) / keys.len() as f64;
    let stages: Vec<usize> = (0..model.stages())
        .map(|i| model.stage_segments(i))
        .collect();
    let ns = model.report().unwrap().nanoseconds;
    println!(
        "{name}: {} leaves, stages {stages:?}, {} bytes, exact {exact:.4}, trained in {:.2} ms",
        lows.len(),
        bytes.len(),
        ns as f64 / 1e6
    );
    assert!(exact >= 0.93, "{exact}");
    let mut group = c.benchmark_group("predict");
    group
        .throughput(Throughput::Elements(keys.len() as u64))
        .sample_size(50);
    group.bench_function(name, |b| {
        b.iter(|| {
            // Each key depends on the prediction before. So this measures the time of one search,
            // not how many searches a processor runs side by side.
            let mut last = 0u64;
            for key in &keys {
                let mut key = *key;
                key[W - 1] ^= last >> 40;
                last = model.predict(&key).map_or(0, |p| p.ordinal.into());
            }
            last
        });
    });
    group.bench_function(format!("{name}, with open and block"), |b| {
        b.iter(|| {
            let mut last = 0u64;
            for key in &keys {
                let model = Model::open(black_box(&bytes)).unwrap();
                let mut key = *key;
                key[W - 1] ^= last >> 40;
                let p = model.predict(&key);
                last = p.and_then(|p| model.block(p.ordinal)).unwrap_or(0).into();
            }
            last
        });
    });
    group.finish();
}

fn model(c: &mut Criterion) {
    let even = one(&fences(100_000, 1 << 24, 0.0));
    let uniform = one(&fences(100_000, 1 << 24, 1.0));
    let small = one(&fences(7_000, 1 << 24, 1.0));
    let huge = one(&fences(1_000_000, 1 << 24, 1.0));
    let irregular = one(&fences(100_000, 1 << 24, 12.0));
    let devices = two(&fences(100_000, 1 << 24, 0.0), 30);
    fit(c, "even", &even);
    fit(c, "uniform", &uniform);
    fit(c, "irregular", &irregular);
    fit(c, "devices", &devices);
    predict(c, "even", &even);
    predict(c, "uniform 7k", &small);
    predict(c, "uniform", &uniform);
    predict(c, "uniform 1M", &huge);
    predict(c, "devices", &devices);
}

criterion_group!(benches, model);
criterion_main!(benches);

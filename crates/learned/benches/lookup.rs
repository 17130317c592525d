//! Lookups of 1M keys: model and leaf pages beside a `BTreeSet` and binary search of a sorted
//! array. Every answer is checked.
#![allow(clippy::unwrap_used, missing_docs)]

#[allow(dead_code)]
#[path = "../src/rng.rs"]
mod rng;

use std::collections::BTreeSet;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use learned::key::tie_of;
use learned::leaf::{Leaf, Packer};
use learned::model::{Model, Samples, Training};
use learned::{Entry, Page};
use rng::Rng;

const KEYS: u64 = 1_000_000;
const PROBES: u64 = 1 << 14;

/// The key of row `i`.
fn key(workload: &str, i: u64, rng: &mut Rng) -> u64 {
    match workload {
        "sequential" => i * 1000,
        // A hundred rows within a few hundred microseconds, then none for a second.
        "bursty" => i / 100 * 1_000_000 + i % 100 * 3 + rng.next() % 3,
        "tenants" => (rng.next() % 500) << 40 | i,
        // The k-th of 2^20 values has a share of about 1/k of the rows.
        "zipf" => 2.0f64.powf(20.0 * (rng.next() as f64 / u64::MAX as f64)) as u64,
        _ => rng.next(),
    }
}

/// Leaves and the model over them.
struct Index {
    leaves: Vec<Box<Page>>,
    model: Vec<u8>,
}

impl Index {
    fn new(entries: &[Entry<1>]) -> Self {
        let mut packer = Packer::new(97);
        let mut leaves: Vec<_> = entries.iter().filter_map(|e| packer.push(*e)).collect();
        leaves.extend(packer.finish());
        let leaves: Vec<_> = leaves.iter().map(|leaf| leaf.to_page().unwrap()).collect();
        let (mut training, mut samples) = (Training::<1>::new(), Samples::default());
        for (block, page) in (0u32..).zip(&leaves) {
            let leaf = Leaf::<1>::open(page, block).unwrap();
            training.push(&leaf.low(), block);
            if samples.wants(block) {
                samples.add(block, &leaf).unwrap();
            }
        }
        training.samples = samples;
        let model = training.finish(1, 0);
        Self { leaves, model }
    }

    /// The first entry at or above `from`, and how many leaves were looked at.
    fn find(&self, model: &Model<'_>, from: &Entry<1>, out: &mut Vec<Entry<1>>) -> u64 {
        let mut at = model.predict(&from.key).map_or(0, |p| p.ordinal) as usize;
        let mut looks = 1;
        loop {
            let leaf = Leaf::<1>::open(&self.leaves[at], at as u32).unwrap();
            if *from < leaf.low() {
                at -= 1;
            } else if *from >= leaf.high() {
                at += 1;
            } else {
                out.clear();
                leaf.forward(from, &Entry::MAX, 1, out).unwrap();
                // The leaf may end below the key's first entry.
                if !out.is_empty() {
                    return looks;
                }
                at += 1;
                let leaf = Leaf::<1>::open(&self.leaves[at], at as u32).unwrap();
                leaf.forward(from, &Entry::MAX, 1, out).unwrap();
                return looks + 1;
            }
            looks += 1;
        }
    }
}

fn lookup(c: &mut Criterion) {
    for workload in ["sequential", "bursty", "tenants", "zipf", "uniform"] {
        let mut rng = Rng::new(1);
        let mut entries: Vec<_> = (0..KEYS)
            .map(|i| {
                let tie = tie_of((i / 200) as u32, (i % 200 + 1) as u16);
                Entry::new([key(workload, i, &mut rng)], tie)
            })
            .collect();
        entries.sort_unstable();
        let set: BTreeSet<Entry<1>> = entries.iter().copied().collect();
        let index = Index::new(&entries);
        let model = Model::open(&index.model).unwrap();
        // Each search is for the first entry of a key.
        let probes: Vec<_> = (0..PROBES)
            .map(|_| {
                let key = entries[(rng.next() % KEYS) as usize].key;
                let first = entries.partition_point(|e| e.key < key);
                (Entry::floor(key), entries[first])
            })
            .collect();
        let mut out = Vec::new();
        let looks = probes
            .iter()
            .map(|(from, _)| index.find(&model, from, &mut out));
        println!(
            "{workload}: {} leaves, model of {} bytes, {:.3} leaves a lookup",
            index.leaves.len(),
            index.model.len(),
            looks.sum::<u64>() as f64 / PROBES as f64
        );
        let mut group = c.benchmark_group(workload);
        group
            .throughput(Throughput::Elements(PROBES))
            .sample_size(20);
        group.bench_function("model and leaf", |b| {
            b.iter(|| {
                for (from, first) in &probes {
                    index.find(&model, from, &mut out);
                    assert_eq!(out[0], *first);
                }
            });
        });
        group.bench_function("BTreeSet", |b| {
            b.iter(|| {
                for (from, first) in &probes {
                    assert_eq!(set.range(from..).next(), Some(first));
                }
            });
        });
        group.bench_function("binary search", |b| {
            b.iter(|| {
                for (from, first) in &probes {
                    assert_eq!(entries[entries.partition_point(|e| e < from)], *first);
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benches, lookup);
criterion_main!(benches);

//! Operations on a leaf: a search for one key, ranges with and without a limit, encoding. The
//! results are checked.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use learned::key::tie_of;
use learned::leaf::{Leaf, Packer};
use learned::{Entry, Page};

#[allow(dead_code)]
#[path = "../src/rng.rs"]
mod rng;
use rng::Rng;

/// The tie of row `i` with `rows` rows on a heap page.
fn heap(i: u64, rows: u64) -> u64 {
    tie_of((i / rows) as u32, (i % rows + 1) as u16)
}

/// About `n` ascending entries of this kind.
fn data(name: &str, n: u64) -> Vec<Entry<1>> {
    let mut rng = Rng(1);
    let mut all: Vec<_> = (0..n)
        .map(|i| match name {
            "sequential" => Entry::new([i * 1000 + rng.below(1001)], heap(i, 226)),
            "uniform" => Entry::new([rng.below(n * 100_000)], heap(rng.below(10_000_000), 226)),
            // Bursts of about 13 rows in a minute.
            "minutes" => Entry::new(
                [i / 13 * 60_000_000 + rng.below(3) * 60_000_000],
                heap(i, 150),
            ),
            _ => Entry::new([i * 1_000_000], heap(i, 226)),
        })
        .collect();
    all.sort_unstable();
    all.dedup_by_key(|e| e.tie);
    all
}

/// Full leaves of ascending entries.
fn pack(all: &[Entry<1>]) -> Vec<Box<Page>> {
    let mut packer = Packer::new(100);
    let mut pages: Vec<_> = all
        .iter()
        .filter_map(|e| packer.push(*e))
        .map(|l| l.to_page().unwrap())
        .collect();
    pages.extend(packer.finish().iter().map(|l| l.to_page().unwrap()));
    pages
}

fn leaf(c: &mut Criterion) {
    for name in ["sequential", "uniform", "minutes", "constant"] {
        let all = data(name, 100_000);
        let pages = pack(&all);
        let page = &pages[1];
        let here: Vec<_> = {
            let leaf = Leaf::<1>::open(page, 1).unwrap();
            all.iter().copied().filter(|e| leaf.covers(e)).collect()
        };
        let mut rng = Rng(2);
        let probes: Vec<_> = (0..4096)
            .map(|_| here[rng.below(here.len() as u64) as usize])
            .collect();
        let mut g = c.benchmark_group(name);
        let mut out = Vec::with_capacity(20_000);

        let mut i = 0;
        g.bench_function("point", |b| {
            b.iter(|| {
                let e = &probes[i & 4095];
                i += 1;
                out.clear();
                let leaf = Leaf::<1>::open(black_box(page), 1).unwrap();
                let until = Entry::floor([e.key[0] + 1]);
                leaf.forward(&Entry::floor(e.key), &until, usize::MAX, &mut out)
                    .unwrap();
                assert!(out.contains(e));
            });
        });
        g.bench_function("covers", |b| {
            b.iter(|| {
                let e = &probes[i & 4095];
                i += 1;
                assert!(Leaf::<1>::open(black_box(page), 1).unwrap().covers(e));
            });
        });
        for limit in [1, 8] {
            g.bench_function(format!("forward limit {limit}"), |b| {
                b.iter(|| {
                    let e = &probes[i & 4095];
                    i += 1;
                    out.clear();
                    let leaf = Leaf::<1>::open(black_box(page), 1).unwrap();
                    leaf.forward(e, &Entry::MAX, limit, &mut out).unwrap();
                    assert_eq!(out[0], *e);
                });
            });
            g.bench_function(format!("backward limit {limit}"), |b| {
                b.iter(|| {
                    let e = &probes[i & 4095];
                    i += 1;
                    out.clear();
                    let leaf = Leaf::<1>::open(black_box(page), 1).unwrap();
                    leaf.backward(&Entry::MIN, e, limit, &mut out).unwrap();
                    assert!(out.first().is_none_or(|x| x < e));
                });
            });
        }
        g.throughput(Throughput::Elements(here.len() as u64));
        g.bench_function("whole page", |b| {
            b.iter(|| {
                out.clear();
                let leaf = Leaf::<1>::open(black_box(page), 1).unwrap();
                leaf.forward(&Entry::MIN, &Entry::MAX, usize::MAX, &mut out)
                    .unwrap();
                assert_eq!(out.len(), here.len());
            });
        });
        assert_eq!(out, here);
        g.throughput(Throughput::Elements(all.len() as u64));
        g.sample_size(10);
        g.bench_function("pack", |b| {
            b.iter(|| assert_eq!(pack(&all).len(), pages.len()))
        });
        g.finish();
    }
}

criterion_group!(benches, leaf);
criterion_main!(benches);

//! Bytes for each entry. To print figures:
//! `cargo test --release -p learned sizes -- --ignored --nocapture`.

use super::*;
use crate::key::tie_of;
use crate::leaf::encode::encoder::Encoder;
use std::time::Instant;

/// Sessions that insert rows of the same moments at the same time fill a heap page each. A run
/// begins where a heap page does, not up to a unit before or behind.
#[test]
fn heap_pages_of_several_sessions() {
    let mut rng = Rng(5);
    for rows in [40, 100, 157, 226] {
        let mut block = 0;
        let mut all = Vec::new();
        for page in 0..60 {
            block += 2 + rng.below(9);
            all.extend(
                (0..rows)
                    .map(|i| Entry::new([page / 20 * 10_000_000], heap(block * rows + i, rows))),
            );
        }
        let mut encoder = Encoder::<1>::new();
        for unit in [PARTITION_UNIT, 64, 512] {
            let runs = encoder.encode(&all, unit);
            assert!(
                runs.len() <= 60,
                "{} runs of pages of {rows} rows",
                runs.len()
            );
            assert!(runs.iter().all(|run| run.data.is_empty()) || rows < 100);
        }
    }
}

/// Prints size and time of a build.
fn report<const W: usize>(name: &str, all: &[Entry<W>]) {
    let start = Instant::now();
    let mut packer = Packer::new(97);
    let mut leaves: Vec<_> = all.iter().filter_map(|e| packer.push(*e)).collect();
    leaves.extend(packer.finish());
    let ns = start.elapsed().as_nanos() as f64 / all.len() as f64;
    let runs: usize = leaves.iter().map(|l| l.runs.len()).sum();
    println!(
        "{name}: {:.3} bytes an entry, {:.2} MB, {} pages, {:.1} runs a page, packed at {ns:.0} \
         ns an entry",
        leaves.len() as f64 * 8192.0 / all.len() as f64,
        leaves.len() as f64 * 8192.0 / 1e6,
        leaves.len(),
        runs as f64 / leaves.len() as f64,
    );
}

#[test]
#[ignore = "prints figures"]
fn sizes() {
    let n = 10_000_000u64;
    let mut rng = Rng(1);
    let mut all: Vec<Entry<1>> = (0..n)
        .map(|i| Entry::new([rng.below(1_000_000_000_000)], heap(i, 226)))
        .collect();
    all.sort_unstable();
    report("uniform, random heap", &all);
    let all: Vec<_> = (0..n)
        .map(|i| {
            Entry::new(
                [(1u64 << 63) + i * 1000 + rng.below(1001) - 500],
                heap(i, 226),
            )
        })
        .collect();
    report::<1>("sequential", &all);
    let all: Vec<_> = (0..n)
        .map(|i| Entry::new([i * 1_000_000], heap(i, 226)))
        .collect();
    report::<1>("constant step", &all);
    let all: Vec<_> = (0..n)
        .map(|i| {
            Entry::new(
                [i / 100, (i % 100) * 10_000_000],
                heap(i % 100 * (n / 100) + i / 100, 226),
            )
        })
        .collect();
    report::<2>("(device, time), loaded in time order", &all);
    let mut all: Vec<_> = all
        .iter()
        .map(|e| {
            Entry::new(
                e.key,
                tie_of(
                    (e.tie >> 16) as u32 + rng.below(20) as u32,
                    1 + rng.below(226) as u16,
                ),
            )
        })
        .collect();
    all.sort_unstable();
    report::<2>("(device, time), disorder of 20 heap pages", &all);
}

/// Departures in seconds, one on each line of the text file that OMENDB_FLIGHTS names.
#[test]
#[ignore = "needs a file of data"]
fn flights() {
    let Ok(path) = std::env::var("OMENDB_FLIGHTS") else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    for (name, unit) in [
        ("flights, microseconds", 1_000_000),
        ("flights, seconds", 1),
    ] {
        let mut all: Vec<_> = text
            .lines()
            .enumerate()
            .map(|(i, line)| Entry::new([line.parse::<u64>().unwrap() * unit], heap(i as u64, 150)))
            .collect();
        all.sort();
        report::<1>(name, &all);
    }
}

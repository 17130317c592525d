//! Figures for a busy machine, on which the means of criterion say little: the best of many short
//! batches. To print them: `cargo test --release -p learned timing -- --ignored --nocapture`.

use super::*;
use std::hint::black_box;
use std::time::Instant;

/// Nanoseconds for each item: the best of `batches` calls of `f`, which does `items` items.
fn best(batches: usize, items: usize, mut f: impl FnMut()) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..batches {
        let start = Instant::now();
        f();
        least = least.min(start.elapsed().as_nanos() as f64 / items as f64);
    }
    least
}

#[test]
#[ignore = "prints figures"]
fn timing() {
    for shape in [
        "sequential",
        "uniform",
        "minutes",
        "bursty",
        "constant step",
    ] {
        let (all, page) = full_page(&entries::<1>(shape, MAX_SLOTS, 3));
        let mut rng = Rng(2);
        let probes: Vec<_> = (0..1000)
            .map(|_| all[rng.below(all.len() as u64) as usize])
            .collect();
        let mut out = Vec::with_capacity(20_000);
        let point = best(300, 1000, || {
            for e in &probes {
                out.clear();
                let leaf = open::<1>(black_box(&page));
                let until = Entry::floor([e.key[0] + 1]);
                leaf.forward(&Entry::floor(e.key), &until, usize::MAX, &mut out)
                    .unwrap();
                assert_eq!(out[0].key, e.key);
            }
        });
        let mut limited = [0.0; 4];
        for (to, (limit, back)) in
            limited
                .iter_mut()
                .zip([(1, false), (8, false), (1, true), (8, true)])
        {
            *to = best(200, 1000, || {
                for e in &probes {
                    out.clear();
                    let leaf = open::<1>(black_box(&page));
                    if back {
                        leaf.backward(&Entry::MIN, e, limit, &mut out).unwrap();
                    } else {
                        leaf.forward(e, &Entry::MAX, limit, &mut out).unwrap();
                    }
                }
            });
        }
        let whole = best(300, all.len(), || {
            out.clear();
            let leaf = open::<1>(black_box(&page));
            leaf.forward(&Entry::MIN, &Entry::MAX, usize::MAX, &mut out)
                .unwrap();
        });
        assert_eq!(out, all);
        let encode = best(50, all.len(), || {
            black_box(encode::encoder::encode(&all));
        });
        let mut encoder = encode::encoder::Encoder::new();
        let partition = best(50, all.len(), || encoder.plan(&all, PARTITION_UNIT));
        let coarse = best(50, all.len(), || {
            black_box(encoder.encode(&all, 128));
        });
        println!(
            "{shape}: {} entries, {} runs; point {point:.0} ns, limits 1, 8, -1, -8: \
             {limited:.0?} ns, range {whole:.2} ns, encode {encode:.1} ns, of it partition \
             {partition:.1} ns, coarse {coarse:.1} ns an entry",
            all.len(),
            open::<1>(&page).runs(),
        );
    }
}

/// Entries that come one by one: ascending ones at the right end, shuffled ones all over the pages.
#[test]
#[ignore = "prints figures"]
fn inserts() {
    for shape in [
        "sequential",
        "constant step",
        "minutes",
        "jitter",
        "bursty",
        "descending heap",
        "uniform",
    ] {
        let mut rng = Rng(4);
        let all = entries::<1>(shape, 100_000, 3);
        let mut shuffled = all.clone();
        rng.shuffle(&mut shuffled);
        for (order, all) in [("ascending", &all), ("shuffled", &shuffled)] {
            let mut pages = vec![leaf_of::<1>(&[]).to_page().unwrap()];
            let mut counts = [0; 4];
            let mut patched = 0;
            let start = Instant::now();
            for e in all {
                let at = pages.partition_point(|p| open::<1>(p).low() <= *e) - 1;
                let page = &mut pages[at];
                match open::<1>(page).add(e, &[], 90).unwrap() {
                    Added::Appended(patch, _) => {
                        counts[0] += 1;
                        patched += patch.len();
                        patch.apply(page);
                    }
                    Added::Logged(patch, _) => {
                        counts[1] += 1;
                        patched += patch.len();
                        patch.apply(page);
                    }
                    Added::Merged(new) => {
                        counts[2] += 1;
                        *page = new;
                    }
                    Added::Split(halves) | Added::Bisected(halves) => {
                        let [left, right] = *halves;
                        counts[3] += 1;
                        *page = left.to_page().unwrap();
                        pages.insert(at + 1, right.to_page().unwrap());
                    }
                }
            }
            let ns = start.elapsed().as_nanos() as f64 / all.len() as f64;
            let runs: usize = pages.iter().map(|p| open::<1>(p).runs()).sum();
            println!(
                "{shape}, {order}: {ns:.0} ns, {:.2} bytes an entry, {} pages, {:.1} runs a page; \
                 appends, logs, merges, splits: {counts:?}; {:.1} bytes a patch",
                8192.0 * pages.len() as f64 / all.len() as f64,
                pages.len(),
                runs as f64 / pages.len() as f64,
                patched as f64 / (counts[0] + counts[1]) as f64,
            );
        }
    }
}

/// The cost of single inserts of random keys into built leaves, and how often they do more than
/// patch a page. The keys of the build are a constant step apart, or in order, or random.
#[test]
#[ignore = "prints figures"]
fn merges() {
    let n = 1_000_000;
    for shape in ["constant step", "sequential", "uniform"] {
        let mut rng = Rng(5);
        let all = entries::<1>(shape, n, 3);
        let (low, high) = (all[0].key[0], all[n - 1].key[0]);
        let new = (0..n / 2).map(|i| {
            let tie = tie_of(45_000 + (i / 226) as u32, (i % 226 + 1) as u16);
            Entry::new([low + rng.below(high - low)], tie)
        });
        cost_of(shape, &all, new);
    }
}

/// As [`merges`], for the rows of 8 sessions, each of which takes 20 ids at a time. The keys are
/// the ids, or 1000 groups of ids.
#[test]
#[ignore = "prints figures"]
fn sessions() {
    let n = 1_000_000;
    let row = |i: usize| tie_of((i / 226) as u32, (i % 226 + 1) as u16);
    for (name, key) in [
        ("8 sessions", (|id| id * 1000) as fn(u64) -> u64),
        ("8 sessions, 1000 groups", |id| {
            ((id % 1000) << 40) + id * 1000
        }),
    ] {
        let built = n as u64 / 10;
        let mut all: Vec<_> = (0..built)
            .map(|id| Entry::new([key(id)], row(id as usize)))
            .collect();
        all.sort();
        let mut rng = Rng(5);
        // For each session: its last id, its heap page, and the number of rows there.
        let mut sessions = [(0, 0, 226); 8];
        let (mut ids, mut blocks) = (built, 1000);
        let new = (0..n / 2).map(|_| {
            let (id, block, rows) = &mut sessions[rng.below(8) as usize];
            if *id % 20 == 0 {
                *id = ids;
                ids += 20;
            }
            *id += 1;
            if *rows == 226 {
                (*block, *rows) = (blocks, 0);
                blocks += 1;
            }
            *rows += 1;
            Entry::new([key(*id)], tie_of(*block, *rows))
        });
        cost_of(name, &all, new);
    }
}

/// Builds leaves of `all` and prints the cost of inserting `new`.
fn cost_of(name: &str, all: &[Entry<1>], new: impl Iterator<Item = Entry<1>>) {
    let mut packer = Packer::new(97);
    let mut contents: Vec<_> = all.iter().filter_map(|e| packer.push(*e)).collect();
    contents.extend(packer.finish());
    let built = contents.len();
    let mut pages: std::collections::BTreeMap<_, _> = contents
        .iter()
        .map(|leaf| (leaf.low, leaf.to_page().unwrap()))
        .collect();
    let mut inserts = 0;
    let mut costs = [const { Vec::new() }; 3];
    for e in new {
        inserts += 1;
        let mut done = false;
        while !done {
            let (_, page) = pages.range_mut(..=e).next_back().unwrap();
            let start = Instant::now();
            let added = open::<1>(page).add(&e, &[], 90).unwrap();
            done = !matches!(added, Added::Bisected(_));
            let kind = match added {
                Added::Appended(patch, _) | Added::Logged(patch, _) => {
                    patch.apply(page);
                    0
                }
                Added::Merged(merged) => {
                    *page = merged;
                    1
                }
                Added::Split(halves) | Added::Bisected(halves) => {
                    *page = halves[0].to_page().unwrap();
                    let right = halves[1].to_page().unwrap();
                    pages.insert(halves[1].low, right);
                    2
                }
            };
            costs[kind].push(start.elapsed().as_nanos() as u64);
        }
    }
    println!("{name}: {built} leaves became {}", pages.len());
    for (costs, kind) in costs.iter_mut().zip(["patches", "merges", "splits"]) {
        costs.sort_unstable();
        let at = |percent: usize| costs.get(costs.len() * percent / 100).unwrap_or(&0) / 1000;
        println!(
            "    {kind}: 1 in {:.0}, median {} us, 99 % {} us, {} ns an insert",
            inserts as f64 / costs.len() as f64,
            at(50),
            at(99),
            costs.iter().sum::<u64>() / inserts
        );
    }
}

/// Nanoseconds and bytes for each entry of a build, with the making of pages.
fn packed<const W: usize>(name: &str, all: &[Entry<W>]) {
    let mut leaves = 0;
    let mut runs = 0;
    let mut bytes = 0;
    let ns = best(8, all.len(), || {
        let mut packer = Packer::new(97);
        (leaves, runs, bytes) = (0, 0, 0);
        let mut take = |leaf: Contents<W>| {
            let page = black_box(leaf.to_page()).unwrap();
            leaves += 1;
            runs += leaf.runs.len();
            bytes += page.len();
        };
        for e in all {
            if let Some(leaf) = packer.push(*e) {
                take(leaf);
            }
        }
        packer.finish().into_iter().for_each(take);
    });
    println!(
        "{name}: packed at {ns:.1} ns, {:.3} bytes an entry, {leaves} pages, {:.1} runs a page",
        f64::from(leaves) * 8192.0 / all.len() as f64,
        runs as f64 / f64::from(leaves),
    );
}

#[test]
#[ignore = "prints figures"]
fn packing() {
    let n = 1_000_000;
    for shape in [
        "sequential",
        "uniform",
        "minutes",
        "jitter",
        "bursty",
        "duplicates",
        "constant step",
        "descending heap",
        "wide",
    ] {
        packed::<1>(shape, &entries(shape, n, 3));
    }
    let loaded: Vec<_> = (0..n as u64)
        .map(|i| {
            let (device, at) = (i / 100, i % 100);
            Entry::new(
                [device, at * 10_000_000],
                heap(at * (n as u64 / 100) + device, 226),
            )
        })
        .collect();
    packed::<2>("(device, time)", &loaded);
    packed::<2>("(device, sequential)", &entries("sequential", n, 3));
    packed::<2>("(device, uniform)", &entries("uniform", n, 3));
    if let Ok(path) = std::env::var("OMENDB_FLIGHTS") {
        let text = std::fs::read_to_string(path).unwrap();
        let mut all: Vec<_> = text
            .lines()
            .zip(0..)
            .map(|(line, i)| Entry::new([line.parse::<u64>().unwrap() * 1_000_000], heap(i, 150)))
            .collect();
        all.sort_unstable();
        packed::<1>("flights", &all);
    }
}

/// The merge of a full log, and the search for dead entries by VACUUM.
#[test]
#[ignore = "prints figures"]
fn merging() {
    for (shape, n) in [("uniform", 1290), ("uniform", 960), ("sequential", 5600)] {
        let (all, _) = full_page(&entries::<1>(shape, n, 3));
        let mut rng = Rng(5);
        let mut late = Vec::new();
        while late.len() < Layout::<1>::MAX_LOG {
            let near = all[rng.below(all.len() as u64) as usize];
            let tie = match shape {
                "uniform" => heap(rng.below(10_000_000), 226),
                _ => near.tie + (rng.below(1000) << 16),
            };
            late.push(Entry::new([near.key[0] + rng.below(1000)], tie));
        }
        let mut page = leaf_of(&all).to_page().unwrap();
        let e = late.pop().unwrap();
        let mut logged = 0;
        for e in &late {
            if let Some((patch, _)) = open::<1>(&page).try_log(e, &[]) {
                patch.apply(&mut page);
                logged += 1;
            }
        }
        let contents = best(300, 1, || {
            black_box(open::<1>(black_box(&page)).contents().unwrap());
        });
        let merge = best(300, 1, || {
            let mut c = open::<1>(black_box(&page)).contents().unwrap();
            c.insert(e);
            black_box(c.to_page());
        });
        let vacuum = best(300, 1, || {
            let mut suspects = Vec::new();
            let view = open::<1>(black_box(&page));
            view.suspects(&|_: u64| true, &mut suspects).unwrap();
            assert_eq!(suspects.len(), all.len() + logged);
            let places: Vec<usize> = (0..suspects.len()).step_by(10).collect();
            black_box(view.delete_places(&places, true, 0).unwrap());
        });
        let mut c = open::<1>(&page).contents().unwrap();
        c.insert(e);
        println!(
            "{shape} {n} ({logged} logged): contents {:.1} us, merge {:.1} us ({} to {} bytes, {} \
             to {} runs), vacuum {:.1} us",
            contents / 1e3,
            merge / 1e3,
            page.len() - (open::<1>(&page).upper - open::<1>(&page).lower),
            c.bytes(),
            open::<1>(&page).runs(),
            c.runs.len(),
            vacuum / 1e3,
        );
    }
}

/// Bytes of WAL for uniform inserts into random pages that are 70 % full at first, until they
/// split.
#[test]
#[ignore = "prints figures"]
fn logged() {
    use crate::store::Change;
    let mut rng = Rng(8);
    let (mut merges, mut merged, mut images) = (0, 0, 0);
    let (mut logs, mut plain) = (0, 0);
    for seed in 0..50 {
        let all = entries::<1>("uniform", 960, seed);
        let mut page = leaf_of(&all).to_page().unwrap();
        loop {
            let key = all[0].key[0] + rng.below(all[959].key[0] - all[0].key[0]);
            let e = Entry::new([key], heap(rng.below(10_000_000), 226));
            if let Some((patch, _)) = open::<1>(&page).try_log(&e, &[]) {
                logs += 1;
                plain += patch.len() + 4 * patch.spans().count();
                patch.apply(&mut page);
                continue;
            }
            let mut c = open::<1>(&page).contents().unwrap();
            c.insert(e);
            let Some(new) = c.to_page() else { break };
            merges += 1;
            let leaf = open::<1>(&new);
            let full = 8192 - (leaf.upper - leaf.lower);
            merged += match Change::between(&page, new.clone()) {
                Change::Image(_) => {
                    images += 1;
                    full
                }
                Change::Patch(p) => p.len() + 4 * p.spans().count(),
            };
            page = new;
        }
    }
    println!(
        "{merges} merges, {images} of them images: {:.0} bytes a merge; {logs} log entries: {:.1} \
         bytes each; {:.0} bytes an insert",
        f64::from(merges as u32).recip() * merged as f64,
        plain as f64 / f64::from(logs),
        (plain + merged) as f64 / f64::from(logs + merges),
    );
}

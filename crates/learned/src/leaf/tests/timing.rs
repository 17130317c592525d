//! Quick figures on a busy machine, where criterion's means say little: the best of many short batches.
//! `cargo test --release -p learned timing -- --ignored --nocapture`

use super::*;
use std::hint::black_box;
use std::time::Instant;

/// Nanoseconds an item: the best of `batches` runs of `f`, which does `items`.
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
        let mut rng = Mix(2);
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
            black_box(encode::encode(&all));
        });
        let partition = best(50, all.len(), || {
            black_box(partition::partition(&all, partition::Offsets::of(&all)));
        });
        println!(
            "{shape}: {} entries, {} runs; point {point:.0} ns, limits 1, 8, -1, -8: {limited:.0?} ns, \
             range {whole:.2} ns, encode {encode:.1} ns, of it partition {partition:.1} ns an entry",
            all.len(),
            open::<1>(&page).runs(),
        );
    }
}

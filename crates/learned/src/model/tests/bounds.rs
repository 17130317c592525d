//! The bounds hold for every key, and the model stays small and exact.

use proptest::prelude::*;

use super::{Leaves, distributions, exactness, leaves, pairs, train, truth};
use crate::key::Entry;
use crate::model::Model;
use crate::rng::Rng;

/// Every prediction for `key` must have the key's leaf within its bounds.
fn holds<const W: usize>(name: &str, model: &Model, leaves: &Leaves<W>, key: &[u64; W]) {
    let Some(p) = model.predict(key) else { return };
    let truth = truth(leaves, key) as u32;
    assert!(
        (p.ordinal - p.below..=p.ordinal + p.above).contains(&truth),
        "{name}: {key:?} is in leaf {truth}, predicted {p:?}"
    );
    assert!(p.ordinal + p.above < model.leaves());
}

fn holds_everywhere<const W: usize>(name: &str, leaves: &Leaves<W>, keys: &[[u64; W]]) {
    let bytes = train(leaves);
    let model = Model::open(&bytes).unwrap();
    model
        .check(leaves)
        .unwrap_or_else(|m| panic!("{name}: {m}"));
    let report = model.report().unwrap();
    assert!(
        report.exact || report.epsilon >= 64.0 || model.segments() <= 8 + leaves.len() / 4,
        "{name}: {report:?}"
    );
    let mut r = Rng::new(1);
    for key in keys {
        holds(name, &model, leaves, key);
    }
    for (low, _) in leaves {
        for w in 0..W {
            for d in [1, 2, r.below(1 << 10), r.below(1 << 40), r.next()] {
                let mut key = low.key;
                key[w] = key[w].wrapping_add(d);
                holds(name, &model, leaves, &key);
                key[w] = low.key[w].wrapping_sub(d);
                holds(name, &model, leaves, &key);
            }
        }
    }
    for _ in 0..2000 {
        holds(name, &model, leaves, &std::array::from_fn(|_| r.next()));
    }
    holds(name, &model, leaves, &[0; W]);
    holds(name, &model, leaves, &[u64::MAX; W]);
}

#[test]
fn hold_for_one_word() {
    // Leaves of few keys are irregular and give an exact last stage. Leaves of many keys give lines
    // with an error.
    for (per, n) in [(3, 20_000), (64, 20_000), (700, 300_000)] {
        for (name, keys) in distributions(n) {
            holds_everywhere(name, &leaves(&keys, per), &keys);
        }
    }
}

#[test]
fn hold_for_two_words() {
    // Few keys a leaf are irregular and give an exact last stage, many give lines with an error.
    for (per, n) in [(3, 20_000), (64, 20_000), (700, 300_000)] {
        for (name, keys) in pairs(n) {
            holds_everywhere(name, &leaves(&keys, per), &keys);
        }
    }
}

#[test]
fn hold_for_tiny_indexes() {
    for n in 0..6 {
        let points: Leaves<1> = (0..n)
            .map(|j| (Entry::floor([u64::from(j) * 100]), j))
            .collect();
        holds_everywhere("tiny", &points, &[[0], [1], [100], [550]]);
    }
    let empty = train::<1>(&Vec::new());
    let empty = Model::open(&empty).unwrap();
    assert_eq!(
        (empty.leaves(), empty.stages(), empty.predict(&[1])),
        (0, 0, None)
    );
}

proptest! {
    #[test]
    fn hold_for_any_keys(
        keys in prop::collection::vec(
            prop_oneof![0..40u64, any::<u64>(), (0..64u32).prop_map(|s| 1 << s)],
            1..400,
        ),
        per in 1..6usize,
    ) {
        let keys: Vec<[u64; 1]> = keys.into_iter().map(|k| [k]).collect();
        holds_everywhere("any", &leaves(&keys, per), &keys);
    }

    #[test]
    fn hold_for_any_pairs(
        keys in prop::collection::vec(prop::array::uniform2(prop_oneof![
            0..6u64, any::<u64>(), Just(u64::MAX), (1 << 40)..(1u64 << 40) + 50,
        ]), 1..300),
        per in 1..6usize,
    ) {
        holds_everywhere("any", &leaves(&keys, per), &keys);
    }
}

/// The mean number of pages that searches for these keys read: 1 for an exact prediction, one more
/// for each leaf too far left, and, if the prediction is too far right or there is none, a descent
/// of two pages and the leaf.
fn pages_read<const W: usize>(model: &Model, leaves: &Leaves<W>, keys: &[[u64; W]]) -> f64 {
    let pages = keys.iter().map(|k| {
        let truth = truth(leaves, k) as u32;
        match model.predict(k).map(|p| p.ordinal) {
            Some(guess) if guess <= truth && truth - guess <= 2 => 1 + truth - guess,
            Some(_) => 4,
            None => 3,
        }
    });
    f64::from(pages.sum::<u32>()) / keys.len() as f64
}

#[test]
fn uniform_keys_are_predicted_exactly() {
    for (per, least) in [(1400, 0.95), (350, 0.93)] {
        let mut r = Rng::new(9);
        let keys: Vec<[u64; 1]> = (0..per * 1000).map(|_| [r.next()]).collect();
        let leaves = leaves(&keys, per);
        let bytes = train(&leaves);
        let model = Model::open(&bytes).unwrap();
        let exact = exactness(&model, &leaves, &keys[..100_000]);
        assert!(exact >= least, "{exact}");
        assert!(pages_read(&model, &leaves, &keys[..100_000]) <= 1.1);
    }
}

#[test]
fn even_keys_need_two_segments_and_are_exact() {
    let keys: Vec<[u64; 1]> = (0..1_000_000u64).map(|i| [(1 << 62) + i * 1000]).collect();
    let leaves = leaves(&keys, 500);
    let bytes = train(&leaves);
    let model = Model::open(&bytes).unwrap();
    assert_eq!((model.stages(), model.segments()), (1, 2));
    assert!(exactness(&model, &leaves, &keys) == 1.0);
}

#[test]
fn a_heavy_key_does_not_spoil_its_neighbours() {
    let mut keys: Vec<[u64; 1]> = (0..100_000u64).map(|i| [i * 1000]).collect();
    keys.extend(std::iter::repeat_n([50_000_000], 10_000));
    let leaves = leaves(&keys, 100);
    let bytes = train(&leaves);
    let model = Model::open(&bytes).unwrap();
    assert!(model.segments() <= 5, "{}", model.segments());
    assert!(exactness(&model, &leaves, &keys) > 0.99);
    assert_eq!(
        model.predict(&[50_000_000]).unwrap().ordinal as usize,
        truth(&leaves, &[50_000_000])
    );
}

#[test]
fn devices_lie_on_one_line() {
    let keys: Vec<[u64; 2]> = (0..1000u64)
        .flat_map(|d| (0..1000u64).map(move |i| [d, (1 << 60) + i * 60_000_000]))
        .collect();
    let leaves = leaves(&keys, 230);
    let bytes = train(&leaves);
    let model = Model::open(&bytes).unwrap();
    assert!(model.segments() <= 4, "{}", model.segments());
    assert!(exactness(&model, &leaves, &keys) > 0.98);
}

/// Prints segments, exactness and pages read, for the documentation: `cargo test -- --ignored
/// --nocapture`.
#[test]
#[ignore = "prints a table"]
fn table() {
    fn row<const W: usize>(name: &str, keys: &[[u64; W]]) {
        let leaves = leaves(keys, 700);
        let bytes = train(&leaves);
        let model = Model::open(&bytes).unwrap();
        let report = model.report().unwrap();
        println!(
            "{name:20} W={W} leaves {:5} segments {:5} in {:?} searched {:4} eps {:7.3} \
             bytes {:6} exact {:.4} pages read {:.3}",
            leaves.len(),
            model.segments(),
            report.stages,
            report.searched,
            report.epsilon,
            model.bytes(),
            exactness(&model, &leaves, keys),
            pages_read(&model, &leaves, keys),
        );
    }
    distributions(3_000_000)
        .iter()
        .for_each(|(name, keys)| row(name, keys));
    pairs(3_000_000)
        .iter()
        .for_each(|(name, keys)| row(name, keys));
}

//! Damaged bytes cost time, nothing else.

use proptest::prelude::*;

use super::{distributions, leaves, pairs, train, truth};
use crate::model::layout::{HEAD, LINE, head};
use crate::model::{Model, Training};
use crate::rng::Rng;

/// Calls every function; results must be in range.
fn use_it(bytes: &[u8]) {
    let Some(model) = Model::open(bytes) else {
        return;
    };
    let mut r = Rng::new(3);
    for i in 0..64 {
        let word = if i % 2 == 0 {
            r.next()
        } else {
            (1 << 63) + r.below(1 << 41)
        };
        let predictions = [
            model.predict(&[word]),
            model.predict(&[word, r.next()]),
            model.predict(&[word, r.next(), 1]),
        ];
        for p in predictions.into_iter().flatten() {
            assert!(p.ordinal < model.leaves());
            assert!(p.below <= p.ordinal);
            assert!(p.above < model.leaves() - p.ordinal);
        }
        let _ = model.coordinate(&[word, word]);
        let _ = model.block(word as u32);
        let _ = model.segment(i % 12, (word >> 50) as usize);
    }
    let _ = (
        model.segments(),
        model.generation(),
        model.report(),
        model.stage_segments(99),
    );
    let _ = model.check(&leaves(&[[1], [5], [9]], 1));
}

fn samples() -> Vec<Vec<u8>> {
    let mut samples: Vec<Vec<u8>> = [0, 4, 16]
        .map(|i| train(&leaves(&distributions(6000)[i].1, 4)))
        .into();
    samples.push(train(&leaves(&distributions(300_000)[0].1, 1000)));
    samples.push(train(&leaves(&pairs(6000)[0].1, 4)));
    let mut shuffled = leaves(&pairs(6000)[3].1, 4);
    shuffled[5].1 = 100_000;
    samples.push(train(&shuffled));
    samples
}

proptest! {
    #[test]
    fn garbage(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        use_it(&bytes);
    }

    #[test]
    fn garbage_behind_a_good_start(
        bytes in prop::collection::vec(any::<u8>(), 140..900),
        keep in 8..130usize,
    ) {
        let good = Training::<1>::new().finish(1, 1);
        let mut bytes = bytes;
        let keep = keep.min(good.len());
        bytes[..keep].copy_from_slice(&good[..keep]);
        let len = bytes.len() as u32;
        bytes[head::LENGTH..head::LENGTH + 4].copy_from_slice(&len.to_le_bytes());
        bytes[head::STAGES] %= 11;
        use_it(&bytes);
    }
}

#[test]
fn flipped_bits() {
    let mut r = Rng::new(8);
    for good in samples() {
        for _ in 0..1500 {
            let mut bytes = good.clone();
            for _ in 0..=r.below(3) {
                // The header is hit as often as all the rest.
                let end = if r.below(2) == 0 { HEAD } else { bytes.len() };
                bytes[r.below(end as u64) as usize] ^= 1 << r.below(8);
            }
            use_it(&bytes);
        }
        for cut in (0..good.len())
            .step_by(97)
            .chain([0, HEAD - 1, HEAD, good.len() - 1])
        {
            assert!(Model::open(&good[..cut]).is_none());
        }
    }
}

#[test]
fn senseless_lines() {
    senseless(&train(&leaves(&distributions(6000)[0].1, 4)));
    senseless(&train(&leaves(&distributions(600_000)[0].1, 1000)));
}

fn senseless(good: &[u8]) {
    let model = Model::open(good).unwrap();
    let (stages, segments) = (model.stages(), model.segments());
    assert!(stages > 1);
    for value in [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -1.0,
        f64::MAX,
        0.0,
    ] {
        let mut bytes = good.to_vec();
        let exact = usize::from(model.report().unwrap().exact);
        for stage in 0..stages - exact {
            let entry = head::TABLE + 8 * stage;
            let at = u32::from_le_bytes(bytes[entry..entry + 4].try_into().unwrap()) as usize;
            let count = model.stage_segments(stage);
            for i in 0..count {
                let line = at + 8 * count + LINE * i;
                bytes[line..line + 8].copy_from_slice(&value.to_le_bytes());
            }
        }
        assert_eq!(Model::open(&bytes).unwrap().segments(), segments);
        use_it(&bytes);
    }
}

/// A wrong bound in an upper stage costs a longer search, but the answer is the same.
#[test]
fn wrong_upper_lines_are_overcome() {
    let keys = &distributions(60_000)[0].1;
    let leaves = leaves(keys, 10);
    let mut bytes = train(&leaves);
    let good = bytes.clone();
    let good = Model::open(&good).unwrap();
    assert!(good.stages() >= 2);
    let count = good.stage_segments(0);
    let at = u32::from_le_bytes(bytes[head::TABLE..head::TABLE + 4].try_into().unwrap()) as usize;
    for i in 0..count {
        let line = at + 8 * count + LINE * i;
        bytes[line..line + 8].copy_from_slice(&(-1e300f64).to_le_bytes());
    }
    let bad = Model::open(&bytes).unwrap();
    for key in keys {
        assert_eq!(bad.predict(key), good.predict(key));
        if let Some(p) = bad.predict(key) {
            assert!(p.ordinal.abs_diff(truth(&leaves, key) as u32) <= 4);
        }
    }
}

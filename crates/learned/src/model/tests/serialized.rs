//! The bytes: what they hold, and what check sees.

use super::{Leaves, distributions, leaves, pairs, train};
use crate::key::Entry;
use crate::model::{Mismatch, Model};

fn uniform() -> Leaves<1> {
    leaves(&distributions(50_000)[0].1, 50)
}

#[test]
fn header_and_report() {
    let leaves = uniform();
    let bytes = train(&leaves);
    let model = Model::open(&bytes).unwrap();
    assert_eq!((model.generation(), model.words()), (3, 1));
    assert_eq!(model.leaves() as usize, leaves.len());
    let report = model.report().unwrap();
    assert_eq!(report.trained_micros, 1_700_000_000_000_000);
    assert_eq!(report.points as usize, leaves.len());
    assert_eq!(report.histogram.iter().sum::<u64>(), report.fitted);
    assert_eq!(report.stages.len(), model.stages());
    assert_eq!(*report.stages.last().unwrap() as usize, model.segments());
    assert!(report.nanoseconds > 0);
    // Leaves of 50 keys are irregular: lines would take more room than the leaves' coordinates.
    assert!(report.exact && report.epsilon == 0.0);
    assert_eq!(model.segments(), leaves.len());
}

#[test]
fn no_point_is_far_from_its_line() {
    let bytes = train(&leaves(&distributions(700_000)[0].1, 1400));
    let report = Model::open(&bytes).unwrap().report().unwrap();
    assert!(!report.exact);
    approx::assert_relative_eq!(report.epsilon, 1.0 / 32.0);
    // Lines are low, so the distance to one side can be twice the tolerance.
    assert!(report.histogram[2] > 0, "{report:?}");
    assert_eq!(report.histogram[3..].iter().sum::<u64>(), 0, "{report:?}");
}

#[test]
fn bytes_may_lie_anywhere_and_be_followed_by_others() {
    let bytes = train(&uniform());
    for shift in 0..8 {
        let mut moved = vec![0xAA; shift];
        moved.extend(&bytes);
        moved.extend([0xBB; 5]);
        let model = Model::open(&moved[shift..]).unwrap();
        assert_eq!(model.bytes(), bytes.len());
        model.check(&uniform()).unwrap();
    }
}

#[test]
fn blocks_with_and_without_a_directory() {
    let mut leaves = uniform();
    let plain = train(&leaves);
    let model = Model::open(&plain).unwrap();
    assert_eq!(model.block(0), Some(7));
    assert_eq!(model.block(999), Some(1006));
    assert_eq!(model.block(1000), None);
    leaves.swap(3, 4);
    let (a, b) = (leaves[3].0, leaves[4].0);
    (leaves[3].0, leaves[4].0) = (b, a);
    let scattered = train(&leaves);
    assert_eq!(scattered.len() / 1000, (plain.len() + 4000) / 1000);
    let model = Model::open(&scattered).unwrap();
    for (j, &(_, block)) in (0u32..).zip(&leaves) {
        assert_eq!(model.block(j), Some(block));
    }
    assert_eq!(model.block(1000), None);
}

#[test]
fn the_model_is_under_one_percent() {
    for (name, keys) in distributions(100_000) {
        let leaves = leaves(&keys, 20);
        let bytes = train(&leaves);
        assert!(
            bytes.len() * 100 < leaves.len() * 8192,
            "{name}: {}",
            bytes.len()
        );
    }
}

#[test]
fn check_sees_differences() {
    let leaves = uniform();
    let bytes = train(&leaves);
    let model = Model::open(&bytes).unwrap();
    assert_eq!(model.check(&leaves), Ok(()));
    let mut other = leaves.clone();
    other[500].1 += 1;
    assert!(matches!(
        model.check(&other),
        Err(Mismatch::Block { ordinal: 500, .. })
    ));
    assert!(matches!(
        model.check(&leaves[1..]),
        Err(Mismatch::Leaves { .. })
    ));
    assert!(matches!(
        model.check(&[(Entry::<2>::MIN, 7)]),
        Err(Mismatch::Words { .. })
    ));
    let mut other = leaves.clone();
    for j in (500..510).rev() {
        other[j].0 = Entry::floor([other[499].0.key[0] + j as u64 - 499]);
    }
    assert!(matches!(model.check(&other), Err(Mismatch::Bounds { .. })));
}

#[test]
fn another_number_of_words_is_no_prediction() {
    let bytes = train(&leaves(&pairs(10_000)[0].1, 50));
    let model = Model::open(&bytes).unwrap();
    assert_eq!(model.words(), 2);
    assert!(model.predict(&[1, 2]).is_some());
    assert_eq!(model.predict(&[1]), None);
    assert_eq!(model.predict(&[1, 2, 3]), None);
}

#[test]
fn leaves_out_of_order_do_no_harm() {
    let mut leaves = uniform();
    leaves[1..].reverse();
    let bytes = train(&leaves);
    let model = Model::open(&bytes).unwrap();
    for (low, _) in &leaves {
        let _ = model.predict(&low.key);
    }
}

//! The fit is optimal.

use proptest::prelude::*;

use super::{distributions, leaves, train};
use crate::model::Model;
use crate::model::fit::{Fitter, UNIT};
use crate::rng::Rng;

/// Whether a line passes within `tolerance` of all points, from the definition: the slopes that
/// each pair of points allows must have one in common.
fn feasible(points: &[(u64, i64)], tolerance: i64) -> bool {
    let (mut least, mut most) = ((-1i128 << 60, 1i128), (1i128 << 60, 1i128));
    for (i, &(xi, yi)) in points.iter().enumerate() {
        for &(xj, yj) in &points[i + 1..] {
            let dx = i128::from(xj - xi);
            let dy = i128::from(yj - yi);
            let t = 2 * i128::from(tolerance);
            if (dy - t) * least.1 > least.0 * dx {
                least = (dy - t, dx);
            }
            if (dy + t) * most.1 < most.0 * dx {
                most = (dy + t, dx);
            }
        }
    }
    least.0 * most.1 <= most.0 * least.1
}

fn segments(points: &[(u64, i64)], tolerance: i64) -> usize {
    let mut fitter = Fitter::new(tolerance);
    let mut count = usize::from(!points.is_empty());
    for &(x, y) in points {
        if !fitter.add(x, y) {
            fitter.restart();
            assert!(fitter.add(x, y));
            count += 1;
        }
    }
    count
}

/// The greedy "shrinking cone": lines start in their first point.
fn cone(points: &[(u64, i64)], tolerance: i64) -> usize {
    let mut count = 0;
    let mut origin: Option<(u64, i64)> = None;
    let (mut least, mut most) = (f64::NEG_INFINITY, f64::INFINITY);
    for &(x, y) in points {
        if let Some((x0, y0)) = origin {
            let (dx, dy) = ((x - x0) as f64, (y - y0) as f64);
            let lo = least.max((dy - tolerance as f64) / dx);
            let hi = most.min((dy + tolerance as f64) / dx);
            if lo <= hi {
                (least, most) = (lo, hi);
                continue;
            }
        }
        count += 1;
        origin = Some((x, y));
        (least, most) = (f64::NEG_INFINITY, f64::INFINITY);
    }
    count
}

proptest! {
    /// A segment is extended exactly as long as a line fits, and the slope is that of such a line.
    #[test]
    fn lines_end_where_they_must(
        gaps in prop::collection::vec((prop_oneof![1..4u64, 1..1u64 << 50], 0..200i64), 2..60),
        tolerance in 0..300i64,
    ) {
        let (mut x, mut y) = (0, 0);
        let next = |&(dx, dy)| { x += dx; y += dy; (x, y) };
        let points: Vec<(u64, i64)> = gaps.iter().map(next).collect();
        let mut fitter = Fitter::new(tolerance);
        let mut start = 0;
        for (i, &(x, y)) in points.iter().enumerate() {
            let fits = feasible(&points[start..=i], tolerance);
            prop_assert_eq!(fitter.add(x, y), fits, "points {:?}", &points[start..=i]);
            if !fits {
                start = i;
                fitter.restart();
                fitter.add(x, y);
            }
            let (slope, origin) = (fitter.slope() * UNIT as f64, points[start].0);
            let residual = |&(x, y): &(u64, i64)| y as f64 - slope * (x - origin) as f64;
            let residuals = points[start..=i].iter().map(residual);
            let spread = residuals.clone().fold(f64::MIN, f64::max)
                - residuals.fold(f64::MAX, f64::min);
            prop_assert!(spread <= 2.0 * tolerance as f64 + 1e-3, "{} of {}", spread, tolerance);
        }
    }
}

#[test]
fn never_more_segments_than_the_cone() {
    for (name, mut keys) in distributions(30_000) {
        keys.sort_unstable();
        keys.dedup();
        let points: Vec<(u64, i64)> = keys
            .iter()
            .map(|k| k[0])
            .zip((0..).map(|j| j * UNIT))
            .collect();
        for tolerance in [2, 64, 1024] {
            let ours = segments(&points, tolerance);
            let cone = cone(&points, tolerance);
            assert!(ours <= cone, "{name}: {ours} against {cone}");
            if name == "uniform" && tolerance == 1024 {
                assert!(ours < cone, "{name}: {ours} against {cone}");
            }
        }
    }
}

#[test]
fn extremes_of_the_range_are_exact() {
    let points = [
        (0, 0),
        (1, 64),
        (u64::MAX - 1, 1 << 38),
        (u64::MAX, (1 << 38) + 64),
    ];
    assert!(feasible(&points[..2], 0));
    assert_eq!(segments(&points, 0), 2);
    let mut fitter = Fitter::new(2);
    assert!(fitter.add(5, 0) && !fitter.add(5, 0) && !fitter.add(4, 64));
    let single = Fitter::new(2);
    assert_eq!(single.slope(), 0.0);
}

#[test]
fn stages_narrow_down_to_a_small_root() {
    let mut r = Rng::new(5);
    let keys: Vec<[u64; 1]> = (0..600_000).map(|_| [r.next()]).collect();
    let leaves = leaves(&keys, 10);
    let bytes = train(&leaves);
    let model = Model::open(&bytes).unwrap();
    assert!(model.stages() >= 3, "{}", model.stages());
    assert!(model.stage_segments(0) <= 32);
    for stage in 0..model.stages() {
        let count = model.stage_segments(stage);
        let all: Vec<_> = (0..count)
            .map(|i| model.segment(stage, i).unwrap())
            .collect();
        assert!(all.is_sorted_by(|a, b| a.first_x < b.first_x && a.first < b.first));
        assert_eq!((all[0].first_x, all[0].first), (0, 0));
        if stage + 1 < model.stages() {
            let covered: u32 = all.iter().map(|s| s.covered).sum();
            assert_eq!(covered as usize, model.stage_segments(stage + 1));
            assert!(all.iter().all(|s| s.below <= 8 && s.above <= 8));
        }
        assert!(model.segment(stage, count).is_none());
    }
}

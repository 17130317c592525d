//! Stages: a step function divided into segments, each with a line and its measured error.

use super::fit::{Fitter, UNIT};
use super::layout::{Line, MAX_STAGES, SEARCH_TREE};
use super::report::TrainingReport;
use crate::policy::model::{INTERCEPT_NUDGE, MAX_BOUND_LEAVES, MAX_ROOT_SEGMENTS, UPPER_TOLERANCE};

/// A coordinate where the true position changes. From there to the next step it is `hi`. If several
/// keys share the coordinate `x`, their positions are anywhere from `lo` to `hi`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Coordinate.
    pub x: u64,
    /// The position to fit a line to.
    pub fit: u32,
    /// Least true position at `x`.
    pub lo: u32,
    /// Greatest true position at `x`, and the true position after it. Where it is above `fit`, the
    /// next step follows at `x + 1`.
    pub hi: u32,
}

impl Step {
    /// A step where all keys at `x` have the same position.
    pub fn sharp(x: u64, position: u32) -> Self {
        Self {
            x,
            fit: position,
            lo: position,
            hi: position,
        }
    }
}

/// The height at which a line of given slope is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// A third of the points lie below the line. A guess one leaf too far left costs a move right;
    /// a guess too far right costs a descent from the root, about twice as much. The 1/(1+2)
    /// quantile costs least.
    Low,
    /// The greatest error is as small as possible: the bounds are searched from end to end.
    Middle,
}

/// One segment: its first coordinate and its line.
pub type Piece = (u64, Line);

/// Whether a segment may continue from its last step to this one.
fn may_continue(prev: &Step, next: &Step, tolerance: i64) -> bool {
    // Positions that are skipped belong to one key with many entries. A line through the jump would
    // miss its neighbours by the size of the jump.
    let skipped = i64::from(next.fit) - i64::from(prev.fit) - 1;
    skipped * UNIT <= tolerance
        // A coordinate whose keys are in many leaves gets a segment of its own.
        && prev.hi - prev.lo <= MAX_BOUND_LEAVES
        && next.hi - next.lo <= MAX_BOUND_LEAVES
}

/// The last stage: coordinate to leaf, with this tolerance in 1/[`UNIT`] leaf. None: it would take
/// more than `limit` segments.
pub fn last_stage(steps: &[Step], tolerance: i64, limit: usize) -> Option<Vec<Piece>> {
    // The leftmost leaf begins at minus infinity, which is on no line.
    let (leftmost, rest) = steps.split_at(steps.len().min(1));
    let mut pieces = fit_segments(
        leftmost,
        tolerance,
        Aim::Low,
        limit,
        rest.first().map(|s| s.x),
    )?;
    pieces.extend(fit_segments(rest, tolerance, Aim::Low, limit, None)?);
    for (_, line) in &mut pieces {
        if u32::from(line.below.max(line.above)) > MAX_BOUND_LEAVES {
            line.flags |= SEARCH_TREE;
        }
    }
    (pieces.len() <= limit).then_some(pieces)
}

/// The stages above a stage of `count` segments or leaves, root first. `steps`: the position in
/// that stage as a function of the coordinate.
pub fn upper_stages(mut steps: Vec<Step>, mut count: usize) -> Vec<Vec<Piece>> {
    let mut stages = Vec::new();
    while count > MAX_ROOT_SEGMENTS && stages.len() < MAX_STAGES - 1 {
        let (leftmost, rest) = steps.split_at(steps.len().min(1));
        let end = rest.first().map(|s| s.x);
        let tolerance = UPPER_TOLERANCE * UNIT;
        let (Some(mut stage), Some(rest)) = (
            fit_segments(leftmost, tolerance, Aim::Middle, usize::MAX, end),
            fit_segments(rest, tolerance, Aim::Middle, usize::MAX, None),
        ) else {
            break;
        };
        stage.extend(rest);
        steps = positions(&stage);
        count = stage.len();
        stages.push(stage);
    }
    stages.reverse();
    stages
}

/// The segment of a stage as a function of the coordinate.
pub fn positions(stage: &[Piece]) -> Vec<Step> {
    let numbered = (0u32..).zip(stage);
    numbered.map(|(i, piece)| Step::sharp(piece.0, i)).collect()
}

/// Divides the steps into the fewest segments. None: these would be more than `limit`. `end` is the
/// coordinate where the next segment starts; None: there is none.
fn fit_segments(
    steps: &[Step],
    tolerance: i64,
    aim: Aim,
    limit: usize,
    end: Option<u64>,
) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut fitter = Fitter::new(tolerance);
    let mut residuals = Vec::new();
    let mut start = 0;
    for (i, step) in steps.iter().enumerate() {
        let y = i64::from(step.fit) * UNIT;
        let continues = i == start || may_continue(&steps[i - 1], step, tolerance);
        if continues && fitter.add(step.x, y) {
            continue;
        }
        pieces.push(fit_line(
            &steps[start..i],
            fitter.slope(),
            aim,
            Some(step.x),
            &mut residuals,
        ));
        if pieces.len() > limit {
            return None;
        }
        start = i;
        fitter.restart();
        fitter.add(step.x, y);
    }
    if start < steps.len() {
        pieces.push(fit_line(
            &steps[start..],
            fitter.slope(),
            aim,
            end,
            &mut residuals,
        ));
    }
    Some(pieces)
}

/// The line of slope `slope` for these steps, with measured bounds. `residuals` is a buffer.
fn fit_line(
    steps: &[Step],
    slope: f64,
    aim: Aim,
    end: Option<u64>,
    residuals: &mut Vec<f64>,
) -> Piece {
    let (Some(head), Some(tail)) = (steps.first(), steps.last()) else {
        return (0, Line::default());
    };
    residuals.clear();
    residuals.extend(
        steps
            .iter()
            .map(|s| f64::from(s.fit - head.fit) - slope * (s.x - head.x) as f64),
    );
    let intercept = match aim {
        Aim::Low => {
            let third = (residuals.len() - 1) / 3;
            *residuals.select_nth_unstable_by(third, f64::total_cmp).1
        }
        Aim::Middle => {
            let min = residuals.iter().copied().fold(f64::INFINITY, f64::min);
            let max = residuals.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (min + max) / 2.0
        }
    };
    let mut line = Line {
        slope,
        intercept: (intercept + INTERCEPT_NUDGE) as f32,
        first: head.fit,
        covered: tail.fit - head.fit + 1,
        ..Line::default()
    };
    let (below, above) = bounds(&line, head.x, steps, end);
    line.below = u8::try_from(below).unwrap_or(u8::MAX);
    line.above = u8::try_from(above).unwrap_or(u8::MAX);
    (head.x, line)
}

/// How far the true position can be below and above the guess, for every coordinate from the first
/// step to `end`.
///
/// Guesses never fall from left to right, and the true position is constant between two steps, so
/// the error is greatest at the ends of that interval.
fn bounds(line: &Line, origin: u64, steps: &[Step], end: Option<u64>) -> (u32, u32) {
    let (mut below, mut above) = (0, 0);
    for (i, step) in steps.iter().enumerate() {
        let next = steps.get(i + 1).map(|s| s.x).or(end);
        let last = next.map_or(u64::MAX, |x| x.saturating_sub(1)).max(step.x);
        let guess = line.guess(step.x - origin);
        below = below.max(guess.saturating_sub(step.lo));
        above = above.max(step.hi.saturating_sub(guess));
        if last > step.x {
            let guess = line.guess(last - origin);
            below = below.max(guess.saturating_sub(step.hi));
        }
    }
    (below, above)
}

/// Fitted points by the distance from their line: see [`TrainingReport::histogram`].
pub fn histogram(pieces: &[Piece], steps: &[Step]) -> [u64; 16] {
    let mut classes = [0; 16];
    let mut pieces = pieces.iter().peekable();
    let mut piece = pieces.next();
    for step in steps {
        while pieces.peek().is_some_and(|p| p.0 <= step.x) {
            piece = pieces.next();
        }
        if let Some((x, line)) = piece {
            let at = line.at(step.x - x) + f64::from(line.first);
            classes[TrainingReport::class((at - f64::from(step.fit)).abs())] += 1;
        }
    }
    classes
}

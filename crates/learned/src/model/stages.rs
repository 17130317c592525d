//! Stages: a step function cut into lines, and what their error really is.

use super::fit::{Fitter, UNIT};
use super::layout::{Line, ROOT, SEARCH_TREE, STAGES};
use super::report::TrainingReport;

/// Wider bounds than this, in leaves, are of no use: searching the tree costs less.
pub const WIDEST: u32 = 4;

/// Tolerance of the stages above the last, in positions. Each position more widens the search
/// in the first coordinates by two; each less makes the stage longer.
const UPPER: i64 = 2;

/// Added to intercepts, in positions: an error far below one key's distance, far above the
/// rounding error, so that a line through the points does not fall just short of them.
const NUDGE: f64 = 1.0 / (1 << 20) as f64;

/// Where the true position changes. From `x` to the next step it is `hi`; keys at `x` itself may be
/// anywhere from `lo` to `hi`, where several keys share `x`.
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

/// Where to put a line of given slope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// So that a third of the points lie below it: a guess one leaf too far left costs a step right, one too
    /// far right a search from the root, about twice as much; the 1/(1+2) quantile costs least.
    Low,
    /// Least greatest error: the bounds are searched from end to end.
    Middle,
}

/// One segment: its first coordinate and its line.
pub type Piece = (u64, Line);

/// Whether a line may run from the segment's last step to this one.
fn joins(prev: &Step, next: &Step, tolerance: i64) -> bool {
    // Positions jumped over belong to one heavy key. A line through the jump would miss its
    // neighbours by the size of the jump.
    let skipped = i64::from(next.fit) - i64::from(prev.fit) - 1;
    skipped * UNIT <= tolerance
        // A coordinate whose keys are spread over many leaves gets a segment of its own.
        && prev.hi - prev.lo <= WIDEST
        && next.hi - next.lo <= WIDEST
}

/// The last stage: coordinate to leaf, with this tolerance in [`UNIT`]s of a leaf. None: more
/// than `limit` segments.
pub fn leaves(steps: &[Step], tolerance: i64, limit: usize) -> Option<Vec<Piece>> {
    // The leftmost leaf begins at minus infinity, which lies on no line.
    let (leftmost, rest) = steps.split_at(steps.len().min(1));
    let mut pieces = cut(
        leftmost,
        tolerance,
        Aim::Low,
        limit,
        rest.first().map(|s| s.x),
    )?;
    pieces.extend(cut(rest, tolerance, Aim::Low, limit, None)?);
    for (_, line) in &mut pieces {
        if u32::from(line.below.max(line.above)) > WIDEST {
            line.flags |= SEARCH_TREE;
        }
    }
    (pieces.len() <= limit).then_some(pieces)
}

/// The stages above one of `count` segments or leaves, root first; `steps` is the position within that stage as a
/// function of the coordinate.
pub fn above(mut steps: Vec<Step>, mut count: usize) -> Vec<Vec<Piece>> {
    let mut stages = Vec::new();
    while count > ROOT && stages.len() < STAGES - 1 {
        let (leftmost, rest) = steps.split_at(steps.len().min(1));
        let end = rest.first().map(|s| s.x);
        let tolerance = UPPER * UNIT;
        let (Some(mut stage), Some(rest)) = (
            cut(leftmost, tolerance, Aim::Middle, usize::MAX, end),
            cut(rest, tolerance, Aim::Middle, usize::MAX, None),
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

/// Cuts the steps into the fewest lines, as long as those are not above `limit`. `end` is the coordinate after
/// the last step's, None if all the rest is its own.
fn cut(
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
        let joined = i == start || joins(&steps[i - 1], step, tolerance);
        if joined && fitter.add(step.x, y) {
            continue;
        }
        pieces.push(finish(
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
        pieces.push(finish(
            &steps[start..],
            fitter.slope(),
            aim,
            end,
            &mut residuals,
        ));
    }
    Some(pieces)
}

/// The line of slope `slope` for these steps, with measured bounds.
fn finish(
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
        intercept: (intercept + NUDGE) as f32,
        first: head.fit,
        covered: tail.fit - head.fit + 1,
        ..Line::default()
    };
    let (below, above) = bounds(&line, head.x, steps, end);
    line.below = u8::try_from(below).unwrap_or(u8::MAX);
    line.above = u8::try_from(above).unwrap_or(u8::MAX);
    (head.x, line)
}

/// How far the truth can lie below and above the guess, for every coordinate from the first step to `end`.
///
/// Guesses never fall from left to right and the truth is constant between two steps, so both ends of
/// that interval are the worst of it.
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

/// Fitted points by the distance of their line: see [`TrainingReport::histogram`].
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

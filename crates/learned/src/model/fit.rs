//! Optimal streaming piecewise linear fit.
//!
//! Input: points with rising x, and a tolerance. A segment is extended as long as some line passes
//! within the tolerance of all its points; then the next segment starts. No other division into
//! segments needs fewer. The feasible lines are kept as the flattest and the steepest one, which
//! are found on the convex hulls of the points moved up and down by the tolerance, in amortized
//! constant time for each point.
//!
//! J. O'Rourke, "An on-line algorithm for fitting straight lines between data ranges", CACM 24(9),
//! 1981. Its use for indexes: P. Ferragina and G. Vinciguerra, "The PGM-index", PVLDB 13(8), 2020.
//!
//! The arithmetic is exact: products of integers are below 2^64 * 2^40 and fit an i128.

/// Fixed point: y is in units of 1/64 position.
pub const UNIT: i64 = 64;

#[derive(Debug, Clone, Copy)]
struct Point {
    x: u64,
    y: i64,
}

/// A slope as a fraction; `dx` is positive.
#[derive(Debug, Clone, Copy)]
struct Slope {
    dx: u64,
    dy: i64,
}

impl Slope {
    /// From `a` to `b`, where `a.x < b.x`.
    fn between(a: Point, b: Point) -> Self {
        Self {
            dx: b.x - a.x,
            dy: b.y - a.y,
        }
    }

    fn below(self, other: Self) -> bool {
        i128::from(self.dy) * i128::from(other.dx) < i128::from(other.dy) * i128::from(self.dx)
    }

    fn value(self) -> f64 {
        self.dy as f64 / (self.dx as f64 * UNIT as f64)
    }
}

/// A convex chain from which tangents are drawn to points further and further right. The tangent's
/// point on the chain only moves right, so the points left of the last one are not needed any more.
#[derive(Debug, Default)]
struct MonotoneChain {
    points: Vec<Point>,
    start: usize,
}

impl MonotoneChain {
    fn restart(&mut self, p: Point) {
        self.points.clear();
        self.points.push(p);
        self.start = 0;
    }

    /// The chain point whose slope to `p` is the last in the order `better`. Slopes along a convex
    /// chain first improve, then get worse.
    fn tangent(&mut self, p: Point, better: impl Fn(Slope, Slope) -> bool) -> Option<Point> {
        let mut best = *self.points.get(self.start)?;
        let mut slope = Slope::between(best, p);
        while let Some(&next) = self.points.get(self.start + 1) {
            let other = Slope::between(next, p);
            if better(slope, other) {
                break;
            }
            best = next;
            slope = other;
            self.start += 1;
        }
        Some(best)
    }

    /// Appends `p` and drops the points that would make the chain concave. `turns(a, b)`: a chain
    /// with slope `a` and then `b` is convex.
    fn append(&mut self, p: Point, turns: impl Fn(Slope, Slope) -> bool) {
        while self.points.len() >= self.start + 2
            && let [.., a, b] = self.points[..]
            && !turns(Slope::between(a, b), Slope::between(a, p))
        {
            self.points.pop();
        }
        self.points.push(p);
    }
}

/// The line of the current segment.
#[derive(Debug)]
pub struct Fitter {
    tolerance: i64,
    count: usize,
    last: u64,
    /// The points moved up by the tolerance.
    ceiling: MonotoneChain,
    /// The points moved down by the tolerance.
    floor: MonotoneChain,
    /// The flattest feasible line: from a ceiling point down to a later floor point.
    flattest: (Point, Point),
    /// The steepest feasible line: from a floor point up to a later ceiling point.
    steepest: (Point, Point),
}

impl Fitter {
    /// A fitter with this tolerance, in 1/[`UNIT`] of a position; negative ones are taken for 0.
    pub fn new(tolerance: i64) -> Self {
        let zero = Point { x: 0, y: 0 };
        Self {
            tolerance: tolerance.max(0),
            count: 0,
            last: 0,
            ceiling: MonotoneChain::default(),
            floor: MonotoneChain::default(),
            flattest: (zero, zero),
            steepest: (zero, zero),
        }
    }

    /// Removes all points.
    pub fn restart(&mut self) {
        self.count = 0;
    }

    /// Adds a point, if some line still passes within the tolerance of all points; else returns
    /// false. `y` is in 1/[`UNIT`] of a position and below 2^39. A point that is not right of the
    /// last one is refused, too.
    pub fn add(&mut self, x: u64, y: i64) -> bool {
        let up = Point {
            x,
            y: y + self.tolerance,
        };
        let down = Point {
            x,
            y: y - self.tolerance,
        };
        if self.count == 0 {
            self.ceiling.restart(up);
            self.floor.restart(down);
            self.flattest = (up, up);
            self.steepest = (down, down);
        } else if x <= self.last {
            return false;
        } else if self.count == 1 {
            self.flattest.1 = down;
            self.steepest.1 = up;
            self.ceiling.points.push(up);
            self.floor.points.push(down);
        } else {
            let (flat, steep) = self.slopes();
            if Slope::between(self.flattest.0, up).below(flat)
                || steep.below(Slope::between(self.steepest.0, down))
            {
                return false;
            }
            self.narrow(up, down, flat, steep);
        }
        self.count += 1;
        self.last = x;
        true
    }

    /// Turns the flattest and the steepest line so that they pass the new point.
    fn narrow(&mut self, up: Point, down: Point, flat: Slope, steep: Slope) {
        if Slope::between(self.steepest.0, up).below(steep) {
            if let Some(pivot) = self.floor.tangent(up, Slope::below) {
                self.steepest = (pivot, up);
            }
            self.ceiling.append(up, Slope::below);
        }
        if flat.below(Slope::between(self.flattest.0, down)) {
            if let Some(pivot) = self.ceiling.tangent(down, |a, b| b.below(a)) {
                self.flattest = (pivot, down);
            }
            self.floor.append(down, |a, b| b.below(a));
        }
    }

    fn slopes(&self) -> (Slope, Slope) {
        (
            Slope::between(self.flattest.0, self.flattest.1),
            Slope::between(self.steepest.0, self.steepest.1),
        )
    }

    /// The mean of the flattest and the steepest slope, in positions per unit of x, never negative;
    /// 0 for a single point.
    pub fn slope(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        let (flat, steep) = self.slopes();
        let middle = (flat.value() + steep.value()) / 2.0;
        middle.max(0.0)
    }
}

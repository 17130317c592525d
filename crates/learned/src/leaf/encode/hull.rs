//! The upper and the lower convex hull of the points (slot, value) of a column. They tell how
//! narrow a band around a line can be that holds all points.
//!
//! The narrowest band, measured vertically, is as wide as the largest vertical gap between the two
//! hulls. That is the duality of the linear program "least width such that a line exists"
//! (O'Rourke: An on-line algorithm for fitting straight lines between data ranges, CACM 1981). The
//! gap is concave, so it is largest at a corner.
//!
//! All results are estimates in floating point. The encoder measures what it gets.

/// Slot and value.
pub(in crate::leaf) type Point = (u32, u64);

/// `b - a` in both coordinates, for values that spread over 2^62 at most.
#[inline(always)]
fn rise(a: Point, b: Point) -> (f64, f64) {
    (
        f64::from(b.0.wrapping_sub(a.0) as i32),
        b.1.wrapping_sub(a.1) as i64 as f64,
    )
}

/// A chain of corners, slots ascending.
#[derive(Debug, Clone, Default)]
pub(in crate::leaf) struct HullChain(pub(in crate::leaf) Vec<Point>);

impl HullChain {
    /// Adds a point to the right of all others, by Andrew's monotone chain. `UPPER` tells which
    /// hull this is.
    #[inline(always)]
    pub(in crate::leaf) fn push<const UPPER: bool>(&mut self, p: Point) {
        while let [.., a, b] = *self.0.as_slice() {
            let (bx, by) = rise(a, b);
            let (px, py) = rise(a, p);
            let turn = bx * py - px * by;
            let inside = if UPPER { turn >= 0.0 } else { turn <= 0.0 };
            if !inside {
                break;
            }
            self.0.pop();
        }
        self.0.push(p);
    }

    /// Makes this the hull of the points of `a` and of those of `b`, which are to the right.
    pub(in crate::leaf) fn unite<const UPPER: bool>(&mut self, a: &Self, b: &Self) {
        self.0.clear();
        self.0.extend_from_slice(&a.0);
        for &p in &b.0 {
            self.push::<UPPER>(p);
        }
    }
}

/// The height of the edge `a..b` above `a`'s value at slot `x`, and its slope.
#[inline(always)]
fn on_edge(a: Point, b: Point, x: u32) -> (f64, f64) {
    let (dx, dy) = rise(a, b);
    let slope = if dx > 0.0 { dy / dx } else { 0.0 };
    (slope * f64::from(x.wrapping_sub(a.0) as i32), slope)
}

/// Width and slope of the narrowest band that holds the points of both hulls.
pub(in crate::leaf) fn band(upper: &HullChain, lower: &HullChain) -> (f64, f64) {
    let (up, low) = (upper.0.as_slice(), lower.0.as_slice());
    let mut best = (0.0, 0.0);
    let (Some(first), Some(last)) = (up.first(), up.last()) else {
        return best;
    };
    if first.0 == last.0 {
        return best;
    }
    best.1 = on_edge(*first, *last, last.0).1;
    best.0 = -1.0;
    // The corners of one hull against the edges of the other one, below or above them.
    let mut against = |corners: &[Point], edges: &[Point], sign: f64| {
        let mut rest = edges;
        for &c in corners {
            while let [_, b, _, ..] = rest {
                if b.0 >= c.0 {
                    break;
                }
                rest = rest.get(1..).unwrap_or_default();
            }
            if let [a, b, ..] = *rest {
                let (height, slope) = on_edge(a, b, c.0);
                let gap = sign * (rise(a, c).1 - height);
                if gap > best.0 {
                    best = (gap, slope);
                }
            }
        }
    };
    against(up, low, 1.0);
    against(low, up, -1.0);
    (best.0.max(0.0), best.1)
}

//! Policy: every threshold by which the index chooses between two right answers.
//!
//! A constant here may be changed without a change of the page format. No answer of a query
//! depends on it; only sizes and times do. What a page's bytes mean stands elsewhere
//! (`leaf/format/layout.rs`, `page.rs`).
//!
//! How to read an entry:
//!
//! - The first sentence says what the constant bounds, and its unit.
//! - **Trades** says what a larger value costs and what a smaller one costs.
//! - **Measured by** names the test or the benchmark that shows the effect. A test called
//!   `timing::merges` stands in `leaf/tests/timing.rs`. Tests that print figures are ignored by
//!   default. Run one of them by its name:
//!   `cargo test --release -p learned timing::merges -- --ignored --nocapture`.
//!
//! To change a threshold, run what is named there before and after the change, then all tests of
//! the crate: a few of them state the policy itself, such as where a leaf is split. The values were
//! found by measurements of the whole; where an entry has no figures, only the direction of the
//! effect is known.

pub mod leaf;
pub mod model;
pub mod tree;

/// A ratio of two small whole numbers.
///
/// Shares and factors are kept as whole numbers, so that a decision never depends on rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    numerator: usize,
    denominator: usize,
}

impl Ratio {
    /// The ratio `numerator / denominator`; the denominator is not 0.
    pub const fn new(numerator: usize, denominator: usize) -> Self {
        Self {
            numerator,
            denominator,
        }
    }

    /// `count` times this ratio, rounded down.
    pub const fn times(self, count: usize) -> usize {
        count * self.numerator / self.denominator
    }

    /// Whether `part / whole` is this ratio or more.
    pub const fn is_reached(self, part: usize, whole: usize) -> bool {
        part * self.denominator >= whole * self.numerator
    }

    /// Whether `part / whole` is more than this ratio.
    pub const fn is_exceeded(self, part: usize, whole: usize) -> bool {
        part * self.denominator > whole * self.numerator
    }

    /// Whether `part / whole` is this ratio or more, of numbers that are not whole.
    pub fn is_reached_by(self, part: f64, whole: f64) -> bool {
        part * self.denominator as f64 >= whole * self.numerator as f64
    }
}

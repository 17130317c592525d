//! Statistics of a column of a planned run. They tell how many bits a record takes, and those of
//! two runs can be united without a look at the entries.

use crate::leaf::encode::division::{bits_of, common_divisor_of, gcd};
use crate::leaf::encode::hull::{HullChain, band};
use crate::policy::leaf::{HULL_GROUPS, MAX_PARTITION_UNIT, MIN_HULL_GROUP, MIN_NOISE_SHARE};

/// What is known of one column of a planned run.
#[derive(Debug, Clone, Default)]
pub(in crate::leaf) struct ColumnStats {
    upper: HullChain,
    lower: HullChain,
    pub min: u64,
    pub max: u64,
    /// The greatest common divisor of the differences; 0 while all values are the same.
    pub gcd: u64,
    /// The first value.
    first: u64,
    /// Number of bits of a residual.
    pub width: u32,
    /// Width and slope of the narrowest band. None where a line is of no use.
    band: Option<(f64, f64)>,
}

/// What is known of a column before its values are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::leaf) enum Known {
    /// Nothing.
    Nothing,
    /// The values ascend.
    Ascends,
    /// The scale is 1.
    Unscaled,
}

impl ColumnStats {
    /// Makes these the statistics of up to [`MAX_PARTITION_UNIT`] values. The first value is in
    /// slot `from`.
    pub(in crate::leaf) fn set(&mut self, values: &[u64], from: u32, known: Known) {
        self.upper.0.clear();
        self.lower.0.clear();
        let (Some(&first), Some(&last)) = (values.first(), values.last()) else {
            return;
        };
        self.upper.0.reserve(8);
        self.lower.0.reserve(8);
        (self.min, self.max) = (first, last);
        if known != Known::Ascends {
            self.max = first;
            for &v in values {
                self.min = v.min(self.min);
                self.max = v.max(self.max);
            }
        }
        self.first = first;
        self.gcd = if known == Known::Unscaled {
            1
        } else {
            common_divisor_of(values, first)
        };
        // Only the highest and the lowest point of each group, about the unit's chord, are added to
        // the hulls. The others are rarely corners, and then they hardly matter. A distance from
        // the chord, with some bits of its fraction where there is room, and the slot in the low
        // bits make one number.
        const SLOT: u64 = MAX_PARTITION_UNIT as u64 - 1;
        let n = values.len();
        let run = (n as i64 - 1).max(1);
        let rise = last.wrapping_sub(first) as i64;
        let (shift, fraction) = if self.max - self.min < 1 << 40 {
            (21, 12)
        } else {
            (0, 0)
        };
        let slope = ((rise << fraction) / run) << (shift - fraction) & !SLOT as i64;
        let step = 1i64.wrapping_sub(slope);
        let mut chord = 0i64;
        self.upper.push::<true>((from, first));
        self.lower.push::<false>((from, first));
        let point = |code: i64| {
            let slot = (code as u64 & SLOT) as u32;
            let inner = slot > 0 && (slot as usize) + 1 < n;
            let value = values.get(slot as usize).copied().unwrap_or(first);
            inner.then_some((from + slot, value))
        };
        let group = (n / HULL_GROUPS).next_power_of_two().max(MIN_HULL_GROUP);
        for group in values.chunks(group) {
            let (mut high, mut low) = (i64::MIN, i64::MAX);
            for &v in group {
                let d = (v.wrapping_sub(first) << shift & !SLOT) as i64;
                let code = d.wrapping_add(chord);
                high = code.max(high);
                low = code.min(low);
                chord = chord.wrapping_add(step);
            }
            if let Some(p) = point(high) {
                self.upper.push::<true>(p);
            }
            if let Some(p) = point(low) {
                self.lower.push::<false>(p);
            }
        }
        if n > 1 {
            self.upper.push::<true>((from + n as u32 - 1, last));
            self.lower.push::<false>((from + n as u32 - 1, last));
        }
        self.width = self.residual_width();
    }

    /// Makes these the statistics of the values of `a`, followed by those of `b`.
    pub(in crate::leaf) fn unite(&mut self, a: &Self, b: &Self) {
        self.upper.unite::<true>(&a.upper, &b.upper);
        self.lower.unite::<false>(&a.lower, &b.lower);
        self.min = a.min.min(b.min);
        self.max = a.max.max(b.max);
        self.first = a.first;
        let d = a.first.abs_diff(b.first);
        self.gcd = if a.gcd == 1 || b.gcd == 1 {
            1
        } else {
            gcd(d, gcd(a.gcd, b.gcd))
        };
        self.width = self.residual_width();
    }

    /// Number of bits of a residual, with a line or without one. Sets the narrowest band.
    fn residual_width(&mut self) -> u32 {
        let scale = self.gcd.max(1);
        let spread = (self.max - self.min) / scale;
        let plain = bits_of(spread);
        self.band = None;
        if plain == 0 || self.max - self.min > 1 << 62 {
            return plain;
        }
        let (width, slope) = band(&self.upper, &self.lower);
        self.band = Some((width, slope));
        plain.min(bits_of((width / scale as f64).ceil() as u64))
    }

    /// The slope of the narrowest band, in units of value for each slot. None where a line is of no
    /// use: in columns that do not ascend and whose narrowest band is hardly narrower than their
    /// spread, such as random TIDs.
    pub(in crate::leaf) fn slope(&self) -> Option<f64> {
        let (width, slope) = self.band?;
        let spread = (self.max - self.min) as f64;
        let is_noise = self.first > self.min && MIN_NOISE_SHARE.is_reached_by(width, spread);
        (!is_noise).then_some(slope)
    }
}

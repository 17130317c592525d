//! Entries to runs, in the fewest bits that are found.

use crate::key::Entry;
use crate::leaf::encode::columns::ColumnBuffers;
use crate::leaf::encode::division::{ExactDivisor, bits_of};
use crate::leaf::encode::partition::Partition;
use crate::leaf::encode::stats::ColumnStats;
use crate::leaf::format::OwnedRun;
use crate::leaf::format::bits::Writer;
use crate::leaf::format::run::{ColumnCode, RunHeader, unpack_bias};
use crate::policy::leaf::MAX_PARTITION_UNIT;

/// The runs of ascending entries, partitioned finely.
#[cfg(test)]
pub(in crate::leaf) fn encode<const W: usize>(entries: &[Entry<W>]) -> Vec<OwnedRun<W>> {
    Encoder::new().encode(entries, crate::policy::leaf::PARTITION_UNIT)
}

/// Encodes entries. The memory of one call serves the next ones.
#[derive(Debug)]
pub(in crate::leaf) struct Encoder<const W: usize> {
    columns: ColumnBuffers<W>,
    partition: Partition<W>,
    records: Vec<u64>,
}

impl<const W: usize> Encoder<W> {
    pub(in crate::leaf) fn new() -> Self {
        Self {
            columns: ColumnBuffers::new(),
            partition: Partition::new(),
            records: Vec::new(),
        }
    }

    /// The runs of ascending entries, put together from units of `unit` entries.
    pub(in crate::leaf) fn encode(
        &mut self,
        entries: &[Entry<W>],
        unit: usize,
    ) -> Vec<OwnedRun<W>> {
        self.plan(entries, unit);
        self.encode_plan()
    }

    /// The runs that are planned.
    pub(in crate::leaf) fn encode_plan(&mut self) -> Vec<OwnedRun<W>> {
        (0..self.planned_runs())
            .filter_map(|i| self.encode_planned(i, |_| usize::MAX))
            .collect()
    }

    /// Plans runs for ascending entries, put together from units of `unit` entries.
    pub(in crate::leaf) fn plan(&mut self, entries: &[Entry<W>], unit: usize) {
        self.columns.load(entries);
        self.partition.plan(entries, &self.columns, unit, &[]);
    }

    /// Plans runs for ascending entries, of which about the same runs are expected as end at `ends`
    /// (ascending): the units are as wide as possible, and none reaches beyond an end.
    pub(in crate::leaf) fn plan_along(&mut self, entries: &[Entry<W>], ends: &[usize]) {
        self.columns.load(entries);
        self.partition
            .plan(entries, &self.columns, MAX_PARTITION_UNIT, ends);
    }

    /// An estimate of the bytes that the planned runs take of a page, with room for a bitmap.
    pub(in crate::leaf) fn estimate(&self) -> usize {
        let plans = self.partition.plans();
        let bits: u64 = plans.iter().map(|s| s.cost).sum();
        (bits as usize + self.columns.ordinals.len()) / 8
    }

    /// Number of planned runs.
    pub(in crate::leaf) fn planned_runs(&self) -> usize {
        self.partition.plans().len()
    }

    /// Number of entries of planned run `i`.
    pub(in crate::leaf) fn planned_len(&self, i: usize) -> usize {
        self.partition.plans().get(i).map_or(0, |s| s.to - s.from)
    }

    /// The planned run `i`, with its first entries only, at most as many as `most` returns for the
    /// number of bits of a record. None where there are none.
    pub(in crate::leaf) fn encode_planned(
        &mut self,
        i: usize,
        most: impl Fn(usize) -> usize,
    ) -> Option<OwnedRun<W>> {
        let plan = self.partition.plans().get(i)?;
        let range = plan.from..plan.to;
        let columns = &self.columns;
        let mut words = [ColumnCode::constant(0); W];
        for ((word, stats), values) in words.iter_mut().zip(&plan.words).zip(&columns.words) {
            *word = choose_code(values.get(range.clone())?, stats);
        }
        let tid = choose_code(columns.ordinals.get(range)?, &plan.tid);
        let mut header = RunHeader {
            slots: plan.to - plan.from,
            start: 0,
            high: plan.high,
            words,
            tid,
            per_block: columns.tie_code.per_block,
            first: columns.tie_code.first,
        };
        header.slots = most(header.record_bits()).min(header.slots);
        if header.slots == 0 {
            return None;
        }
        let range = plan.from..plan.from + header.slots;
        let mut values = columns.words.iter().chain([&columns.ordinals]);
        let mut fields = words.iter().chain([&tid]).peekable();
        let mut out = Writer::new(header.slots * header.record_bits());
        // As many columns at a time as fit a word. Mostly that is all of them.
        let mut spill: Vec<(Vec<u64>, u32)> = Vec::new();
        while fields.peek().is_some() {
            let mut used = 0;
            let records = &mut self.records;
            records.clear();
            records.resize(header.slots, 0);
            while let Some(column) = fields.next_if(|c| used + c.width <= 64) {
                let values = values.next()?.get(range.clone())?;
                if column.width > 0 {
                    residuals(column, values, |to, r| *to |= r << used, records);
                }
                used += column.width;
            }
            if spill.is_empty() && fields.peek().is_none() {
                if used > 0 {
                    for &r in records.iter() {
                        out.push(r, used);
                    }
                }
            } else {
                spill.push((std::mem::take(records), used));
            }
        }
        if !spill.is_empty() {
            for j in 0..header.slots {
                for (records, used) in &spill {
                    out.push(records.get(j).copied().unwrap_or(0), *used);
                }
            }
        }
        Some(OwnedRun {
            header,
            data: out.finish(),
            tombstones: Vec::new(),
        })
    }
}

/// Calls `set` for each item of `to`, with the item and the residual of its value.
#[inline(always)]
fn residuals(column: &ColumnCode, values: &[u64], set: impl Fn(&mut u64, u64), to: &mut [u64]) {
    let exact = ExactDivisor::by(column.scale);
    let (base, bias) = (column.base, unpack_bias(column.bias));
    if column.multiplier == 0 {
        // Without a bias, distances from the base may take all 64 bits, so the shift is logical.
        for (to, &v) in to.iter_mut().zip(values) {
            let d = v.wrapping_sub(base);
            let q = if bias == 0 {
                exact.unsigned(d)
            } else {
                exact.signed(d)
            };
            set(to, q.wrapping_add(bias));
        }
    } else if column.scale == 1 {
        let origin = base.wrapping_sub(bias);
        for (j, (to, &v)) in to.iter_mut().zip(values).enumerate() {
            set(to, v.wrapping_sub(origin).wrapping_sub(column.line(j)));
        }
    } else {
        for (j, (to, &v)) in to.iter_mut().zip(values).enumerate() {
            let q = exact.signed(v.wrapping_sub(base));
            set(to, q.wrapping_add(bias).wrapping_sub(column.line(j)));
        }
    }
}

/// The code of a column: with a line, or without one where that takes fewer bits.
fn choose_code(values: &[u64], stats: &ColumnStats) -> ColumnCode {
    let base = values.first().copied().unwrap_or(0);
    let (min, max) = (stats.min, stats.max);
    if min == max {
        return ColumnCode::constant(base);
    }
    let scale = stats.gcd.max(1);
    if max - min > 1 << 62 {
        // Signed arithmetic does not reach so far. Values from the base on are plain distances.
        // Others wrap around; all 64 bits with scale 1 hold any of them.
        let (scale, width) = if min == base {
            (scale, bits_of((max - base) / scale))
        } else {
            (1, 64)
        };
        return ColumnCode::new(base, scale, 0, 0, width, (0, 0));
    }
    let plain = ColumnCode::new(base, scale, 0, 0, 0, (0, 0));
    let plain = measured(&plain, (base - min) / scale, (max - base) / scale);
    let Some(slope) = stats.slope() else {
        return plain;
    };
    let (multiplier, shift) = fixed_point(slope / scale as f64);
    if multiplier == 0 {
        return plain;
    }
    let line = ColumnCode::new(base, scale, multiplier, shift, 0, (0, 0));
    let (mut min, mut max) = (0, 0);
    let mut include = |q: u64, j: usize| {
        let d = q.wrapping_sub(line.line(j)) as i64;
        min = d.min(min);
        max = d.max(max);
    };
    if scale == 1 {
        for (j, &v) in values.iter().enumerate() {
            include(v.wrapping_sub(base), j);
        }
    } else {
        let exact = ExactDivisor::by(scale);
        for (j, &v) in values.iter().enumerate() {
            include(exact.signed(v.wrapping_sub(base)), j);
        }
    }
    let line = measured(&line, min.unsigned_abs(), max as u64);
    // At equal widths the line is better: a search interpolates on it.
    if line.width <= plain.width {
        line
    } else {
        plain
    }
}

/// Slopes, in units of value for each slot, that have a multiplier and a shift.
const SLOPES: std::ops::Range<f64> = 1e-6..1e19;

/// The slope as multiplier and shift, the multiplier normalised to 32 bits. 0 where the line would
/// stay below 1 on a page, or would not fit a shift.
fn fixed_point(slope: f64) -> (i64, i8) {
    let size = slope.abs();
    // NaN is not in the range, either.
    if !SLOPES.contains(&size) {
        return (0, 0);
    }
    let exponent = (size.to_bits() >> 52) as i32 - 1023;
    let mut shift = 31 - exponent;
    let mut m = (size * 2f64.powi(shift)).round() as i64;
    if m >> 32 != 0 {
        m >>= 1;
        shift -= 1;
    }
    (if slope < 0.0 { -m } else { m }, shift as i8)
}

/// The column with the width and the bias that scaled distances need, from `need` below its line to
/// `max` above it.
fn measured(column: &ColumnCode, need: u64, max: u64) -> ColumnCode {
    let with = |bias: (u8, u8)| {
        let width = bits_of(max.saturating_add(unpack_bias(bias)));
        ColumnCode::new(
            column.base,
            column.scale,
            column.multiplier,
            column.shift,
            width,
            bias,
        )
    };
    let tight = with(pack_bias(need));
    // The residuals seldom fill their bits. The room that is left is shared between both ends, so
    // that later entries fit. Appends in place depend on it.
    let room = tight.room_above(max);
    if room == 0 || column.multiplier == 0 {
        return tight;
    }
    let (mantissa, exponent) = pack_bias(unpack_bias(tight.bias) + room / 2);
    let centred = with((mantissa, exponent));
    if centred.width == tight.width {
        centred
    } else {
        tight
    }
}

/// The smallest bias that is not below `need`, as mantissa and exponent.
fn pack_bias(need: u64) -> (u8, u8) {
    let exponent = bits_of(need).saturating_sub(8);
    let mantissa = need.div_ceil(1 << exponent);
    if mantissa > 255 {
        (128, exponent as u8 + 1)
    } else {
        (mantissa as u8, exponent as u8)
    }
}

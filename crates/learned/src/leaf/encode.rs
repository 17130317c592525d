//! Entries to runs.

use super::Layout;
use super::bits::{self, Writer};
use super::partition::{Offsets, Segment, bits_of, gcd, partition};
use super::run::{Column, Head, Run, unpack_bias};
use crate::key::Entry;

/// A run in memory, with its tombstones.
#[derive(Debug, Clone)]
pub(super) struct Packed<const W: usize> {
    pub head: Head<W>,
    pub data: Vec<u8>,
    /// A bit a slot; empty while none is set.
    pub dead: Vec<u8>,
}

impl<const W: usize> Packed<W> {
    pub(super) fn run(&self) -> Run<'_, W> {
        Run::new(self.head, &self.data)
    }

    pub(super) fn is_dead(&self, slot: usize) -> bool {
        bits::test(&self.dead, slot)
    }

    pub(super) fn dead(&self) -> usize {
        bits::count(&self.dead)
    }

    /// Appends the live entries.
    pub(super) fn live(&self, out: &mut Vec<Entry<W>>) {
        let run = self.run();
        if self.dead.is_empty() {
            run.ascend(0, self.head.slots, out);
        } else {
            let live = (0..self.head.slots).filter(|&slot| !self.is_dead(slot));
            out.extend(live.map(|slot| run.entry(slot)));
        }
    }

    /// Bits the run takes of a page: header, data, room for its part of the bitmap.
    pub(super) fn cost(&self) -> usize {
        8 * (Layout::<W>::RUN + self.data.len()) + self.head.slots
    }

    /// The slots `from..to` as a run, for `from < to <= slots`. Line, widths and scales stay, so that the parts of a
    /// run cut up take a header and a byte more each than the whole at most.
    pub(super) fn part(&self, from: usize, to: usize) -> Self {
        let record = self.head.record();
        let mut head = self.head;
        head.start += from;
        head.slots = to - from;
        let mut dead = Vec::new();
        if !self.dead.is_empty() {
            dead = bits::copy(&self.dead, from, to - from);
            if bits::count(&dead) == 0 {
                dead.clear();
            }
        }
        Self {
            head,
            data: bits::copy(&self.data, from * record, (to - from) * record),
            dead,
        }
    }

    /// The run's slots up to `at` and those from `at` on, for 0 < at < slots.
    pub(super) fn cut(&self, at: usize) -> (Self, Self) {
        (self.part(0, at), self.part(at, self.head.slots))
    }
}

/// The fewest bits that some partition of the entries was found to take.
pub(super) fn encode<const W: usize>(entries: &[Entry<W>]) -> Vec<Packed<W>> {
    let offsets = Offsets::of(entries);
    partition(entries, offsets)
        .iter()
        .map(|s| encode_segment(entries, s, offsets))
        .collect()
}

/// The run of one segment of `entries`.
pub(super) fn encode_segment<const W: usize>(
    entries: &[Entry<W>],
    segment: &Segment<W>,
    offsets: Offsets,
) -> Packed<W> {
    let entries = entries.get(segment.from..segment.to).unwrap_or_default();
    let (slopes, tid_slope) = segment.slopes();
    let mut values = Vec::with_capacity(entries.len());
    // Records are put together column by column where they fit a word.
    let mut records = vec![0u64; entries.len()];
    let mut columns: Vec<Vec<u64>> = Vec::new();
    let mut used = 0;
    let mut words = [Column::constant(0); W];
    let mut add = |column: &Column, values: &[u64]| {
        if used + column.width <= 64 && columns.is_empty() {
            if column.width > 0 {
                for (j, (to, &v)) in records.iter_mut().zip(values).enumerate() {
                    *to |= residual(column, j, v) << used;
                }
            }
            used += column.width;
        } else {
            columns.push(
                values
                    .iter()
                    .enumerate()
                    .map(|(j, &v)| residual(column, j, v))
                    .collect(),
            );
        }
    };
    for (i, (word, slope)) in words.iter_mut().zip(slopes).enumerate() {
        values.clear();
        values.extend(entries.iter().map(|e| e.key.get(i).copied().unwrap_or(0)));
        let scale = scale_of(&values);
        *word = fit(&mut values, scale, slope);
        add(word, &values);
    }
    values.clear();
    values.extend(entries.iter().map(|e| offsets.ordinal(e.tie)));
    let tid = fit(&mut values, 1, tid_slope);
    add(&tid, &values);
    let head = Head {
        slots: entries.len(),
        start: 0,
        high: entries.first().map_or(0, |e| e.tie & 0xFFFF << 48),
        words,
        tid,
        per_block: offsets.per_block,
        first: offsets.first,
    };
    let mut out = Writer::new(entries.len() * head.record());
    if columns.is_empty() {
        if used > 0 {
            for &r in &records {
                out.push(r, used);
            }
        }
    } else {
        // The columns from `split` on did not fit.
        let split = W + 1 - columns.len();
        let widths: Vec<u32> = words
            .iter()
            .chain([&tid])
            .skip(split)
            .map(|c| c.width)
            .collect();
        for (j, &r) in records.iter().enumerate() {
            out.push(r, used);
            for (column, &width) in columns.iter().zip(&widths) {
                out.push(column.get(j).copied().unwrap_or(0), width);
            }
        }
    }
    Packed {
        head,
        data: out.finish(),
        dead: Vec::new(),
    }
}

/// The residual of `q`, the value's scaled distance from the base.
#[inline(always)]
fn residual(column: &Column, j: usize, q: u64) -> u64 {
    q.wrapping_add(unpack_bias(column.bias))
        .wrapping_sub(column.line(j))
}

/// The greatest common divisor of the values' differences; at least 1.
fn scale_of(values: &[u64]) -> u64 {
    let first = values.first().copied().unwrap_or(0);
    let mut scale = 0;
    for &v in values {
        let d = v.abs_diff(first);
        if scale == 0 || !d.is_multiple_of(scale) {
            scale = gcd(d, scale);
        }
        if scale == 1 {
            break;
        }
    }
    scale.max(1)
}

/// Chooses how to code a column of which a line of `slope` (NaN: none) fits best, and turns its
/// values into their scaled distances from the base (wrapping).
fn fit(values: &mut [u64], scale: u64, slope: f64) -> Column {
    let base = values.first().copied().unwrap_or(0);
    let (mut min, mut max) = (base, base);
    for &v in values.iter() {
        min = v.min(min);
        max = v.max(max);
    }
    if min == max {
        values.fill(0);
        return Column::constant(base);
    }
    if max - min > 1 << 62 {
        // Beyond signed arithmetic. Values from the base on are plain distances; others wrap, for
        // which all 64 bits and scale 1 always do.
        let (scale, width) = if min == base {
            (scale, bits_of((max - base) / scale))
        } else {
            (1, 64)
        };
        for v in values.iter_mut() {
            *v = v.wrapping_sub(base) / scale;
        }
        return Column::new(base, scale, 0, 0, width, (0, 0));
    }
    if scale == 1 {
        for v in values.iter_mut() {
            *v = v.wrapping_sub(base);
        }
    } else {
        for v in values.iter_mut() {
            *v = (v.wrapping_sub(base) as i64 / scale as i64) as u64;
        }
    }
    let plain = Column::new(base, scale, 0, 0, 0, (0, 0));
    let plain = measured(&plain, values);
    let (multiplier, shift) = fixed_point(slope / scale as f64);
    if multiplier == 0 {
        return plain;
    }
    let line = Column::new(base, scale, multiplier, shift, 0, (0, 0));
    let line = measured(&line, values);
    // At equal widths the line still helps the search.
    if line.width <= plain.width {
        line
    } else {
        plain
    }
}

/// The slope as multiplier and shift, the multiplier normalised to 32 bits; 0 where the line would
/// stay below 1 on a page.
fn fixed_point(slope: f64) -> (i64, i8) {
    let size = slope.abs();
    // NaN fails this too.
    if !(1e-6..1e19).contains(&size) {
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

/// The column with width and bias as these scaled distances need them.
fn measured(column: &Column, values: &[u64]) -> Column {
    let (mut min, mut max) = (0, 0);
    for (j, &q) in values.iter().enumerate() {
        let d = q.wrapping_sub(column.line(j)) as i64;
        min = d.min(min);
        max = d.max(max);
    }
    let need = min.unsigned_abs();
    let with = |bias: (u8, u8)| {
        let width = bits_of((max as u64).saturating_add(unpack_bias(bias)));
        Column::new(
            column.base,
            column.scale,
            column.multiplier,
            column.shift,
            width,
            bias,
        )
    };
    let tight = with(pack_bias(need));
    // The residuals seldom fill their bits. The room left is shared between both ends, so that later entries
    // fit: appends in place depend on it.
    let room = tight.room_above(max as u64);
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

/// The smallest representable bias that is not below `need`.
fn pack_bias(need: u64) -> (u8, u8) {
    let exponent = bits_of(need).saturating_sub(8);
    let mantissa = need.div_ceil(1 << exponent);
    if mantissa > 255 {
        (128, exponent as u8 + 1)
    } else {
        (mantissa as u8, exponent as u8)
    }
}

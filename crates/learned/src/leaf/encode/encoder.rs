//! Entries to runs.

use crate::key::Entry;
use crate::leaf::encode::partition::{ColumnBuffers, Exact, Partition, Stat, WIDEST, bits_of};
use crate::leaf::format::Packed;
use crate::leaf::format::bits::Writer;
use crate::leaf::format::run::{ColumnCode, Head, unpack_bias};

/// The fewest bits that some partition of the entries was found to take.
#[cfg(test)]
pub(in crate::leaf) fn encode<const W: usize>(entries: &[Entry<W>]) -> Vec<Packed<W>> {
    Encoder::new().encode(entries, crate::leaf::format::UNIT)
}

/// Encodes entries, again and again in the same memory.
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

    /// The runs of ascending entries, cut between units of `unit` entries.
    pub(in crate::leaf) fn encode(&mut self, entries: &[Entry<W>], unit: usize) -> Vec<Packed<W>> {
        self.partition(entries, unit);
        self.runs()
    }

    /// The runs of all segments.
    pub(in crate::leaf) fn runs(&mut self) -> Vec<Packed<W>> {
        (0..self.segments())
            .filter_map(|i| self.run(i, |_| usize::MAX))
            .collect()
    }

    /// Loads ascending entries and cuts them into segments between units of `unit` entries.
    pub(in crate::leaf) fn partition(&mut self, entries: &[Entry<W>], unit: usize) {
        self.columns.load(entries);
        self.partition.cut(entries, &self.columns, unit, &[]);
    }

    /// As [`Self::partition`], between these places, ascending, and wide units between them: runs that are likely to do.
    pub(in crate::leaf) fn partition_between(&mut self, entries: &[Entry<W>], ends: &[usize]) {
        self.columns.load(entries);
        self.partition.cut(entries, &self.columns, WIDEST, ends);
    }

    /// About how many bytes all segments take of a page, with room for a bitmap.
    pub(in crate::leaf) fn estimate(&self) -> usize {
        let segments = self.partition.segments();
        let bits: u64 = segments.iter().map(|s| s.cost).sum();
        (bits as usize + self.columns.ordinals.len()) / 8
    }

    /// Number of segments.
    pub(in crate::leaf) fn segments(&self) -> usize {
        self.partition.segments().len()
    }

    /// Number of entries of segment `i`.
    pub(in crate::leaf) fn len(&self, i: usize) -> usize {
        self.partition
            .segments()
            .get(i)
            .map_or(0, |s| s.to - s.from)
    }

    /// The run of segment `i`, of which it takes no more entries than `most` says for its bits a record; None
    /// where these are none.
    pub(in crate::leaf) fn run(
        &mut self,
        i: usize,
        most: impl Fn(usize) -> usize,
    ) -> Option<Packed<W>> {
        let segment = self.partition.segments().get(i)?;
        let range = segment.from..segment.to;
        let columns = &self.columns;
        let mut words = [ColumnCode::constant(0); W];
        for ((word, stat), values) in words.iter_mut().zip(&segment.words).zip(&columns.words) {
            *word = fit(values.get(range.clone())?, stat);
        }
        let tid = fit(columns.ordinals.get(range)?, &segment.tid);
        let mut head = Head {
            slots: segment.to - segment.from,
            start: 0,
            high: segment.high,
            words,
            tid,
            per_block: columns.offsets.per_block,
            first: columns.offsets.first,
        };
        head.slots = most(head.record()).min(head.slots);
        if head.slots == 0 {
            return None;
        }
        let range = segment.from..segment.from + head.slots;
        let mut values = columns.words.iter().chain([&columns.ordinals]);
        let mut fields = words.iter().chain([&tid]).peekable();
        let mut out = Writer::new(head.slots * head.record());
        // As many columns at a time as fit a word; mostly all of them.
        let mut spill: Vec<(Vec<u64>, u32)> = Vec::new();
        while fields.peek().is_some() {
            let mut used = 0;
            let records = &mut self.records;
            records.clear();
            records.resize(head.slots, 0);
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
            for j in 0..head.slots {
                for (records, used) in &spill {
                    out.push(records.get(j).copied().unwrap_or(0), *used);
                }
            }
        }
        Some(Packed {
            head,
            data: out.finish(),
            dead: Vec::new(),
        })
    }
}

/// Gives each of `to` the residual of its value.
#[inline(always)]
fn residuals(column: &ColumnCode, values: &[u64], set: impl Fn(&mut u64, u64), to: &mut [u64]) {
    let exact = Exact::by(column.scale);
    let (base, bias) = (column.base, unpack_bias(column.bias));
    if column.multiplier == 0 {
        // The shift is logical only where there is no bias: distances from the base may then take 64 bits.
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

/// Chooses how to code a column.
fn fit(values: &[u64], stat: &Stat) -> ColumnCode {
    let base = values.first().copied().unwrap_or(0);
    let (min, max) = (stat.min, stat.max);
    if min == max {
        return ColumnCode::constant(base);
    }
    let scale = stat.gcd.max(1);
    if max - min > 1 << 62 {
        // Beyond signed arithmetic. Values from the base on are plain distances; others wrap, for
        // which all 64 bits and scale 1 always do.
        let (scale, width) = if min == base {
            (scale, bits_of((max - base) / scale))
        } else {
            (1, 64)
        };
        return ColumnCode::new(base, scale, 0, 0, width, (0, 0));
    }
    let plain = ColumnCode::new(base, scale, 0, 0, 0, (0, 0));
    let plain = measured(&plain, (base - min) / scale, (max - base) / scale);
    let Some(slope) = stat.slope() else {
        return plain;
    };
    let (multiplier, shift) = fixed_point(slope / scale as f64);
    if multiplier == 0 {
        return plain;
    }
    let line = ColumnCode::new(base, scale, multiplier, shift, 0, (0, 0));
    let (mut min, mut max) = (0, 0);
    let mut see = |q: u64, j: usize| {
        let d = q.wrapping_sub(line.line(j)) as i64;
        min = d.min(min);
        max = d.max(max);
    };
    if scale == 1 {
        for (j, &v) in values.iter().enumerate() {
            see(v.wrapping_sub(base), j);
        }
    } else {
        let exact = Exact::by(scale);
        for (j, &v) in values.iter().enumerate() {
            see(exact.signed(v.wrapping_sub(base)), j);
        }
    }
    let line = measured(&line, min.unsigned_abs(), max as u64);
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

/// The column with width and bias as scaled distances from `need` below its line to `max` above need them.
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
    // The residuals seldom fill their bits. The room left is shared between both ends, so that later entries
    // fit: appends in place depend on it.
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

//! One run: its header, on the page and in memory, and the decoding of single slots.

use crate::error::{Error, Result};
use crate::key::Entry;
use crate::leaf::format::Layout;
use crate::leaf::format::bits;
use crate::page::{self, Block, Page};

/// Set in the width byte of a column whose line descends.
const DESCENDING: u8 = 0x80;
/// Set in the TID's width byte where offsets count from 0 instead of 1. No heap has such offsets,
/// but the format can hold any TID.
const FROM_ZERO: u8 = 0x40;

/// Offsets within a run header: the counts, then the code of the first word.
const FIRST_WORD: usize = 8;
/// Bytes of a word's code in a run header: base, scale, line.
const WORD_BYTES: usize = 24;

/// How one column of a run is coded. Slot `i` with residual `r` has the value
/// `base + scale * (line(start + i) + r - bias)` in wrapping arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::leaf) struct ColumnCode {
    /// Value at line index 0 of the run when it was encoded.
    pub base: u64,
    /// Greatest common divisor of the values' differences; at least 1.
    pub scale: u64,
    /// Slope: `line(j) = multiplier * j >> shift`, rounded down. Between -2^32 and 2^32.
    pub multiplier: i64,
    /// -63 to 63; a negative shift is one to the left.
    pub shift: i8,
    /// Number of bits of a residual, 0 to 64.
    pub width: u32,
    /// Mantissa and exponent of what makes residuals non-negative: `mantissa << exponent`.
    pub bias: (u8, u8),
    /// `mask(width)`.
    pub mask: u64,
    /// `base - scale * bias`.
    origin: u64,
    right: u32,
    left: u32,
}

impl ColumnCode {
    #[inline(always)]
    pub(in crate::leaf) fn new(
        base: u64,
        scale: u64,
        multiplier: i64,
        shift: i8,
        width: u32,
        bias: (u8, u8),
    ) -> Self {
        Self {
            base,
            scale,
            multiplier,
            shift,
            width,
            bias,
            mask: bits::mask(width),
            origin: base.wrapping_sub(scale.wrapping_mul(unpack_bias(bias))),
            right: u32::from(shift.max(0) as u8) & 63,
            left: u32::from(shift.min(0).unsigned_abs()) & 63,
        }
    }

    /// A column that is `base` everywhere.
    pub(in crate::leaf) fn constant(base: u64) -> Self {
        Self::new(base, 1, 0, 0, 0, (0, 0))
    }

    #[inline(always)]
    pub(in crate::leaf) fn is_constant(&self) -> bool {
        self.width == 0 && self.multiplier == 0
    }

    /// Whether the value grows by exactly 1 from slot to slot.
    #[inline(always)]
    pub(in crate::leaf) fn is_count(&self) -> bool {
        self.width == 0
            && self.scale == 1
            && self.left == 0
            && self.multiplier == 1i64 << self.right
    }

    /// The value for a residual of `r` where `multiplier * index` is `line`.
    #[inline(always)]
    pub(in crate::leaf) fn on_line(&self, line: i64, r: u64) -> u64 {
        let line = ((line >> self.right) << self.left) as u64;
        self.origin
            .wrapping_add(self.scale.wrapping_mul(line.wrapping_add(r)))
    }

    /// The line at index `j`.
    #[inline(always)]
    pub(in crate::leaf) fn line(&self, j: usize) -> u64 {
        ((self.multiplier.wrapping_mul(j as i64) >> self.right) << self.left) as u64
    }

    /// The value at line index `j` with residual `r`.
    #[inline(always)]
    pub(in crate::leaf) fn value(&self, j: usize, r: u64) -> u64 {
        self.on_line(self.multiplier.wrapping_mul(j as i64), r)
    }

    /// The residual for `value` at line index `j`; None where no residual gives it.
    pub(in crate::leaf) fn residual(&self, j: usize, value: u64) -> Option<u64> {
        let q = if value >= self.base {
            (value - self.base).checked_div(self.scale)?
        } else {
            (self.base - value).checked_div(self.scale)?.wrapping_neg()
        };
        let r = q
            .wrapping_add(unpack_bias(self.bias))
            .wrapping_sub(self.line(j));
        (r <= self.mask && self.value(j, r) == value).then_some(r)
    }

    /// How far distances from the line could go above `max`, the largest one, without another bit.
    pub(in crate::leaf) fn room_above(&self, max: u64) -> u64 {
        self.mask
            .saturating_sub(max.saturating_add(unpack_bias(self.bias)))
    }

    /// Number of slots per unit of value, and the slot of value `x` on the middle of the band that
    /// the residuals fill. The slot is a fraction and may lie outside of the run.
    #[inline(always)]
    pub(in crate::leaf) fn guess(&self, x: u64, start: usize) -> (f64, f64) {
        if self.multiplier == 0 || x < self.base {
            return (0.0, 0.0);
        }
        let step = self.scale as f64 * self.multiplier as f64 * power(-i32::from(self.shift));
        let inverse = 1.0 / step;
        let off = unpack_bias(self.bias) as f64 - self.mask as f64 * 0.5;
        let at = ((x - self.base) as f64 + off * self.scale as f64) * inverse - start as f64;
        (inverse, at)
    }
}

/// 2 to the power of `e`, for `e` from -1022 to 1023.
#[inline(always)]
fn power(e: i32) -> f64 {
    f64::from_bits(((1023 + e) as u64) << 52)
}

#[inline(always)]
pub(in crate::leaf) fn unpack_bias((mantissa, exponent): (u8, u8)) -> u64 {
    u64::from(mantissa) << (exponent & 63)
}

/// The header of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::leaf) struct RunHeader<const W: usize> {
    /// Number of slots, at least 1.
    pub slots: usize,
    /// Line index of slot 0.
    pub start: usize,
    /// Bits 48 to 63 of all ties of the run, in place.
    pub high: u64,
    /// The codes of the key's words.
    pub words: [ColumnCode; W],
    /// The code of the TID, as the ordinal `block * per_block + offset - first`.
    pub tid: ColumnCode,
    /// Number of ordinals of a heap block (D in docs/format.md), 1 to 65536.
    pub per_block: u64,
    /// The lowest offset number: 1, or 0 where a TID has that.
    pub first: u64,
}

impl<const W: usize> RunHeader<W> {
    /// Number of bits of a record.
    #[inline(always)]
    pub(in crate::leaf) fn record_bits(&self) -> usize {
        self.words.iter().map(|w| w.width as usize).sum::<usize>() + self.tid.width as usize
    }

    /// Number of bytes of the run's data.
    #[inline(always)]
    pub(in crate::leaf) fn data_bytes(&self) -> usize {
        (self.slots * self.record_bits()).div_ceil(8)
    }

    /// The header at `at` of `page`, and the offset of the run's data.
    ///
    /// # Errors
    /// [`Error::Corrupted`] where a word is wider than 64 bits, or the run has no slots.
    #[inline(always)]
    pub(in crate::leaf) fn read(page: &[u8], at: usize, block: Block) -> Result<(Self, usize)> {
        let b = page
            .get(at..at + Layout::<W>::RUN_HEADER)
            .unwrap_or_default();
        let mut words = [ColumnCode::constant(0); W];
        let mut widest = 0;
        for (i, word) in words.iter_mut().enumerate() {
            let at = FIRST_WORD + WORD_BYTES * i;
            let base = bits::load(b, at);
            let scale = bits::load(b, at + 8);
            *word = read_line(bits::load(b, at + 16), base, scale, 0x7F);
            widest = word.width.max(widest);
        }
        let counts = bits::load(b, 0);
        let at = FIRST_WORD + WORD_BYTES * W;
        let tid = bits::load(b, at);
        let line = bits::load(b, at + 8);
        let per_block = (tid >> 48) + 1;
        let first = u64::from(line >> 40 & u64::from(FROM_ZERO) == 0);
        let base = (tid & 0xFFFF_FFFF)
            .wrapping_mul(per_block)
            .wrapping_add(tid >> 32 & 0xFFFF)
            .wrapping_sub(first);
        let header = Self {
            slots: (counts & 0xFFFF) as usize,
            start: (counts >> 32 & 0xFFFF) as usize,
            high: counts & 0xFFFF << 48,
            words,
            tid: read_line(line, base, 1, 0x3F),
            per_block,
            first,
        };
        if widest > 64 || header.slots == 0 {
            return Err(Error::corrupted(block, "impossible run header"));
        }
        Ok((header, (counts >> 16 & 0xFFFF) as usize))
    }

    /// Appends the header to `out`; `data` is the offset of the run's data in the page.
    pub(in crate::leaf) fn write(&self, data: usize, out: &mut Vec<u8>) {
        let counts =
            self.slots as u64 | (data as u64) << 16 | (self.start as u64) << 32 | self.high;
        out.extend_from_slice(&counts.to_le_bytes());
        for w in &self.words {
            out.extend_from_slice(&w.base.to_le_bytes());
            out.extend_from_slice(&w.scale.to_le_bytes());
            write_line(w, 0, out);
        }
        let ordinal = self.tid.base.wrapping_add(self.first);
        // The base is block * per_block + offset - first, with offset - first < per_block.
        let block = self.tid.base / self.per_block;
        let offset = ordinal.wrapping_sub(block * self.per_block) & 0xFFFF;
        let tid = block & 0xFFFF_FFFF | offset << 32 | (self.per_block - 1) << 48;
        out.extend_from_slice(&tid.to_le_bytes());
        let flag = if self.first == 0 { FROM_ZERO } else { 0 };
        write_line(&self.tid, flag, out);
    }

    /// The ordinal of a tie whose offset lies in `first..first + per_block`.
    #[inline(always)]
    pub(in crate::leaf) fn ordinal(&self, tie: u64) -> u64 {
        (tie >> 16 & 0xFFFF_FFFF) * self.per_block + (tie & 0xFFFF).wrapping_sub(self.first)
    }

    /// The residuals of `e`, words and TID, as the entry of `slot`; None where the run cannot hold
    /// it there.
    #[inline]
    pub(in crate::leaf) fn residuals(&self, slot: usize, e: &Entry<W>) -> Option<([u64; W], u64)> {
        let j = self.start + slot;
        if !self.holds(e.tie) || j >= usize::from(u16::MAX) {
            return None;
        }
        let mut residuals = [0; W];
        for ((r, c), &word) in residuals.iter_mut().zip(&self.words).zip(&e.key) {
            *r = c.residual(j, word)?;
        }
        Some((residuals, self.tid.residual(j, self.ordinal(e.tie))?))
    }

    /// Whether the TID of `tie` has an ordinal in this run.
    pub(in crate::leaf) fn holds(&self, tie: u64) -> bool {
        let offset = tie & 0xFFFF;
        tie & 0xFFFF << 48 == self.high
            && offset >= self.first
            && offset - self.first < self.per_block
    }
}

/// A column's code from `line`: multiplier, shift, width and bias as they are packed on the page.
/// `width` masks the bits of the width byte.
#[inline(always)]
fn read_line(line: u64, base: u64, scale: u64, width: u8) -> ColumnCode {
    let flags = (line >> 40) as u8;
    let slope = (line & 0xFFFF_FFFF) as i64;
    ColumnCode::new(
        base,
        scale,
        if flags & DESCENDING == 0 {
            slope
        } else {
            -slope
        },
        (line >> 32) as i8,
        u32::from(flags & width),
        ((line >> 48) as u8, (line >> 56) as u8),
    )
}

/// Appends multiplier, shift, width and bias as they are packed on the page, with `flags` in the
/// width byte.
fn write_line(c: &ColumnCode, flags: u8, out: &mut Vec<u8>) {
    let descending = if c.multiplier < 0 { DESCENDING } else { 0 };
    out.extend_from_slice(&(c.multiplier.unsigned_abs() as u32).to_le_bytes());
    out.extend_from_slice(&[
        c.shift as u8,
        c.width as u8 | descending | flags,
        c.bias.0,
        c.bias.1,
    ]);
}

/// Number of slots of the run whose header is at `at`, without a look at the rest of the header.
#[inline(always)]
pub(in crate::leaf) fn slots_at(page: &Page, at: usize) -> usize {
    usize::from(page::u16_at(page, at))
}

/// Line index of slot 0 of the run whose header is at `at`.
#[inline(always)]
pub(in crate::leaf) fn start_at(page: &Page, at: usize) -> u64 {
    page::u64_at(page, at) >> 32 & 0xFFFF
}

/// Base of the first word of the run whose header is at `at`.
#[inline(always)]
pub(in crate::leaf) fn first_base_at(page: &Page, at: usize) -> u64 {
    page::u64_at(page, at + FIRST_WORD)
}

/// A run that can be read: header and data. `data` may be longer than the run.
#[derive(Debug, Clone, Copy)]
pub(in crate::leaf) struct Run<'a, const W: usize> {
    pub header: RunHeader<W>,
    pub data: &'a [u8],
    /// Number of bits of a record.
    pub record: usize,
}

impl<'a, const W: usize> Run<'a, W> {
    #[inline(always)]
    pub(in crate::leaf) fn new(header: RunHeader<W>, data: &'a [u8]) -> Self {
        Self {
            header,
            data,
            record: header.record_bits(),
        }
    }

    /// The value of word number `word` of the key in `slot`.
    #[inline(always)]
    pub(in crate::leaf) fn word(&self, word: usize, slot: usize) -> u64 {
        let mut bit = slot * self.record;
        for (i, c) in self.header.words.iter().enumerate() {
            if i == word {
                let r = bits::read(self.data, bit, c.width, c.mask);
                return c.value(self.header.start + slot, r);
            }
            bit += c.width as usize;
        }
        0
    }

    /// The ordinal of the TID in `slot`.
    #[inline(always)]
    pub(in crate::leaf) fn ordinal(&self, slot: usize) -> u64 {
        let c = &self.header.tid;
        let bit = (slot + 1) * self.record - c.width as usize;
        c.value(
            self.header.start + slot,
            bits::read(self.data, bit, c.width, c.mask),
        )
    }

    /// The entry in `slot`.
    #[inline(always)]
    pub(in crate::leaf) fn entry(&self, slot: usize) -> Entry<W> {
        let mut key = [0; W];
        for (i, word) in key.iter_mut().enumerate() {
            *word = self.word(i, slot);
        }
        Entry::new(key, self.tie(slot))
    }

    /// The tie in `slot`. This takes a division; [`Run::ties`] decodes many ties without one.
    #[inline(always)]
    pub(in crate::leaf) fn tie(&self, slot: usize) -> u64 {
        let ordinal = self.ordinal(slot);
        let block = ordinal / self.header.per_block;
        let offset = ordinal - block * self.header.per_block + self.header.first;
        self.header.high | (block & 0xFFFF_FFFF) << 16 | offset & 0xFFFF
    }
}

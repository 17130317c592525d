//! Decoding of many slots: one tight loop for each column, so that all it needs stays in registers.

use crate::key::Entry;
use crate::leaf::format::bits;
use crate::leaf::format::run::{ColumnCode, Run};

/// The values of a column, slot by slot in one direction. The line moves on by an addition.
struct ColumnReader<'a> {
    data: &'a [u8],
    column: &'a ColumnCode,
    /// `multiplier * line index`, and what the next slot adds to it.
    line: i64,
    line_step: i64,
    bit: usize,
    bit_step: usize,
}

impl ColumnReader<'_> {
    /// Calls `set` for each item of `to`, with the item and its value.
    #[inline(always)]
    fn fill<T>(mut self, to: &mut [T], mut set: impl FnMut(&mut T, u64)) {
        let c = self.column;
        // A residual of up to 57 bits lies within eight bytes, wherever it starts.
        if c.width == 0 {
            for to in to {
                set(to, c.on_line(self.line, 0));
                self.line = self.line.wrapping_add(self.line_step);
            }
        } else if c.width <= 57 {
            for to in to {
                let r = bits::load(self.data, self.bit >> 3) >> (self.bit & 7) & c.mask;
                set(to, c.on_line(self.line, r));
                self.line = self.line.wrapping_add(self.line_step);
                self.bit = self.bit.wrapping_add(self.bit_step);
            }
        } else {
            for to in to {
                let r = bits::read(self.data, self.bit, c.width, c.mask);
                set(to, c.on_line(self.line, r));
                self.line = self.line.wrapping_add(self.line_step);
                self.bit = self.bit.wrapping_add(self.bit_step);
            }
        }
    }
}

impl<const W: usize> Run<'_, W> {
    /// Appends the entries of slots `from..to`, ascending.
    #[inline]
    pub(in crate::leaf) fn ascend(&self, from: usize, to: usize, out: &mut Vec<Entry<W>>) {
        match to.saturating_sub(from) {
            0 => {}
            1 => out.push(self.entry(from)),
            _ => self.decode::<false>(from, to, out),
        }
    }

    /// Appends the entries of slots `from..to`, descending.
    #[inline]
    pub(in crate::leaf) fn descend(&self, from: usize, to: usize, out: &mut Vec<Entry<W>>) {
        match to.saturating_sub(from) {
            0 => {}
            1 => out.push(self.entry(from)),
            _ => self.decode::<true>(from, to, out),
        }
    }

    /// Appends the entries of slots `from..to`, for `from < to`; downwards where `DOWN` is set.
    fn decode<const DOWN: bool>(&self, from: usize, to: usize, out: &mut Vec<Entry<W>>) {
        let header = &self.header;
        let at = out.len();
        out.resize(at + (to - from), Entry::MIN);
        let out = out.get_mut(at..).unwrap_or_default();
        let slot = if DOWN { to - 1 } else { from };
        let mut bit = slot * self.record;
        for (i, c) in header.words.iter().enumerate() {
            self.reader::<DOWN>(c, slot, bit).fill(out, |e, v| {
                if let Some(word) = e.key.get_mut(i) {
                    *word = v;
                }
            });
            bit += c.width as usize;
        }
        self.fill_ties::<DOWN, _>(slot, out, |e, tie| e.tie = tie);
    }

    /// Calls `visit` with the ties of all slots, a group at a time, and the first slot of the
    /// group.
    pub(in crate::leaf) fn ties(&self, mut visit: impl FnMut(usize, &[u64])) {
        let mut ties = [0; 128];
        for from in (0..self.header.slots).step_by(ties.len()) {
            let count = (self.header.slots - from).min(ties.len());
            let ties = ties.get_mut(..count).unwrap_or_default();
            self.fill_ties::<false, _>(from, ties, |to, tie| *to = tie);
            visit(from, ties);
        }
    }

    /// Calls `set` for each item of `out`, with the item and its tie, from `slot` on.
    #[inline(always)]
    fn fill_ties<const DOWN: bool, T>(
        &self,
        slot: usize,
        out: &mut [T],
        mut set: impl FnMut(&mut T, u64),
    ) {
        let header = &self.header;
        let c = &header.tid;
        let high = header.high;
        let (per_block, first) = (header.per_block, header.first);
        if c.is_count() {
            // The rows are in the order of the heap: no division is needed.
            let ordinal = self.ordinal(slot);
            let mut block = ordinal / per_block;
            let mut offset = ordinal - block * per_block;
            for to in out {
                set(to, tie(high, block, offset + first));
                if DOWN {
                    if offset == 0 {
                        offset = per_block;
                        block = block.wrapping_sub(1);
                    }
                    offset -= 1;
                } else {
                    offset += 1;
                    if offset == per_block {
                        offset = 0;
                        block = block.wrapping_add(1);
                    }
                }
            }
            return;
        }
        // floor(ordinal / D) is the high half of the product with ceil(2^64 / D). That is exact for
        // ordinals below 2^48, since the error of the product is below ordinal * D / 2^64 (Granlund
        // and Montgomery: Division by Invariant Integers using Multiplication, PLDI 1994). For
        // D = 1 the factor does not fit a word: `whole` stands in for it.
        let reciprocal = (u64::MAX / per_block).wrapping_add(1);
        let whole = if per_block == 1 { u64::MAX } else { 0 };
        let bit = (slot + 1) * self.record - c.width as usize;
        self.reader::<DOWN>(c, slot, bit).fill(out, |to, ordinal| {
            let block = ((u128::from(ordinal) * u128::from(reciprocal)) >> 64) as u64;
            let block = block.wrapping_add(ordinal & whole);
            let offset = ordinal.wrapping_sub(block.wrapping_mul(per_block));
            set(to, tie(high, block, offset.wrapping_add(first)));
        });
    }

    /// A reader of a column from `slot` on. The residual of `slot` begins at `bit`.
    #[inline(always)]
    fn reader<'c, const DOWN: bool>(
        &'c self,
        column: &'c ColumnCode,
        slot: usize,
        bit: usize,
    ) -> ColumnReader<'c> {
        let c = column;
        ColumnReader {
            data: self.data,
            column: c,
            line: c.multiplier.wrapping_mul((self.header.start + slot) as i64),
            line_step: if DOWN { -c.multiplier } else { c.multiplier },
            bit,
            bit_step: if DOWN {
                self.record.wrapping_neg()
            } else {
                self.record
            },
        }
    }
}

/// The tie with these high bits, block and offset.
#[inline(always)]
fn tie(high: u64, block: u64, offset: u64) -> u64 {
    high | (block & 0xFFFF_FFFF) << 16 | offset & 0xFFFF
}

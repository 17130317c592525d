//! The search within a run.

use std::cmp::Ordering;

use crate::key::Entry;
use crate::leaf::format::run::Run;
use crate::policy::leaf::MAX_GUESSES;

/// The column by which a search interpolates: the first one that is not constant over the run.
enum SearchColumn {
    Word(usize),
    Tid,
}

impl<const W: usize> Run<'_, W> {
    /// Whether the entry in `slot` is below `e`.
    #[inline(always)]
    pub(in crate::leaf) fn below(&self, slot: usize, e: &Entry<W>) -> bool {
        for (i, x) in e.key.iter().enumerate() {
            match self.word(i, slot).cmp(x) {
                Ordering::Less => return true,
                Ordering::Greater => return false,
                Ordering::Equal => {}
            }
        }
        // The bounds of a range mostly have a tie of 0. Then the tie need not be decoded.
        e.tie != 0 && self.tie(slot) < e.tie
    }

    /// The first slot of `lo..hi` whose entry is not below `e`, else `hi`. All slots before `lo`
    /// are below `e`; those from `hi` on are not.
    ///
    /// The search interpolates: it inverts the line at `e` and corrects its guess by the distance
    /// to the value found there, up to [`MAX_GUESSES`] times. Then it gallops, and bisects. A guess
    /// only chooses the next comparison. The result always follows from comparisons on both sides.
    #[inline(always)]
    pub(in crate::leaf) fn seek(&self, e: &Entry<W>, mut lo: usize, mut hi: usize) -> usize {
        let mut by = SearchColumn::Tid;
        for (i, (c, x)) in self.header.words.iter().zip(&e.key).enumerate() {
            if !c.is_constant() {
                by = SearchColumn::Word(i);
                break;
            }
            match c.base.cmp(x) {
                Ordering::Less => return hi,
                Ordering::Greater => return lo,
                Ordering::Equal => {}
            }
        }
        let (column, x) = match by {
            SearchColumn::Word(i) => match (self.header.words.get(i), e.key.get(i)) {
                (Some(c), Some(x)) => (c, *x),
                _ => return lo,
            },
            SearchColumn::Tid => {
                match self.header.high.cmp(&(e.tie & 0xFFFF << 48)) {
                    Ordering::Less => return hi,
                    Ordering::Greater => return lo,
                    Ordering::Equal => {}
                }
                let header = &self.header;
                let last = header.first + header.per_block - 1;
                let offset = (e.tie & 0xFFFF).clamp(header.first, last.min(0xFFFF));
                (&header.tid, header.ordinal(e.tie & !0xFFFF | offset))
            }
        };
        let mut up = true;
        if column.multiplier != 0 {
            let (inverse, mut at) = column.guess(x, self.header.start);
            for _ in 0..MAX_GUESSES {
                if lo >= hi {
                    return lo;
                }
                // The cast of a float to an integer saturates.
                let slot = (at as usize).clamp(lo, hi - 1);
                let v = match by {
                    SearchColumn::Word(i) => self.word(i, slot),
                    SearchColumn::Tid => self.ordinal(slot),
                };
                up = match by {
                    SearchColumn::Word(_) if v != x => v < x,
                    _ => self.below(slot, e),
                };
                if up {
                    lo = slot + 1;
                } else {
                    hi = slot;
                }
                if v == x {
                    break;
                }
                at = slot as f64 + 0.5 + x.wrapping_sub(v) as i64 as f64 * inverse;
            }
            let mut step = 1;
            while lo < hi {
                let slot = if up {
                    (lo + step - 1).min(hi - 1)
                } else {
                    hi.saturating_sub(step).max(lo)
                };
                let below = self.below(slot, e);
                if below {
                    lo = slot + 1;
                } else {
                    hi = slot;
                }
                if below != up {
                    break;
                }
                step *= 2;
            }
        }
        while lo < hi {
            let slot = lo + (hi - lo) / 2;
            if self.below(slot, e) {
                lo = slot + 1;
            } else {
                hi = slot;
            }
        }
        lo
    }
}

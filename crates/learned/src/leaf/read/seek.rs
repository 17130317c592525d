//! Search within a run.

use std::cmp::Ordering;

use crate::key::Entry;
use crate::leaf::format::run::Run;

/// Which column the search goes by: the first that is not constant over the run.
enum By {
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
        // Bounds mostly have tie 0: no need to decode.
        e.tie != 0 && self.tie(slot) < e.tie
    }

    /// The first slot of `lo..hi` whose entry is not below `e`, else `hi`; given that those before
    /// `lo` are below `e` and those from `hi` on are not.
    ///
    /// Interpolation: the line is inverted at `e` and the guess corrected by the distance of what is found there,
    /// a few times; then galloping and bisection. A guess only chooses what is compared
    /// next; the answer always comes from comparisons on both of its sides.
    #[inline(always)]
    pub(in crate::leaf) fn seek(&self, e: &Entry<W>, mut lo: usize, mut hi: usize) -> usize {
        let mut by = By::Tid;
        for (i, (c, x)) in self.head.words.iter().zip(&e.key).enumerate() {
            if !c.is_constant() {
                by = By::Word(i);
                break;
            }
            match c.base.cmp(x) {
                Ordering::Less => return hi,
                Ordering::Greater => return lo,
                Ordering::Equal => {}
            }
        }
        let (column, x) = match by {
            By::Word(i) => match (self.head.words.get(i), e.key.get(i)) {
                (Some(c), Some(x)) => (c, *x),
                _ => return lo,
            },
            By::Tid => {
                match self.head.high.cmp(&(e.tie & 0xFFFF << 48)) {
                    Ordering::Less => return hi,
                    Ordering::Greater => return lo,
                    Ordering::Equal => {}
                }
                let head = &self.head;
                let last = head.first + head.per_block - 1;
                let offset = (e.tie & 0xFFFF).clamp(head.first, last.min(0xFFFF));
                (&head.tid, head.ordinal(e.tie & !0xFFFF | offset))
            }
        };
        let mut up = true;
        if column.multiplier != 0 {
            let (inverse, mut at) = column.guess(x, self.head.start);
            for _ in 0..4 {
                if lo >= hi {
                    return lo;
                }
                // A float to integer cast saturates.
                let slot = (at as usize).clamp(lo, hi - 1);
                let v = match by {
                    By::Word(i) => self.word(i, slot),
                    By::Tid => self.ordinal(slot),
                };
                up = match by {
                    By::Word(_) if v != x => v < x,
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

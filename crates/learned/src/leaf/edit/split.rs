//! Splits of a leaf: its contents become those of two pages.

use crate::key::Entry;
use crate::leaf::edit::contents::Contents;
use crate::leaf::format::{Layout, bitmap_bytes};
use crate::policy::leaf::{
    END_SHARE, GROWING_END_SHARE, MAX_PERCENT_BELOW_FILL, MAX_SLOTS, MAX_SPREAD_OF_LAST_MERGE,
    MIN_FILL_PERCENT,
};

/// The end at which the first or the last leaf of the index grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GrowingEnd {
    /// The entries merged last are from this slot on.
    Right(usize),
    /// The entries merged last are before this slot.
    Left(usize),
}

impl<const W: usize> Contents<W> {
    /// Merges the log and splits the leaf by encoded size, after `inserted` was added.
    ///
    /// Where `inserted` is at the right (left) end, the left (right) part is filled to `fill`
    /// percent of a page, and the other part takes what comes next. In the last and the first leaf
    /// the part that is left behind may be filled less, by [`MAX_PERCENT_BELOW_FILL`]. Elsewhere
    /// the parts are halves, or as `part_weights` says.
    ///
    /// The left part keeps the low fence, the right one the high fence. Both get the flags and the
    /// right link. None where two pages do not hold all entries, which can be after the merge of a
    /// long log (use [`Self::bisect`] then), or where there are fewer than two slots.
    pub fn split(mut self, inserted: &Entry<W>, fill: u8) -> Option<(Self, Self)> {
        if !self.log.is_empty() {
            self.merge_log();
        }
        let at = self.split_slot(inserted, fill)?;
        Some(self.split_at(at))
    }

    /// Splits in the middle by encoded size, without encoding anything: one run may be cut, and the
    /// log is divided. The contents of a page can always be split like this. None where there are
    /// fewer than two slots.
    pub fn bisect(self) -> Option<(Self, Self)> {
        let at = self.middle()?;
        Some(self.split_at(at))
    }

    /// The slot in the middle by encoded size. None where there are fewer than two slots.
    pub(in crate::leaf) fn middle(&self) -> Option<usize> {
        let slots = self.slots();
        (slots > 1).then(|| {
            first_true(1, slots - 1, |at| {
                self.left_bytes(at) >= self.right_bytes(at)
            })
        })
    }

    /// The slots before `at` and the others, for `0 < at < slots`, with a new fence between them.
    /// The log is divided by that fence.
    pub(in crate::leaf) fn split_at(mut self, at: usize) -> (Self, Self) {
        let (mut left, mut right) = (
            Self::empty(self.low, self.high),
            Self::empty(self.low, self.high),
        );
        for part in [&mut left, &mut right] {
            part.right = self.right;
            part.flags = self.flags;
        }
        let mut before = 0;
        for run in std::mem::take(&mut self.runs) {
            let end = before + run.header.slots;
            if end <= at {
                left.runs.push(run);
            } else if before >= at {
                right.runs.push(run);
            } else {
                let (a, b) = run.cut(at - before);
                left.runs.push(a);
                right.runs.push(b);
            }
            before = end;
        }
        let last = left.runs.last().map(|r| r.run().entry(r.header.slots - 1));
        let first = right.runs.first().map(|r| r.run().entry(0));
        if let (Some(last), Some(first)) = (last, first) {
            let fence = first.fence_after(&last);
            left.high = fence;
            right.low = fence;
        }
        (left.log, right.log) = self.log.iter().partition(|e| **e < right.low);
        (left, right)
    }

    /// The slot that starts the right part, in `1..slots`. None where one part or the other does
    /// not fit a page wherever the leaf is split.
    fn split_slot(&self, inserted: &Entry<W>, fill: u8) -> Option<usize> {
        let slots = self.slots();
        if slots < 2 {
            return None;
        }
        let fits = |bytes: usize, slots: usize| bytes <= Layout::<W>::ROOM && slots <= MAX_SLOTS;
        // Left parts grow and right parts shrink with the slot, so each condition is bisected.
        let left_fits = |at: usize| fits(self.left_bytes(at), at);
        let right_fits = |at: usize| fits(self.right_bytes(at), slots - at);
        let lowest = first_true(1, slots - 1, right_fits);
        let highest = first_true(lowest, slots, |at| !left_fits(at)).max(lowest + 1) - 1;
        let is_over = |bytes: usize, slots: usize, percent: usize| {
            bytes * 100 > Layout::<W>::ROOM * percent || slots * 100 > MAX_SLOTS * percent
        };
        let most = usize::from(fill).clamp(MIN_FILL_PERCENT, 100);
        let least = most.saturating_sub(MAX_PERCENT_BELOW_FILL);
        // The slot at which a left or a right part is filled to this percentage.
        let left_of = |percent: usize| {
            first_true(1, slots, |at| is_over(self.left_bytes(at), at, percent)).max(2) - 1
        };
        let right_of = |percent: usize| {
            let is_under = |at| !is_over(self.right_bytes(at), slots - at, percent);
            first_true(1, slots - 1, is_under)
        };
        let rank = self.rank(inserted);
        let near = END_SHARE.times(slots);
        let at = match self.growing_end() {
            Some(GrowingEnd::Right(at)) => at.max(left_of(least)).min(left_of(most)),
            Some(GrowingEnd::Left(at)) => at.max(right_of(most)).min(right_of(least)),
            None if rank + 1 + near >= slots => left_of(most),
            None if rank <= near => right_of(most),
            None => {
                let (left, right) = self.part_weights(inserted, rank);
                first_true(1, slots - 1, |at| {
                    self.left_bytes(at) * right >= self.right_bytes(at) * left
                })
            }
        };
        let at = at.clamp(lowest, highest);
        (left_fits(at) && right_fits(at)).then_some(at)
    }

    /// Whether the leaf grows at one end and has little room left. Then it is split early.
    pub(in crate::leaf) fn is_due_for_early_split(&self) -> bool {
        self.has_no_room_for(Layout::<W>::EARLY_SPLIT_ROOM) && self.growing_end().is_some()
    }

    /// Where the entries merged last are, if this is the last leaf and they are within its last
    /// slots, or the first leaf and they are within its first slots ([`GROWING_END_SHARE`]). In
    /// other leaves entries at an end may be those of a session that lags behind: it goes on
    /// through pages that are full already.
    fn growing_end(&self) -> Option<GrowingEnd> {
        let (low, high) = self.last_merged.as_ref()?;
        let slots = self.slots();
        if self.high == Entry::MAX {
            let at = self.rank(low);
            if !GROWING_END_SHARE.is_exceeded(slots - at, slots) {
                return Some(GrowingEnd::Right(at));
            }
        }
        if self.low == Entry::MIN {
            let at = self.rank(high) + 1;
            let is_end = !GROWING_END_SHARE.is_exceeded(at, slots);
            return is_end.then_some(GrowingEnd::Left(at));
        }
        None
    }

    /// The ratio of the sizes of both parts where `inserted`, which is at `rank`, is amid the
    /// others.
    ///
    /// They are halves, unless the entries merged last are close together and `inserted` is the
    /// highest or the lowest of them. Then entries come in order, and more are expected above
    /// (below) `inserted`. The parts become equal once half as many have come as there are entries
    /// below (above) it.
    fn part_weights(&self, inserted: &Entry<W>, rank: usize) -> (usize, usize) {
        let slots = self.slots();
        match &self.last_merged {
            Some((low, high))
                if MAX_SPREAD_OF_LAST_MERGE
                    .is_exceeded(self.rank(high).abs_diff(self.rank(low)), slots) =>
            {
                (1, 1)
            }
            Some((_, high)) if inserted == high => (2 * slots + rank, 2 * slots - rank),
            Some((low, _)) if inserted == low => (slots + rank, 3 * slots - rank),
            _ => (1, 1),
        }
    }

    /// Number of slots whose entries are below `e`.
    fn rank(&self, e: &Entry<W>) -> usize {
        let mut rank = 0;
        for run in &self.runs {
            let slots = run.header.slots;
            let below = run.run().seek(e, 0, slots);
            rank += below;
            if below < slots {
                break;
            }
        }
        rank
    }

    /// Number of bytes of a page with the slots before `at`.
    pub(in crate::leaf) fn left_bytes(&self, at: usize) -> usize {
        let mut bytes = bitmap_bytes(at);
        let mut left = at;
        for run in &self.runs {
            let slots = run.header.slots.min(left);
            if slots == 0 {
                break;
            }
            left -= slots;
            bytes += Layout::<W>::RUN_HEADER + (slots * run.header.record_bits()).div_ceil(8);
        }
        bytes
    }

    /// Number of bytes of a page with the slots from `at` on.
    fn right_bytes(&self, at: usize) -> usize {
        let mut slots_left = 0;
        let mut bytes = 0;
        let mut skip = at;
        for run in &self.runs {
            let skipped = run.header.slots.min(skip);
            skip -= skipped;
            let slots = run.header.slots - skipped;
            if slots > 0 {
                slots_left += slots;
                bytes += Layout::<W>::RUN_HEADER + (slots * run.header.record_bits()).div_ceil(8);
            }
        }
        bytes + bitmap_bytes(slots_left)
    }
}

/// The first number of `lo..hi` for which `is` holds, else `hi`. It holds for all after the first.
pub(in crate::leaf) fn first_true(
    mut lo: usize,
    mut hi: usize,
    is: impl Fn(usize) -> bool,
) -> usize {
    while lo < hi {
        let mid = lo + (hi - lo) / 2;
        if is(mid) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    lo
}

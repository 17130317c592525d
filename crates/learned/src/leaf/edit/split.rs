//! Splitting a leaf's contents into two pages.

use crate::key::Entry;
use crate::leaf::edit::contents::Contents;
use crate::leaf::format::{Layout, MAX_SLOTS};

/// So many percent of a page less than the fill factor may be left in a page that has grown at one end.
const LEEWAY: usize = 12;

/// The end of a page where it grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Front {
    /// Entries come from this slot on.
    Right(usize),
    /// Entries come before this slot.
    Left(usize),
}

impl<const W: usize> Contents<W> {
    /// Splits by encoded size, in halves or as `shares` says; or, where `inserted` is at the right (left) end, so that the left (right) page is `fill`
    /// percent full (in the last and the first leaf up to `LEEWAY` less) and the other takes what is to come. The left part keeps the low fence, the right one the high
    /// fence; both get the flags and the right link as they are. None where two pages do not hold it all, as may be after
    /// a long log was merged ([`Self::halve`] then), or where there are fewer than two slots.
    pub fn split(mut self, inserted: &Entry<W>, fill: u8) -> Option<(Self, Self)> {
        if !self.log.is_empty() {
            self.merge_log();
        }
        let at = self.split_slot(inserted, fill)?;
        Some(self.cut(at))
    }

    /// Splits in the middle by encoded size, runs cut as they are, the log's entries shared out as they are: a page's
    /// contents always come apart like this. None where there are fewer than two slots.
    pub fn halve(self) -> Option<(Self, Self)> {
        let at = self.middle()?;
        Some(self.cut(at))
    }

    /// The slot in the middle by encoded size; None where there are fewer than two.
    pub(in crate::leaf) fn middle(&self) -> Option<usize> {
        let slots = self.slots();
        (slots > 1).then(|| {
            first_true(1, slots - 1, |at| {
                self.left_bytes(at) >= self.right_bytes(at)
            })
        })
    }

    /// The slots before `at` and the others, for `0 < at < slots`.
    pub(in crate::leaf) fn cut(mut self, at: usize) -> (Self, Self) {
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
            let end = before + run.head.slots;
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
        let last = left.runs.last().map(|r| r.run().entry(r.head.slots - 1));
        let first = right.runs.first().map(|r| r.run().entry(0));
        if let (Some(last), Some(first)) = (last, first) {
            let fence = first.fence_after(&last);
            left.high = fence;
            right.low = fence;
        }
        (left.log, right.log) = self.log.iter().partition(|e| **e < right.low);
        (left, right)
    }

    /// The slot that starts the right part, in `1..slots`; None where one part or the other never fits.
    fn split_slot(&self, inserted: &Entry<W>, fill: u8) -> Option<usize> {
        let slots = self.slots();
        if slots < 2 {
            return None;
        }
        let fits = |bytes: usize, slots: usize| bytes <= Layout::<W>::ROOM && slots <= MAX_SLOTS;
        // Left parts grow and right parts shrink with the slot: bisect over the three conditions.
        let left_fits = |at: usize| fits(self.left_bytes(at), at);
        let right_fits = |at: usize| fits(self.right_bytes(at), slots - at);
        let lowest = first_true(1, slots - 1, right_fits);
        let highest = first_true(lowest, slots, |at| !left_fits(at)).max(lowest + 1) - 1;
        let is_over = |bytes: usize, slots: usize, percent: usize| {
            bytes * 100 > Layout::<W>::ROOM * percent || slots * 100 > MAX_SLOTS * percent
        };
        let most = usize::from(fill.clamp(10, 100));
        let least = most.saturating_sub(LEEWAY);
        // The slots of a left or a right part that is filled.
        let left_of = |percent: usize| {
            first_true(1, slots, |at| is_over(self.left_bytes(at), at, percent)).max(2) - 1
        };
        let right_of = |percent: usize| {
            let is_under = |at| !is_over(self.right_bytes(at), slots - at, percent);
            first_true(1, slots - 1, is_under)
        };
        let rank = self.rank(inserted);
        let near = slots / 100;
        let at = match self.front() {
            Some(Front::Right(at)) => at.max(left_of(least)).min(left_of(most)),
            Some(Front::Left(at)) => at.max(right_of(most)).min(right_of(least)),
            None if rank + 1 + near >= slots => left_of(most),
            None if rank <= near => right_of(most),
            None => {
                let (left, right) = self.shares(inserted, rank);
                first_true(1, slots - 1, |at| {
                    self.left_bytes(at) * right >= self.right_bytes(at) * left
                })
            }
        };
        let at = at.clamp(lowest, highest);
        (left_fits(at) && right_fits(at)).then_some(at)
    }

    /// Whether what is to come goes ahead of the page, which has little room left.
    pub(in crate::leaf) fn is_left_behind(&self) -> bool {
        self.has_no_room_for(Layout::<W>::AHEAD) && self.front().is_some()
    }

    /// Where the last inserts came, if this is the last leaf and that its last eighth, or the first leaf and its first eighth. Elsewhere entries that come
    /// at an end may well be those of a session that lags behind, which goes on through pages that are full already.
    fn front(&self) -> Option<Front> {
        let (low, high) = self.latest.as_ref()?;
        let slots = self.slots();
        if self.high == Entry::MAX {
            let at = self.rank(low);
            if (slots - at) * 8 <= slots {
                return Some(Front::Right(at));
            }
        }
        if self.low == Entry::MIN {
            let at = self.rank(high) + 1;
            return (at * 8 <= slots).then_some(Front::Left(at));
        }
        None
    }

    /// What the parts' sizes are to be to one another where `inserted`, which is at `rank`, is amid the others: halves, unless the last inserts
    /// came close together and in order. Then more are to come above (or below) it. If these are as many as the entries there, the
    /// parts end up equal.
    fn shares(&self, inserted: &Entry<W>, rank: usize) -> (usize, usize) {
        let slots = self.slots();
        match &self.latest {
            Some((low, high)) if self.rank(high).abs_diff(self.rank(low)) * 4 > slots => (1, 1),
            Some((_, high)) if inserted == high => (2 * slots + rank, 2 * slots - rank),
            Some((low, _)) if inserted == low => (slots + rank, 3 * slots - rank),
            _ => (1, 1),
        }
    }

    /// Slots below `e`.
    fn rank(&self, e: &Entry<W>) -> usize {
        let mut rank = 0;
        for run in &self.runs {
            let slots = run.head.slots;
            let below = run.run().seek(e, 0, slots);
            rank += below;
            if below < slots {
                break;
            }
        }
        rank
    }

    /// Bytes of a page that has the slots before `at`.
    pub(in crate::leaf) fn left_bytes(&self, at: usize) -> usize {
        let mut bytes = at.div_ceil(8);
        let mut left = at;
        for run in &self.runs {
            let slots = run.head.slots.min(left);
            if slots == 0 {
                break;
            }
            left -= slots;
            bytes += Layout::<W>::RUN + (slots * run.head.record()).div_ceil(8);
        }
        bytes
    }

    /// Bytes of a page that has the slots from `at` on.
    fn right_bytes(&self, at: usize) -> usize {
        let mut slots_left = 0;
        let mut bytes = 0;
        let mut skip = at;
        for run in &self.runs {
            let skipped = run.head.slots.min(skip);
            skip -= skipped;
            let slots = run.head.slots - skipped;
            if slots > 0 {
                slots_left += slots;
                bytes += Layout::<W>::RUN + (slots * run.head.record()).div_ceil(8);
            }
        }
        bytes + slots_left.div_ceil(8)
    }
}

/// The first of `lo..hi` for which `is` holds, else `hi`; it holds for all after the first.
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

//! Two neighbouring leaves: joined to one, or with entries shifted from one to the other.

use crate::leaf::edit::contents::Contents;
use crate::leaf::edit::split::first_true;
use crate::leaf::format::{Layout, bitmap_bytes};
use crate::leaf::read::view::Leaf;
use crate::page::{Block, CHURNED};
use crate::policy::leaf::{DENSE_FILL_PERCENT, MAX_SLOTS, MIN_SHIFT_PERCENT};

/// How much of a leaf is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill<const W: usize> {
    /// Number of bytes of `Layout::ROOM`, with room for a bitmap.
    bytes: usize,
    /// Number of slots.
    slots: usize,
    /// Number of live entries.
    live: usize,
}

impl<const W: usize> Fill<W> {
    /// Whether two leaves that are filled like these may be joined: together they take no more than
    /// `percent` of a page, or one of them is empty.
    pub fn may_join(&self, other: &Self, percent: usize) -> bool {
        self.live == 0 || other.live == 0 || self.plus(other).takes(percent)
    }

    /// What both take together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            slots: self.slots + other.slots,
            live: self.live + other.live,
        }
    }

    /// Whether this is no more than `percent` of a page. 200 percent are two pages.
    pub fn takes(&self, percent: usize) -> bool {
        self.bytes * 100 <= Layout::<W>::ROOM * percent && self.slots * 100 <= MAX_SLOTS * percent
    }
}

impl<const W: usize> Leaf<'_, W> {
    /// How much of the leaf is in use.
    pub fn fill(&self) -> Fill<W> {
        let runs = self.data_end().saturating_sub(Layout::<W>::DIRECTORY);
        // Entries of the log will hardly take more than the others once they are merged.
        let each = runs.div_ceil(self.slots.max(1));
        let logged = Layout::<W>::ENTRY.min(if each > 0 { each } else { usize::MAX });
        Fill {
            bytes: runs + bitmap_bytes(self.slots) + self.log * logged,
            slots: self.slots,
            live: self.live(),
        }
    }
}

impl<const W: usize> Contents<W> {
    /// Joins these contents with those of the right neighbour; high fence and right link are those
    /// of the neighbour. The runs stay as they are. None where both take more than `percent` of a
    /// page, unless one of them is empty: then the other may be as full as it is.
    pub fn join(mut self, mut right: Self, percent: usize) -> Option<Self> {
        let empty = self.live() == 0 || right.live() == 0;
        for part in [&mut self, &mut right] {
            if part.live() == 0 {
                part.runs.clear();
            }
        }
        self.runs.append(&mut right.runs);
        self.log.append(&mut right.log);
        (self.high, self.right) = (right.high, right.right);
        self.flags |= right.flags & CHURNED;
        let is_good = |both: &Self| both.fits() && (empty || both.fill().takes(percent));
        if !is_good(&self) {
            self.merge_log();
        }
        is_good(&self).then_some(self)
    }

    /// Shifts the first entries of the right neighbour here, so that these contents take
    /// [`DENSE_FILL_PERCENT`] of a page. Returns both parts, with a new fence between them. The
    /// logs are merged; the runs stay as they are, but one of them may be cut. None where fewer
    /// than [`MIN_SHIFT_PERCENT`] of a page would be shifted, or all entries would.
    pub fn fill_up(self, right: Self) -> Option<[Self; 2]> {
        let (all, own, links) = self.unite(right);
        let least = all.left_bytes(own) + Self::MIN_SHIFT_BYTES;
        let slots = all.slots();
        let is_over = |at: usize| {
            let (bytes, live) = (all.left_bytes(at), at);
            let part = Fill::<W> {
                bytes,
                slots: at,
                live,
            };
            !part.takes(DENSE_FILL_PERCENT)
        };
        let at = first_true(own + 1, slots, is_over).checked_sub(1)?;
        if at <= own || at + 1 >= slots || all.left_bytes(at) < least {
            return None;
        }
        all.split_with_links(at, links)
    }

    /// Shifts the last entries of these contents to the right neighbour, so that both take the same
    /// number of bytes. All else is as in [`Self::fill_up`].
    pub fn balance(self, right: Self) -> Option<[Self; 2]> {
        let (all, own, links) = self.unite(right);
        let at = all.middle()?;
        if at >= own || all.left_bytes(at) + Self::MIN_SHIFT_BYTES > all.left_bytes(own) {
            return None;
        }
        all.split_with_links(at, links)
    }

    /// Smallest number of bytes that are shifted.
    const MIN_SHIFT_BYTES: usize = Layout::<W>::ROOM * MIN_SHIFT_PERCENT / 100;

    /// The runs of both leaves, after a merge of their logs; the number of slots of the left one;
    /// right link and flags of the right one.
    fn unite(mut self, mut right: Self) -> (Self, usize, (Option<Block>, u16)) {
        for part in [&mut self, &mut right] {
            if !part.log.is_empty() {
                part.merge_log();
            }
        }
        let own = self.slots();
        self.runs.append(&mut right.runs);
        self.high = right.high;
        (self, own, (right.right, right.flags))
    }

    /// The slots before `at` and the others, with a new fence between them. Right link and flags of
    /// the right part are `links`. None where one of the parts does not fit a page.
    fn split_with_links(self, at: usize, links: (Option<Block>, u16)) -> Option<[Self; 2]> {
        let (left, mut right) = self.split_at(at);
        (right.right, right.flags) = links;
        (left.fits() && right.fits()).then_some([left, right])
    }

    /// How much of a page these contents take.
    fn fill(&self) -> Fill<W> {
        Fill {
            bytes: self.bytes(),
            slots: self.slots(),
            live: self.live(),
        }
    }
}

//! Merging two neighbouring leaves into one, or into one that is dense and a rest.

use crate::leaf::edit::contents::Contents;
use crate::leaf::edit::split::first_true;
use crate::leaf::format::{Layout, MAX_SLOTS};
use crate::leaf::read::view::Leaf;
use crate::page::{Block, CHURNED};

/// Percentage of a page up to which leaves are filled from which a vacuum has removed entries.
pub const DENSE: usize = 90;
/// At least so many percent of a page are moved from one leaf to another.
const LEAST: usize = 2;

/// How much of a leaf is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill<const W: usize> {
    /// Of `Layout::ROOM`, room for a bitmap included.
    bytes: usize,
    slots: usize,
    live: usize,
}

impl<const W: usize> Fill<W> {
    /// Whether leaves filled like this could be one: together they take no more than `percent` of a page, or one
    /// of them is empty.
    pub fn may_join(&self, other: &Self, percent: usize) -> bool {
        self.live == 0 || other.live == 0 || self.plus(other).takes(percent)
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            slots: self.slots + other.slots,
            live: self.live + other.live,
        }
    }

    /// Whether this is no more than `percent` of a page; 200 percent are two pages.
    pub fn takes(&self, percent: usize) -> bool {
        self.bytes * 100 <= Layout::<W>::ROOM * percent && self.slots * 100 <= MAX_SLOTS * percent
    }
}

impl<const W: usize> Leaf<'_, W> {
    /// How much of the leaf is in use.
    pub fn fill(&self) -> Fill<W> {
        let packed = self.data_end().saturating_sub(Layout::<W>::DIRECTORY);
        // Entries of the log will hardly take more than the others once they are packed.
        let each = packed.div_ceil(self.slots.max(1));
        let logged = Layout::<W>::ENTRY.min(if each > 0 { each } else { usize::MAX });
        Fill {
            bytes: packed + self.slots.div_ceil(8) + self.log * logged,
            slots: self.slots,
            live: self.live(),
        }
    }
}

impl<const W: usize> Contents<W> {
    /// These contents with those of the right neighbour, whose high fence and right link they take
    /// over. Runs stay as they are. None if that would be more than `percent` of a page, unless one of
    /// the two is empty: then the other may be as full as it is.
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

    /// These contents with the first entries of the right neighbour, so that they take [`DENSE`] percent of a page, and
    /// what is left of the neighbour, with a new fence between them and the neighbour's right link. Logs are merged; runs stay as they are but for one that is cut.
    /// None where too little would move, or all would.
    pub fn fill_up(self, right: Self) -> Option<[Self; 2]> {
        let (all, own, last) = self.unite(right);
        // At least so much moves.
        let least = all.left_bytes(own) + Layout::<W>::ROOM * LEAST / 100;
        let slots = all.slots();
        let is_over = |at: usize| {
            let (bytes, live) = (all.left_bytes(at), at);
            let part = Fill::<W> {
                bytes,
                slots: at,
                live,
            };
            !part.takes(DENSE)
        };
        let at = first_true(own + 1, slots, is_over).checked_sub(1)?;
        if at <= own || at + 1 >= slots || all.left_bytes(at) < least {
            return None;
        }
        all.part(at, last)
    }

    /// These contents without their last entries, and those of the right neighbour with them, so that both take as many bytes. Else as
    /// [`Self::fill_up`].
    pub fn balance(self, right: Self) -> Option<[Self; 2]> {
        let (all, own, last) = self.unite(right);
        let least = Layout::<W>::ROOM * LEAST / 100;
        let at = all.middle()?;
        if at >= own || all.left_bytes(at) + least > all.left_bytes(own) {
            return None;
        }
        all.part(at, last)
    }

    /// The runs of both, logs merged; the slots of the left one; link and flags of the right one.
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

    /// Two pages' contents, if they are, with a new fence between them.
    fn part(self, at: usize, last: (Option<Block>, u16)) -> Option<[Self; 2]> {
        let (near, mut rest) = self.cut(at);
        (rest.right, rest.flags) = last;
        (near.fits() && rest.fits()).then_some([near, rest])
    }

    fn fill(&self) -> Fill<W> {
        Fill {
            bytes: self.bytes(),
            slots: self.slots(),
            live: self.live(),
        }
    }
}

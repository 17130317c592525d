//! Merging two neighbouring leaves into one.

use super::contents::Contents;
use super::view::Leaf;
use super::{Layout, MAX_SLOTS};
use crate::page::MERGED_FILL;

/// How much of a leaf is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill<const W: usize> {
    /// Of `Layout::ROOM`, room for a bitmap included.
    bytes: usize,
    slots: usize,
    live: usize,
}

impl<const W: usize> Fill<W> {
    /// Whether leaves filled like this could be one: together they leave room for inserts, or one
    /// of them is empty.
    pub fn may_join(&self, other: &Self) -> bool {
        self.live == 0 || other.live == 0 || self.plus(other).leaves_room()
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

    fn leaves_room(&self) -> bool {
        self.bytes * 100 <= Layout::<W>::ROOM * MERGED_FILL
            && self.slots * 100 <= MAX_SLOTS * MERGED_FILL
    }
}

impl<const W: usize> Leaf<'_, W> {
    /// How much of the leaf is in use.
    pub fn fill(&self) -> Fill<W> {
        let packed = self.data_end().saturating_sub(Layout::<W>::DIRECTORY);
        Fill {
            bytes: packed + self.slots.div_ceil(8) + self.log * Layout::<W>::ENTRY,
            slots: self.slots,
            live: self.live(),
        }
    }
}

impl<const W: usize> Contents<W> {
    /// These contents with those of the right neighbour, whose high fence and right link they take
    /// over. Runs stay as they are. None if the page would be too full for more inserts, unless one of
    /// the two is empty: then the other may be as full as it is.
    pub fn join(mut self, mut right: Self) -> Option<Self> {
        let empty = self.live() == 0 || right.live() == 0;
        for part in [&mut self, &mut right] {
            if part.live() == 0 {
                part.runs.clear();
            }
        }
        self.runs.append(&mut right.runs);
        self.log.append(&mut right.log);
        (self.high, self.right) = (right.high, right.right);
        if self.log.len() > Layout::<W>::LOG {
            self.merge(None);
        }
        let fill = Fill::<W> {
            bytes: self.bytes(),
            slots: self.slots(),
            live: self.live(),
        };
        (self.fits() && (empty || fill.leaves_room())).then_some(self)
    }
}

//! What the tree needs of the storage below it: locked pages, new pages, and atomic logged changes.

use std::ops::Deref;

use crate::error::Result;
use crate::page::{Block, PAGE_SIZE, Page, pd, u16_at};

/// A pinned and locked page. Dropping it gives up lock and pin.
pub trait Guard: Deref<Target = Page> {
    /// The page's block number.
    fn block(&self) -> Block;
}

/// Up to four changed pages make one record.
pub const MAX_CHANGES: usize = 4;

/// Pages of one index. Reads copy nothing; changes are staged privately and committed together.
pub trait Store {
    /// A page under a share lock.
    type Read: Guard;
    /// A page under an exclusive lock. It is changed only by [`Store::commit`].
    type Write: Guard;

    /// Locks `block` for reading.
    fn read(&self, block: Block) -> Result<Self::Read>;

    /// A hint: `block` is about to be read, most likely around `within` (0 to 1) of its content.
    #[inline(always)]
    fn prefetch(&self, _block: Block, _within: f32) {}

    /// Locks `block` for changing.
    fn write(&self, block: Block) -> Result<Self::Write>;

    /// Locks `block` for changing, after waiting until nobody else has it pinned.
    fn write_for_cleanup(&self, block: Block) -> Result<Self::Write>;

    /// As [`Store::write_for_cleanup`], if that is possible at once. So it may be called while pages
    /// to the left are held: whoever keeps this one pinned may be waiting for them.
    fn try_write_for_cleanup(&self, block: Block) -> Result<Option<Self::Write>>;

    /// A page that is not part of the index (new, or stamped [`crate::page::Kind::Free`] at a moment
    /// that has passed), locked for changing. Whoever does not commit an image to it leaks it until the next VACUUM.
    fn allocate(&self) -> Result<Self::Write>;

    /// Like [`Store::allocate`], for what can be done without: None where there is no page to
    /// reuse and too little room to be sure of a new one.
    fn allocate_spare(&self) -> Result<Option<Self::Write>> {
        self.allocate().map(Some)
    }

    /// Applies the changes and logs them as one record: after a crash either all of them are
    /// there or none. At most [`MAX_CHANGES`], each on another page; the pages stay locked.
    fn commit(&self, changes: &mut [(&mut Self::Write, Change)]) -> Result<()>;

    /// Number of blocks of the index now; it never shrinks.
    fn blocks(&self) -> Result<Block>;

    /// A point where a long operation may be cancelled or slowed. Called without any lock held.
    fn interrupt(&self);

    /// An entry is about to be added to this locked leaf (a serializable reader may object).
    fn inserting(&self, _leaf: &Self::Write) -> Result<()> {
        Ok(())
    }

    /// Entries have moved from `left` to the new leaf `right`, which are both still locked.
    fn split(&self, _left: &Self::Write, _right: &Self::Write) {}

    /// A change of several records has got this far. Tests stop or kill a backend here.
    #[inline(always)]
    fn reached(&self, _step: &'static str) {}

    /// The entries of the leaf `right` have moved to `left`; both are still locked.
    fn merged(&self, _left: &Self::Write, _right: &Self::Write) {}

    /// Does a vacuum's `work` when nobody moves entries across borders of leaves any more ([`Store::unless_vacuumed`]), and keeps everybody from it.
    fn vacuuming<R>(&self, work: impl FnOnce() -> R) -> R {
        work()
    }

    /// Does `work`, which moves entries across a border of leaves, unless a vacuum is under way, which may stand there.
    fn unless_vacuumed<R>(&self, work: impl FnOnce() -> R) -> Option<R> {
        Some(work())
    }

    /// What an inner page freed now is stamped with.
    fn moment(&self) -> u64 {
        0
    }

    /// Whether everybody has finished who was adding entries at `moment`.
    fn has_passed(&self, moment: u64) -> bool {
        moment == 0
    }

    /// `block` has been stamped [`crate::page::Kind::Free`]; it is not locked any more.
    fn freed(&self, _block: Block) {}
}

/// How one page changes.
#[derive(Debug, Clone)]
pub enum Change {
    /// The whole page anew: new pages, and changes of more than about half a page.
    Image(Box<Page>),
    /// Some byte ranges.
    Patch(Patch),
}

impl Change {
    /// `patch` of `page`, or the whole page where the patch is more than half of it.
    pub fn of_patch(page: &Page, patch: Patch) -> Self {
        if patch.len() <= PAGE_SIZE / 2 {
            return Self::Patch(patch);
        }
        let mut image = Box::new(*page);
        patch.apply(&mut image);
        zero_hole(&mut image);
        Self::Image(image)
    }

    /// What makes `new` of `old`: the ranges in which they differ, or `new` itself where these
    /// are many. Log position, checksum and the hole are not compared.
    pub fn between(old: &Page, new: Box<Page>) -> Self {
        /// Equal bytes that cost less to log again than another range.
        const GAP: usize = 8;
        let (lower, upper) = (
            u16_at(&new, pd::LOWER).into(),
            u16_at(&new, pd::UPPER).into(),
        );
        let mut patch = Patch::new();
        for (from, to) in [
            (pd::LOWER, pd::SPECIAL),
            (pd::BYTES, lower),
            (upper, PAGE_SIZE),
        ] {
            let mut range: Option<(usize, usize)> = None;
            for at in (from..to).filter(|&at| old.get(at) != new.get(at)) {
                range = match range {
                    Some((start, end)) if at <= end + GAP => Some((start, at + 1)),
                    Some((start, end)) => {
                        patch.put(start, new.get(start..end).unwrap_or_default());
                        Some((at, at + 1))
                    }
                    None => Some((at, at + 1)),
                };
            }
            if let Some((start, end)) = range {
                patch.put(start, new.get(start..end).unwrap_or_default());
            }
            if patch.len() > PAGE_SIZE / 2 {
                return Self::Image(new);
            }
        }
        Self::Patch(patch)
    }
}

/// Zeroes what lies between `pd_lower` and `pd_upper`, as redo does.
pub fn zero_hole(page: &mut Page) {
    let (lower, upper) = (
        u16_at(page, pd::LOWER).into(),
        u16_at(page, pd::UPPER).into(),
    );
    if let Some(hole) = page.get_mut(lower..upper) {
        hole.fill(0);
    }
}

/// Byte ranges to overwrite, applied in order; they may grow or shrink the hole by changing
/// `pd_lower` and `pd_upper`. The store zeroes the hole afterwards.
///
/// Kept as the list that is logged: for each range its offset and length (u16 each), then its bytes.
#[derive(Debug, Clone)]
pub struct Patch {
    // As much as an insert into a leaf takes goes without an allocation.
    few: [u8; Self::FEW],
    used: usize,
    // All of the list once it is longer.
    many: Vec<u8>,
}

impl Default for Patch {
    fn default() -> Self {
        Self::new()
    }
}

impl Patch {
    const FEW: usize = 112;

    /// No change yet.
    #[inline]
    pub fn new() -> Self {
        Self {
            few: [0; Self::FEW],
            used: 0,
            many: Vec::new(),
        }
    }

    /// Overwrites the bytes from `at` on.
    #[inline(always)]
    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        let head = (at as u32 & 0xFFFF) | (bytes.len() as u32) << 16;
        self.extend(&head.to_le_bytes());
        self.extend(bytes);
    }

    #[inline(always)]
    fn extend(&mut self, bytes: &[u8]) {
        let end = self.used + bytes.len();
        match self.few.get_mut(self.used..end) {
            Some(room) if self.many.is_empty() => room.copy_from_slice(bytes),
            _ => self.extend_many(bytes),
        }
        self.used = end;
    }

    #[cold]
    fn extend_many(&mut self, bytes: &[u8]) {
        if self.many.is_empty() {
            let list = self.few.get(..self.used).unwrap_or_default();
            self.many.extend_from_slice(list);
        }
        self.many.extend_from_slice(bytes);
    }

    /// The list.
    #[inline]
    pub fn list(&self) -> &[u8] {
        if self.many.is_empty() {
            self.few.get(..self.used).unwrap_or_default()
        } else {
            &self.many
        }
    }

    /// The ranges, in the order they were put.
    #[inline]
    pub fn spans(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut rest = self.list();
        std::iter::from_fn(move || {
            let (&[a, b, c, d], bytes) = rest.split_first_chunk()?;
            let (at, len) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
            let (bytes, after) = bytes.split_at_checked(len.into())?;
            rest = after;
            Some((at.into(), bytes))
        })
    }

    /// Bytes of the list.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether nothing was put.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Applies the ranges to a page.
    pub fn apply(&self, page: &mut Page) {
        for (at, bytes) in self.spans() {
            crate::page::put(page, at, bytes);
        }
    }
}

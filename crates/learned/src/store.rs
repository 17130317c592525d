//! What the tree needs of the storage below it: locked pages, new pages, and atomic logged changes.

use std::ops::Deref;

use crate::error::Result;
use crate::page::{Block, PAGE_SIZE, Page, pd, u16_at};

/// A pinned and locked page. Dropping the guard releases lock and pin.
pub trait Guard: Deref<Target = Page> {
    /// The page's block number.
    fn block(&self) -> Block;
}

/// Pages that one record can change, at most.
pub const MAX_CHANGES: usize = 4;

/// The pages of one index. Reads copy nothing. Changes are prepared privately and committed
/// together.
pub trait Store {
    /// A page under a share lock.
    type Read: Guard;
    /// A page under an exclusive lock. Only [`Store::commit`] changes it.
    type Write: Guard;

    /// Locks `block` for reading.
    fn read(&self, block: Block) -> Result<Self::Read>;

    /// A hint to the processor: `block` is about to be read, most likely around `within` (0: start,
    /// 1: end) of its content.
    #[inline(always)]
    fn prefetch(&self, _block: Block, _within: f32) {}

    /// Locks `block` for changing.
    fn write(&self, block: Block) -> Result<Self::Write>;

    /// Locks `block` for changing when no other backend has it pinned, and waits for that: a
    /// cleanup lock.
    fn write_for_cleanup(&self, block: Block) -> Result<Self::Write>;

    /// A cleanup lock if it can be had without waiting. So it may be called while pages to the left
    /// are held, although a backend that has this page pinned may be waiting for those pages.
    fn try_write_for_cleanup(&self, block: Block) -> Result<Option<Self::Write>>;

    /// A page that is not part of the index, locked for changing: a new page, or a page of
    /// [`crate::page::Kind::Free`] whose moment has passed. If the caller commits no image to the
    /// page, it stays unused until the next VACUUM.
    fn allocate(&self) -> Result<Self::Write>;

    /// As [`Store::allocate`], for work that can be left undone. None: there is no page to recycle,
    /// and too little room to be sure of a new page.
    fn allocate_spare(&self) -> Result<Option<Self::Write>> {
        self.allocate().map(Some)
    }

    /// Applies the changes and logs them as one record: after a crash either all of the changes are
    /// there or none. At most [`MAX_CHANGES`] changes, each on another page. The pages stay locked.
    fn commit(&self, changes: &mut [(&mut Self::Write, Change)]) -> Result<()>;

    /// Length of the index in blocks. It never shrinks.
    fn blocks(&self) -> Result<Block>;

    /// A point where a long operation may be cancelled or slowed. No lock is held.
    fn interrupt(&self);

    /// An entry is about to be added to this locked leaf. An error if that conflicts with a
    /// serializable transaction that has read the leaf.
    fn inserting(&self, _leaf: &Self::Write) -> Result<()> {
        Ok(())
    }

    /// Entries have moved from `left` to the new leaf `right`. Both are still locked.
    fn leaf_split(&self, _left: &Self::Write, _right: &Self::Write) {}

    /// A change that takes several records has come to this step. Tests stop or kill a backend
    /// here.
    #[inline(always)]
    fn reached(&self, _step: &'static str) {}

    /// The entries of the leaf `right` have moved to `left`. Both are still locked.
    fn leaves_joined(&self, _left: &Self::Write, _right: &Self::Write) {}

    /// Does the `work` of a VACUUM: waits for all calls of [`Store::unless_vacuuming`] to end, and
    /// refuses new ones until the work is done.
    fn vacuuming<R>(&self, work: impl FnOnce() -> R) -> R {
        work()
    }

    /// Does `work`, which moves entries from one leaf to another. None, and the work is not done: a
    /// VACUUM is under way, which may stand between these leaves.
    fn unless_vacuuming<R>(&self, work: impl FnOnce() -> R) -> Option<R> {
        Some(work())
    }

    /// The stamp of an inner page that is freed now: see [`Store::has_passed`].
    fn moment(&self) -> u64 {
        0
    }

    /// Whether all backends that were adding entries at `moment` have finished.
    fn has_passed(&self, moment: u64) -> bool {
        moment == 0
    }

    /// `block` has become a page of [`crate::page::Kind::Free`] and is no longer locked.
    fn freed(&self, _block: Block) {}
}

/// How one page changes.
#[derive(Debug, Clone)]
pub enum Change {
    /// The whole page: new pages, and changes of more than about half a page.
    Image(Box<Page>),
    /// Some byte ranges.
    Patch(Patch),
}

impl Change {
    /// Bytes of a patch from which on a whole page is logged instead, which costs less then.
    const MAX_PATCH: usize = PAGE_SIZE / 2;
    /// Equal bytes between two ranges up to which both are logged as one: another range costs four
    /// bytes and a loop.
    const MAX_GAP: usize = 8;

    /// `patch`, or the whole changed page where the patch is longer than half a page.
    pub fn from_patch(page: &Page, patch: Patch) -> Self {
        if patch.len() <= Self::MAX_PATCH {
            return Self::Patch(patch);
        }
        let mut image = Box::new(*page);
        patch.apply(&mut image);
        zero_hole(&mut image);
        Self::Image(image)
    }

    /// The change from `old` to `new`: the ranges in which they differ, or `new` itself where these
    /// ranges are longer than half a page. LSN, checksum and hole are not compared.
    pub fn between(old: &Page, new: Box<Page>) -> Self {
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
                    Some((start, end)) if at <= end + Self::MAX_GAP => Some((start, at + 1)),
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
            if patch.len() > Self::MAX_PATCH {
                return Self::Image(new);
            }
        }
        Self::Patch(patch)
    }
}

/// Zeroes the bytes between `pd_lower` and `pd_upper`, as redo does.
pub fn zero_hole(page: &mut Page) {
    let (lower, upper) = (
        u16_at(page, pd::LOWER).into(),
        u16_at(page, pd::UPPER).into(),
    );
    if let Some(hole) = page.get_mut(lower..upper) {
        hole.fill(0);
    }
}

/// Byte ranges to overwrite, applied in order. They may grow or shrink the hole by changing
/// `pd_lower` and `pd_upper`. The store zeroes the hole afterwards.
///
/// Kept as the list that is logged: for each range its offset and length (u16 each), then its
/// bytes.
#[derive(Debug, Clone)]
pub struct Patch {
    // The list while it is short.
    inline: [u8; Self::INLINE_BYTES],
    used: usize,
    // The whole list once it is longer.
    spilled: Vec<u8>,
}

impl Default for Patch {
    fn default() -> Self {
        Self::new()
    }
}

impl Patch {
    /// Bytes of a list that needs no allocation: enough for an insert into a leaf's log.
    const INLINE_BYTES: usize = 112;

    /// A patch without ranges.
    #[inline]
    pub fn new() -> Self {
        Self {
            inline: [0; Self::INLINE_BYTES],
            used: 0,
            spilled: Vec::new(),
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
        match self.inline.get_mut(self.used..end) {
            Some(room) if self.spilled.is_empty() => room.copy_from_slice(bytes),
            _ => self.extend_spilled(bytes),
        }
        self.used = end;
    }

    #[cold]
    fn extend_spilled(&mut self, bytes: &[u8]) {
        if self.spilled.is_empty() {
            let list = self.inline.get(..self.used).unwrap_or_default();
            self.spilled.extend_from_slice(list);
        }
        self.spilled.extend_from_slice(bytes);
    }

    /// The list as it is logged.
    #[inline]
    pub fn list(&self) -> &[u8] {
        if self.spilled.is_empty() {
            self.inline.get(..self.used).unwrap_or_default()
        } else {
            &self.spilled
        }
    }

    /// The ranges, each with its offset in the page, in the order of the calls of [`Self::put`].
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

    /// Whether the patch has no ranges.
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

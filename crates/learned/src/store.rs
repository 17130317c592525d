//! What the tree needs of the storage below it: locked pages, new pages, and atomic logged changes.

use std::ops::Deref;

use crate::error::Result;
use crate::page::{Block, Page};

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

    /// Locks `block` for changing.
    fn write(&self, block: Block) -> Result<Self::Write>;

    /// Locks `block` for changing, after waiting until nobody else has it pinned.
    fn write_for_cleanup(&self, block: Block) -> Result<Self::Write>;

    /// A page that is not part of the index (new, or stamped [`crate::page::Kind::Free`]), locked
    /// for changing. Whoever does not commit an image to it leaks it until the next VACUUM.
    fn allocate(&self) -> Result<Self::Write>;

    /// Applies the changes and logs them as one record: after a crash either all of them are
    /// there or none. At most [`MAX_CHANGES`], each on another page; the pages stay locked.
    fn commit(&self, changes: &mut [(&mut Self::Write, Change)]) -> Result<()>;

    /// Number of blocks of the index now; it never shrinks.
    fn blocks(&self) -> Result<Block>;

    /// A point where a long operation may be cancelled or slowed. Called without any lock held.
    fn interrupt(&self);
}

/// How one page changes.
#[derive(Debug, Clone)]
pub enum Change {
    /// The whole page anew: new pages, and changes of more than about half a page.
    Image(Box<Page>),
    /// Some byte ranges.
    Patch(Patch),
}

/// Byte ranges to overwrite, applied in order; they may grow or shrink the hole by changing
/// `pd_lower` and `pd_upper`. The store zeroes the hole afterwards.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    spans: Vec<(u16, u16)>,
    bytes: Vec<u8>,
}

impl Patch {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Overwrites the bytes from `at` on.
    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        self.spans.push((at as u16, bytes.len() as u16));
        self.bytes.extend_from_slice(bytes);
    }

    /// The ranges, in the order they were put.
    pub fn spans(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut from = 0;
        self.spans.iter().filter_map(move |&(at, len)| {
            let bytes = self.bytes.get(from..from + usize::from(len));
            from += usize::from(len);
            bytes.map(|b| (usize::from(at), b))
        })
    }

    /// Bytes that the ranges hold.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was put.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Applies the ranges to a page.
    pub fn apply(&self, page: &mut Page) {
        for (at, bytes) in self.spans() {
            crate::page::put(page, at, bytes);
        }
    }
}

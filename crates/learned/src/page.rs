//! What all pages share: PostgreSQL's page header, this index's header behind it, the special area.
//!
//! ```text
//!         0       1       2       3       4       5       6       7
//!      +-------------------------------+---------------+---------------+
//!    0 | LSN                                                           |
//!      +---------------+---------------+---------------+---------------+
//!    8 | checksum      | flags         | lower         | upper         |  PostgreSQL's
//!      +---------------+---------------+---------------+---------------+  page header
//!   16 | special       | size, version | prune xid                     |
//!      +-------+-------+---------------+-------------------------------+
//!   24 | kind  | level | flags         | reserved                      |
//!      +-------+-------+---------------+-------------------------------+
//!   32 | right sibling (or NO_BLOCK)   | reserved                      |
//!      +-------------------------------+-------------------------------+
//!   40 | header of this kind of page, then content that grows up       |
//!      +---------------------------------------------------------------+  <- lower
//!      | hole: all zero, because redo of generic WAL records zeroes it |
//!      +---------------------------------------------------------------+  <- upper
//!      | content that grows down                                       |
//!      +-------+-------+-------+-------+---------------+---------------+
//! 8184 | kind  | version | words | res.| reserved      | page id       |  special area
//!      +-------+-------+-------+-------+---------------+---------------+
//! ```
//! All integers are little-endian. A search reads kind and level at the front, where it reads
//! anyway. The special area only identifies the page to tools that look at it from outside.
//!
//! # Versions
//! [`crate::meta`] says which formats a library reads. A library checks the version in the meta
//! page before it reads any other page, and one index never mixes versions: so a search does not
//! look at the version byte of each page. `Tree::verify` compares this byte with [`VERSION`].

pub use crate::block::{Block, META, NO_BLOCK};
use crate::error::{Error, Result};

/// A page's bytes.
pub type Page = [u8; PAGE_SIZE];

/// Bytes of a page: PostgreSQL's BLCKSZ. Servers built with another size are refused.
pub const PAGE_SIZE: usize = 8192;
/// Offset of the special area.
pub const SPECIAL: usize = PAGE_SIZE - 8;
/// The last two bytes of each page, for tools that guess whose page it is.
pub const PAGE_ID: u16 = 0xD81E;
/// Version of the formats of single pages. A change of it needs a change of
/// [`crate::meta::FORMAT`], too.
pub const VERSION: u8 = 1;

/// Offsets of PostgreSQL's page header fields.
pub mod pd {
    /// Page flags. The server writes what lies before them; no change may touch it.
    pub const FLAGS: usize = 10;
    /// Start of the hole.
    pub const LOWER: usize = 12;
    /// End of the hole.
    pub const UPPER: usize = 14;
    /// Start of the special area.
    pub const SPECIAL: usize = 16;
    /// Page size and layout version.
    pub const SIZE_VERSION: usize = 18;
    /// Unused in indexes.
    pub const PRUNE_XID: usize = 20;
    /// Bytes of the header.
    pub const BYTES: usize = 24;
    /// PostgreSQL's page layout version.
    pub const LAYOUT: u16 = 4;
}

/// Offsets of the header that all pages of the index have.
pub mod head {
    /// [`super::Kind`].
    pub const KIND: usize = 24;
    /// 0 for leaves.
    pub const LEVEL: usize = 25;
    /// Flag bits.
    pub const FLAGS: usize = 26;
    /// Right sibling.
    pub const RIGHT: usize = 32;
    /// First byte of the kind-specific header.
    pub const END: usize = 40;
}

/// Flag: the page was split and its right sibling has no downlink yet.
pub const INCOMPLETE_SPLIT: u16 = 1;
/// Flag: scans or inserts have deleted entries of the leaf since VACUUM last passed the leaf.
pub const THINNED: u16 = 2;
/// Flag: entries of the leaf, or of the leaf that it was split from, have been deleted, and no
/// VACUUM since then has passed the leaf without finding that more rows have died.
pub const CHURNED: u16 = 4;

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Not part of the index; may be recycled.
    Free = 1,
    /// Block 0.
    Meta = 2,
    /// All entries live in leaves.
    Leaf = 3,
    /// Separators and downlinks.
    Inner = 4,
    /// Part of the model.
    Model = 5,
}

/// A little-endian u16 at `at`; 0 beyond the page.
#[inline(always)]
pub fn u16_at(page: &Page, at: usize) -> u16 {
    match page.get(at..).and_then(|s| s.first_chunk()) {
        Some(b) => u16::from_le_bytes(*b),
        None => 0,
    }
}

/// A little-endian u32 at `at`; 0 beyond the page.
#[inline(always)]
pub fn u32_at(page: &Page, at: usize) -> u32 {
    match page.get(at..).and_then(|s| s.first_chunk()) {
        Some(b) => u32::from_le_bytes(*b),
        None => 0,
    }
}

/// A little-endian u64 at `at`; 0 beyond the page.
#[inline(always)]
pub fn u64_at(page: &Page, at: usize) -> u64 {
    match page.get(at..).and_then(|s| s.first_chunk()) {
        Some(b) => u64::from_le_bytes(*b),
        None => 0,
    }
}

/// Writes `bytes` at `at`. Nothing is written if they would reach beyond the page: callers check
/// the size first.
pub fn put(page: &mut Page, at: usize, bytes: &[u8]) {
    if let Some(to) = page.get_mut(at..at.saturating_add(bytes.len())) {
        to.copy_from_slice(bytes);
    }
}

/// An empty page of `kind` at `level` for keys of `words` words, without right sibling.
pub fn init(kind: Kind, level: u8, words: usize) -> Box<Page> {
    let mut page = Box::new([0; PAGE_SIZE]);
    put(&mut page, pd::LOWER, &(head::END as u16).to_le_bytes());
    put(&mut page, pd::UPPER, &(SPECIAL as u16).to_le_bytes());
    put(&mut page, pd::SPECIAL, &(SPECIAL as u16).to_le_bytes());
    put(
        &mut page,
        pd::SIZE_VERSION,
        &(PAGE_SIZE as u16 | pd::LAYOUT).to_le_bytes(),
    );
    put(&mut page, head::KIND, &[kind as u8, level]);
    put(&mut page, head::RIGHT, &NO_BLOCK.to_le_bytes());
    put(&mut page, SPECIAL, &[kind as u8, VERSION, words as u8, 0]);
    put(&mut page, PAGE_SIZE - 2, &PAGE_ID.to_le_bytes());
    page
}

/// A page that is no longer part of the index, stamped with the `moment` when it was freed (see
/// [`crate::store::Store::moment`]). 0: the page may be recycled at once.
pub fn free(words: usize, moment: u64) -> Box<Page> {
    let mut page = init(Kind::Free, 0, words);
    put(&mut page, head::END, &moment.to_le_bytes());
    put(&mut page, pd::LOWER, &(head::END as u16 + 8).to_le_bytes());
    page
}

/// The moment that a page of [`Kind::Free`] is stamped with.
pub fn freed_at(page: &Page) -> u64 {
    u64_at(page, head::END)
}

/// The position in the write-ahead log of the page's last change. PostgreSQL stores the high half
/// first.
pub fn lsn(page: &Page) -> u64 {
    u64::from(u32_at(page, 0)) << 32 | u64::from(u32_at(page, 4))
}

/// Whether the page was never written. A crash can leave such pages behind.
pub fn is_new(page: &Page) -> bool {
    u16_at(page, pd::UPPER) == 0
}

/// The page's kind. None: the byte is no kind, as on a new page or a foreign page.
#[inline(always)]
pub fn kind(page: &Page) -> Option<Kind> {
    Some(match page[head::KIND] {
        1 => Kind::Free,
        2 => Kind::Meta,
        3 => Kind::Leaf,
        4 => Kind::Inner,
        5 => Kind::Model,
        _ => return None,
    })
}

/// The page's level: 0 for leaves.
#[inline(always)]
pub fn level(page: &Page) -> u8 {
    page[head::LEVEL]
}

/// The page's flag bits.
#[inline(always)]
pub fn flags(page: &Page) -> u16 {
    u16_at(page, head::FLAGS)
}

/// The page's right sibling.
#[inline(always)]
pub fn right(page: &Page) -> Option<Block> {
    Some(u32_at(page, head::RIGHT)).filter(|&b| b != NO_BLOCK)
}

/// Start and end of the hole.
///
/// # Errors
/// [`Error::Corrupted`] if they do not lie in order between header and special area.
#[inline(always)]
pub fn hole(page: &Page, block: Block) -> Result<(usize, usize)> {
    let lower = usize::from(u16_at(page, pd::LOWER));
    let upper = usize::from(u16_at(page, pd::UPPER));
    if head::END <= lower && lower <= upper && upper <= SPECIAL {
        Ok((lower, upper))
    } else {
        Err(Error::corrupted(
            block,
            format!("hole from {lower} to {upper}"),
        ))
    }
}

//! What all pages share: PostgreSQL's page header, our page header behind it, the special area.
//!
//! ```text
//!    0  PostgreSQL page header: lsn 8, checksum 2, flags 2, lower 2, upper 2, special 2, size|version 2, prune xid 4
//!   24  kind u8, level u8, flags u16, reserved u32
//!   32  right sibling u32 (NO_BLOCK: none), reserved u32
//!   40  kind-specific header, then content growing up to `lower`
//!  ...  hole, all zero (redo of generic WAL records zeroes it)
//!  ...  from `upper`: kind-specific content growing down
//! 8184  special area: kind u8, version u8, words per key u8, reserved u8, reserved u16, page id u16
//! ```
//! All integers are little-endian. Kind and level stand at the front because a search looks there
//! anyway; the special area only identifies the page to tools that look at a page from outside.

pub use crate::block::{Block, META, NO_BLOCK};
use crate::error::{Error, Result};

/// A page's bytes.
pub type Page = [u8; PAGE_SIZE];

/// Bytes of a page (PostgreSQL's BLCKSZ; other sizes are refused).
pub const PAGE_SIZE: usize = 8192;
/// Where the special area starts.
pub const SPECIAL: usize = PAGE_SIZE - 8;
/// The last two bytes of each page, for tools that guess whose page it is.
pub const PAGE_ID: u16 = 0xD81E;
/// Percentage of a page that two pages merged into one may take together: the next inserts should
/// not split it again.
pub const MERGED_FILL: usize = 70;
/// Version of the page formats.
pub const VERSION: u8 = 1;

/// Offsets of PostgreSQL's page header fields.
pub mod pd {
    /// Page flags; what lies before them is the server's and never part of a change.
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

/// Offsets of the header that all our pages have.
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
/// Flag: scans or inserts have removed entries from the leaf since VACUUM passed it.
pub const THINNED: u16 = 2;
/// Flag: entries have been removed from the leaf, or the one that it was split from, and VACUUM has not passed it since without finding more.
pub const CHURNED: u16 = 4;

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Not part of the index; may be reused.
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

/// Writes `bytes` at `at`. Bytes that would fall beyond the page are dropped; callers size first.
pub fn put(page: &mut Page, at: usize, bytes: &[u8]) {
    if let Some(to) = page.get_mut(at..at.saturating_add(bytes.len())) {
        to.copy_from_slice(bytes);
    }
}

/// A fresh page of `kind` at `level` for keys of `words` words, empty, without right sibling.
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

/// A page that belongs to nothing any more, stamped with the `moment` when it was freed (see
/// [`crate::store::Store::moment`]); 0: it may be used again at once.
pub fn free(words: usize, moment: u64) -> Box<Page> {
    let mut page = init(Kind::Free, 0, words);
    put(&mut page, head::END, &moment.to_le_bytes());
    put(&mut page, pd::LOWER, &(head::END as u16 + 8).to_le_bytes());
    page
}

/// The moment with which a page of [`Kind::Free`] was stamped.
pub fn freed_at(page: &Page) -> u64 {
    u64_at(page, head::END)
}

/// The position in the write-ahead log of the page's last change: two halves, the high one first.
pub fn lsn(page: &Page) -> u64 {
    u64::from(u32_at(page, 0)) << 32 | u64::from(u32_at(page, 4))
}

/// Whether the page was never written (a crash can leave such pages behind).
pub fn is_new(page: &Page) -> bool {
    u16_at(page, pd::UPPER) == 0
}

/// The page's kind; None where the byte is no kind (a new page, a foreign page).
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

/// Start and end of the hole, after checking that they are sane.
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

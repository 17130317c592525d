//! The fences that leaves and inner pages carry behind the common header, and entries stored plainly.

use crate::error::{Error, Result};
use crate::key::Entry;
use crate::page::{Block, INCOMPLETE_SPLIT, Kind, Page, flags, head, kind, level, put, u64_at};
use crate::store::Patch;

/// Offset of the low fence; the high fence follows it.
pub const LOW: usize = head::END;

/// First byte behind both fences of keys of `W` words.
pub const fn end<const W: usize>() -> usize {
    LOW + 2 * Entry::<W>::BYTES
}

/// The entry stored plainly at `at`.
#[inline]
pub fn entry_at<const W: usize>(page: &Page, at: usize) -> Entry<W> {
    Entry {
        key: std::array::from_fn(|i| u64_at(page, at + 8 * i)),
        tie: u64_at(page, at + 8 * W),
    }
}

/// Stores `entry` plainly at `at`.
pub fn put_entry<const W: usize>(page: &mut Page, at: usize, entry: &Entry<W>) {
    for (i, word) in entry.key.iter().enumerate() {
        put(page, at + 8 * i, &word.to_le_bytes());
    }
    put(page, at + 8 * W, &entry.tie.to_le_bytes());
}

/// Appends the plain form of `entry` to `bytes`.
pub fn push_entry<const W: usize>(bytes: &mut Vec<u8>, entry: &Entry<W>) {
    for word in &entry.key {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&entry.tie.to_le_bytes());
}

/// Low and high fence of the page if it is a leaf or inner page of level `at`; None if it is
/// anything else, which only means that whoever pointed here was out of date.
#[inline(always)]
pub fn of<const W: usize>(
    page: &Page,
    block: Block,
    at: u8,
) -> Result<Option<(Entry<W>, Entry<W>)>> {
    let wanted = if at == 0 { Kind::Leaf } else { Kind::Inner };
    if kind(page) != Some(wanted) || level(page) != at {
        return Ok(None);
    }
    let (low, high) = (entry_at(page, LOW), entry_at(page, LOW + Entry::<W>::BYTES));
    if low < high {
        Ok(Some((low, high)))
    } else {
        Err(Error::corrupted(block, "low fence not below high fence"))
    }
}

/// Whether the page's right sibling has no downlink yet.
pub fn is_incomplete(page: &Page) -> bool {
    flags(page) & INCOMPLETE_SPLIT != 0
}

/// Clears the mark of an incomplete split.
pub fn completed(page: &Page) -> Patch {
    let mut patch = Patch::new();
    patch.put(
        head::FLAGS,
        &(flags(page) & !INCOMPLETE_SPLIT).to_le_bytes(),
    );
    patch
}

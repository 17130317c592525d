//! The fences that leaves and inner pages have behind the common header, and entries stored without
//! compression.
//!
//! The low fence is inclusive, the high fence exclusive: a page covers the entries with
//! `low <= entry < high`. The high fence equals the low fence of the right sibling.

use crate::error::{Error, Result};
use crate::key::Entry;
use crate::page::{Block, INCOMPLETE_SPLIT, Kind, Page, flags, head, kind, level, put, u64_at};
use crate::store::Patch;

/// Offset of the low fence; the high fence follows it.
pub const LOW: usize = head::END;

/// Offset of the first byte behind both fences, for keys of `W` words.
pub const fn end<const W: usize>() -> usize {
    LOW + 2 * Entry::<W>::BYTES
}

/// The entry stored without compression at `at`.
#[inline]
pub fn entry_at<const W: usize>(page: &Page, at: usize) -> Entry<W> {
    Entry {
        key: std::array::from_fn(|i| u64_at(page, at + 8 * i)),
        tie: u64_at(page, at + 8 * W),
    }
}

/// Stores `entry` without compression at `at`.
pub fn put_entry<const W: usize>(page: &mut Page, at: usize, entry: &Entry<W>) {
    for (i, word) in entry.key.iter().enumerate() {
        put(page, at + 8 * i, &word.to_le_bytes());
    }
    put(page, at + 8 * W, &entry.tie.to_le_bytes());
}

/// Appends to `bytes` what [`put_entry`] stores.
pub fn push_entry<const W: usize>(bytes: &mut Vec<u8>, entry: &Entry<W>) {
    for word in &entry.key {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&entry.tie.to_le_bytes());
}

/// Low and high fence of the page, if the page is a leaf (`wanted_level` 0) or an inner page of
/// that level. None: the page is something else, which only means that the link to it was out of
/// date.
///
/// # Errors
/// [`Error::Corrupted`] if the low fence is not below the high fence.
#[inline(always)]
pub fn read<const W: usize>(
    page: &Page,
    block: Block,
    wanted_level: u8,
) -> Result<Option<(Entry<W>, Entry<W>)>> {
    let wanted_kind = if wanted_level == 0 {
        Kind::Leaf
    } else {
        Kind::Inner
    };
    if kind(page) != Some(wanted_kind) || level(page) != wanted_level {
        return Ok(None);
    }
    let (low, high) = (entry_at(page, LOW), entry_at(page, LOW + Entry::<W>::BYTES));
    if low < high {
        Ok(Some((low, high)))
    } else {
        Err(Error::corrupted(block, "low fence not below high fence"))
    }
}

/// Whether the page is a page of this level whose low fence is `fence`: what a right link or a
/// remembered block should lead to.
///
/// # Errors
/// As for [`read`].
pub fn begins_at<const W: usize>(
    page: &Page,
    block: Block,
    wanted_level: u8,
    fence: &Entry<W>,
) -> Result<bool> {
    let fences = read::<W>(page, block, wanted_level)?;
    Ok(fences.is_some_and(|(low, _)| low == *fence))
}

/// Whether the page's right sibling has no downlink yet.
pub fn is_incomplete(page: &Page) -> bool {
    flags(page) & INCOMPLETE_SPLIT != 0
}

/// Clears the flag of an incomplete split.
pub fn clear_incomplete_split(page: &Page) -> Patch {
    let mut patch = Patch::new();
    patch.put(
        head::FLAGS,
        &(flags(page) & !INCOMPLETE_SPLIT).to_le_bytes(),
    );
    patch
}

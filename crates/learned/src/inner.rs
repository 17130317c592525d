//! Inner pages: separators in order, each with the downlink to its child.
//!
//! Behind the header that all pages have ([`crate::page`]), with `E` = 8 x (W + 1) bytes for an
//! entry of `W` words:
//!
//! ```text
//!            +---------------------------------------------------------------+
//!   40       | low fence (W words, tie)                                      |
//!            +---------------------------------------------------------------+
//!   40 + E   | high fence (W words, tie)                                     |
//!            +---------------+-----------------------------------------------+
//!   40 + 2E  | items u16     | reserved, 6 bytes                             |
//!            +---------------+-----------------------------------------------+
//!   48 + 2E  | item 0: separator (W words, tie)                              |
//!            |         child u32             | reserved u32                  |
//!            +-------------------------------+-------------------------------+
//!            | item 1 ...                                                    |
//!            +---------------------------------------------------------------+  <- lower
//! ```
//!
//! Item i leads to the child whose low fence is the item's separator. The separator of item 0 is
//! the page's own low fence, so every inner page has an item.

use crate::error::{Error, Result};
use crate::fences::{self, entry_at, push_entry, put_entry};
use crate::key::Entry;
use crate::page::{self, Block, Kind, NO_BLOCK, Page, SPECIAL, head, pd, put, u16_at, u32_at};
use crate::policy::tree::{INNER_SPLIT_PERCENT, MAX_JOINED_PERCENT, TESTING_INNER_ITEMS};
use crate::store::{Change, Patch};

/// The highest level of a page. A tree with two children for each page would have 2^40 leaves below
/// it, more than there are blocks.
pub const MAX_LEVEL: u8 = 40;

/// A separator and the block of the child whose low fence it is.
pub type Item<const W: usize> = (Entry<W>, Block);

/// What an inner page says apart from its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<const W: usize> {
    /// The low fence, inclusive.
    pub low: Entry<W>,
    /// The high fence, exclusive.
    pub high: Entry<W>,
    /// 1 or more; leaves have level 0.
    pub level: u8,
    /// Right sibling.
    pub right: Option<Block>,
    /// Flag bits.
    pub flags: u16,
}

/// A view of an inner page whose header is checked.
pub struct Inner<'a, const W: usize> {
    page: &'a Page,
    block: Block,
    frame: Frame<W>,
    len: usize,
}

impl<'a, const W: usize> Inner<'a, W> {
    const ITEMS: usize = fences::end::<W>();
    const FIRST: usize = Self::ITEMS + 8;
    const BYTES: usize = Entry::<W>::BYTES + 8;
    /// Items that fit on a page.
    pub const CAPACITY: usize = (SPECIAL - Self::FIRST) / Self::BYTES;

    /// Items that a page is given at most, unless the caller says otherwise.
    pub const LIMIT: usize = if cfg!(feature = "testing") {
        TESTING_INNER_ITEMS
    } else {
        Self::CAPACITY
    };

    /// A view of `page`.
    ///
    /// # Errors
    /// [`Error::Corrupted`] if it is not a sound inner page.
    pub fn open(page: &'a Page, block: Block) -> Result<Self> {
        let level = page::level(page);
        if page::kind(page) != Some(Kind::Inner) || level == 0 || level > MAX_LEVEL {
            return Err(Error::corrupted(block, "not an inner page"));
        }
        let Some((low, high)) = fences::read(page, block, level)? else {
            return Err(Error::corrupted(block, "not an inner page"));
        };
        let (lower, _) = page::hole(page, block)?;
        let len = usize::from(u16_at(page, Self::ITEMS));
        if len == 0 || len > Self::CAPACITY || lower != Self::FIRST + len * Self::BYTES {
            return Err(Error::corrupted(
                block,
                format!("{len} items in an inner page that ends at {lower}"),
            ));
        }
        let inner = Self {
            page,
            block,
            frame: Frame {
                low,
                high,
                level,
                right: page::right(page),
                flags: page::flags(page),
            },
            len,
        };
        if inner.separator(0) != low {
            return Err(Error::corrupted(
                block,
                "first separator is not the low fence",
            ));
        }
        Ok(inner)
    }

    /// Fences, level, right sibling, flags.
    pub fn frame(&self) -> &Frame<W> {
        &self.frame
    }

    /// Number of items, at least 1.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The items in order.
    pub fn items(&self) -> impl Iterator<Item = Item<W>> + '_ {
        (0..self.len).map(|i| (self.separator(i), self.child(i)))
    }

    /// The child that covers `entry`: the child of the last separator not above the entry.
    pub fn child_at(&self, entry: &Entry<W>) -> Result<Block> {
        self.last(self.count(|separator| separator <= entry))
    }

    /// The child with the entries just below `entry`: the child of the last separator below it.
    pub fn child_before(&self, entry: &Entry<W>) -> Result<Block> {
        self.last(self.count(|separator| separator < entry))
    }

    /// The child whose separator is exactly `separator`.
    pub fn child_of(&self, separator: &Entry<W>) -> Option<Block> {
        let at = self.count(|s| s < separator);
        (at < self.len && self.separator(at) == *separator).then(|| self.child(at))
    }

    /// Adds a downlink. None: the page has `limit` items, or as many as fit, already.
    pub fn insert(
        &self,
        separator: &Entry<W>,
        child: Block,
        limit: usize,
    ) -> Result<Option<Change>> {
        let at = self.insert_position(separator)?;
        if self.len >= limit.min(Self::CAPACITY) {
            return Ok(None);
        }
        let (from, end) = (Self::offset(at), Self::offset(self.len));
        let mut moved = Vec::with_capacity(end - from + Self::BYTES);
        push_entry(&mut moved, separator);
        moved.extend_from_slice(&child.to_le_bytes());
        moved.extend_from_slice(&[0; 4]);
        moved.extend_from_slice(self.page.get(from..end).unwrap_or_default());
        let mut patch = Patch::new();
        patch.put(pd::LOWER, &((end + Self::BYTES) as u16).to_le_bytes());
        patch.put(Self::ITEMS, &((self.len + 1) as u16).to_le_bytes());
        patch.put(from, &moved);
        Ok(Some(Change::from_patch(self.page, patch)))
    }

    /// Deletes the downlink to `child`. None: it is the page's first, and without it the page would
    /// not begin at its low fence.
    pub fn delete(&self, separator: &Entry<W>, child: Block) -> Result<Option<Change>> {
        if self.child_of(separator) != Some(child) {
            let fault = format!("no downlink to {child}");
            return Err(Error::corrupted(self.block, fault));
        }
        if *separator == self.frame.low {
            return Ok(None);
        }
        let kept: Vec<_> = self.items().filter(|item| item.0 != *separator).collect();
        let page = build(&self.frame, &kept);
        Ok(Some(Change::between(self.page, page)))
    }

    /// Replaces the downlink `old` by `new`, between the same neighbours: entries were shifted
    /// across the fence of the two children, and the right one now begins elsewhere.
    ///
    /// # Errors
    /// [`Error::Corrupted`] if the page does not have `old`, or if `old` is its first item (without
    /// it the page would not begin at its low fence), or if `new` is not between the neighbours.
    pub fn relink(&self, old: Item<W>, new: Item<W>) -> Result<Change> {
        let at = self.count(|separator| *separator < old.0);
        let next = match at + 1 < self.len {
            true => self.separator(at + 1),
            false => self.frame.high,
        };
        let last = at.checked_sub(1).map(|before| self.separator(before));
        let fits = last.is_some_and(|last| last < new.0) && new.0 < next && new.0 != old.0;
        if self.child_of(&old.0) != Some(old.1) || !fits {
            let fault = format!("no downlink to {}", old.1);
            return Err(Error::corrupted(self.block, fault));
        }
        let mut item = Vec::with_capacity(Self::BYTES);
        push_entry(&mut item, &new.0);
        item.extend_from_slice(&new.1.to_le_bytes());
        let mut patch = Patch::new();
        patch.put(Self::offset(at), &item);
        Ok(Change::from_patch(self.page, patch))
    }

    /// Whether a neighbour with one item could be joined with this page.
    pub fn is_sparse(&self, limit: usize) -> bool {
        leaves_room::<W>(self.len + 1, limit)
    }

    /// This page with the items, high fence and right link of its right neighbour. None: together
    /// they would take more than [`MAX_JOINED_PERCENT`] of a page of `limit` items.
    pub fn join(&self, right: &Inner<'_, W>, limit: usize) -> Option<Box<Page>> {
        if !leaves_room::<W>(self.len + right.len, limit) {
            return None;
        }
        let frame = Frame {
            high: right.frame.high,
            right: right.frame.right,
            ..self.frame
        };
        let items: Vec<_> = self.items().chain(right.items()).collect();
        Some(build(&frame, &items))
    }

    /// Two pages with the items and a new downlink. The left one is flagged as an incomplete split
    /// and linked to `right`, the block of the right one. An ascending insert leaves the left page
    /// nearly full, a descending insert the right page: [`INNER_SPLIT_PERCENT`].
    pub fn split(
        &self,
        separator: &Entry<W>,
        child: Block,
        right: Block,
    ) -> Result<(Box<Page>, Box<Page>)> {
        let at = self.insert_position(separator)?;
        let mut items: Vec<_> = self.items().collect();
        items.insert(at, (*separator, child));
        let cut = if at == self.len {
            items.len() * INNER_SPLIT_PERCENT / 100
        } else if at == 1 {
            items.len() * (100 - INNER_SPLIT_PERCENT) / 100
        } else {
            items.len() / 2
        };
        let cut = cut.clamp(1, items.len() - 1);
        let (left_items, right_items) = items.split_at(cut);
        let Some(&(middle, _)) = right_items.first() else {
            return Err(Error::corrupted(self.block, "nothing to split"));
        };
        let left = Frame {
            high: middle,
            right: Some(right),
            flags: self.frame.flags | page::INCOMPLETE_SPLIT,
            ..self.frame
        };
        let right = Frame {
            low: middle,
            flags: self.frame.flags & !page::INCOMPLETE_SPLIT,
            ..self.frame
        };
        Ok((build(&left, left_items), build(&right, right_items)))
    }

    /// The index of a new item. It is never the first, and its separator is not on the page yet.
    fn insert_position(&self, separator: &Entry<W>) -> Result<usize> {
        let at = self.count(|s| s < separator);
        let present = at < self.len && self.separator(at) == *separator;
        if at == 0 || present || *separator >= self.frame.high {
            return Err(Error::corrupted(
                self.block,
                "a new separator does not belong here",
            ));
        }
        Ok(at)
    }

    const fn offset(i: usize) -> usize {
        Self::FIRST + i * Self::BYTES
    }

    fn separator(&self, i: usize) -> Entry<W> {
        entry_at(self.page, Self::offset(i))
    }

    fn child(&self, i: usize) -> Block {
        u32_at(self.page, Self::offset(i) + Entry::<W>::BYTES)
    }

    /// The number of separators that satisfy `keep`. If one does, all before it must.
    fn count(&self, keep: impl Fn(&Entry<W>) -> bool) -> usize {
        let (mut from, mut to) = (0, self.len);
        while from < to {
            let middle = (from + to) / 2;
            if keep(&self.separator(middle)) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from
    }

    fn last(&self, count: usize) -> Result<Block> {
        match count.checked_sub(1) {
            Some(i) => Ok(self.child(i)),
            None => Err(Error::corrupted(self.block, "no child for a key")),
        }
    }
}

/// Whether a page with this number of items, of `limit`, will not be split soon.
fn leaves_room<const W: usize>(items: usize, limit: usize) -> bool {
    items * 100 <= limit.min(Inner::<W>::CAPACITY) * MAX_JOINED_PERCENT
}

/// An inner page of at most [`Inner::CAPACITY`] items.
pub fn build<const W: usize>(frame: &Frame<W>, items: &[Item<W>]) -> Box<Page> {
    let mut page = page::init(Kind::Inner, frame.level, W);
    put(&mut page, head::FLAGS, &frame.flags.to_le_bytes());
    put(
        &mut page,
        head::RIGHT,
        &frame.right.unwrap_or(NO_BLOCK).to_le_bytes(),
    );
    put_entry(&mut page, fences::LOW, &frame.low);
    put_entry(&mut page, fences::LOW + Entry::<W>::BYTES, &frame.high);
    put(
        &mut page,
        Inner::<W>::ITEMS,
        &(items.len() as u16).to_le_bytes(),
    );
    for (i, (separator, child)) in items.iter().enumerate() {
        let at = Inner::<W>::offset(i);
        put_entry(&mut page, at, separator);
        put(&mut page, at + Entry::<W>::BYTES, &child.to_le_bytes());
    }
    let lower = Inner::<W>::offset(items.len());
    put(&mut page, pd::LOWER, &(lower as u16).to_le_bytes());
    page
}

//! Merging the insert log ahead: while it has room for some more entries, so that the leaf need not be locked meanwhile.
//!
//! The log of a copy of the page is merged. What was added to the leaf's log since then stays in the log of the page that the merge gives;
//! after any other change the merge was in vain. The bytes have the say, whatever has become of the page in between.

use crate::error::Result;
use crate::key::Entry;
use crate::leaf::edit::contents::Contents;
use crate::leaf::format::Layout;
use crate::leaf::read::view::Leaf;
use crate::page::{PAGE_SIZE, Page, pd};

/// For so many entries the log has room when it is merged ahead.
pub(in crate::leaf) const SPARE: usize = 8;

impl<const W: usize> Leaf<'_, W> {
    /// Whether the log is to be merged ahead once it has taken one more entry. So it is in the last leaf and in the first, where all sessions
    /// meet that add rows in order, unless it is short: in a leaf that is nearly full, each merge would be of fewer entries than the one before, down to one.
    #[inline]
    pub fn is_soon_full(&self) -> bool {
        (self.high() == Entry::MAX || self.low() == Entry::MIN)
            && self.log >= Layout::<W>::SHORT.max(4 * SPARE)
            && self.free + self.log_growth() == SPARE + 1
    }

    /// The contents with the log merged into the runs; None where that leads to a split, which needs the lock.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read.
    pub fn merge_ahead(&self) -> Result<Option<Contents<W>>> {
        let mut contents = self.contents()?;
        let new = contents.log_and(None);
        let Some(last) = new.last() else {
            return Ok(None);
        };
        if self.is_worth_halving(&contents, last, &new) {
            return Ok(None);
        }
        contents.merge(&new);
        let splits = contents.is_tight() || contents.is_left_behind();
        Ok((!splits).then_some(contents))
    }

    /// The page that the leaf `now` becomes by `merged`, which [`Self::merge_ahead`] gave for this copy of it, if nothing but entries in its log
    /// has been added to it since, and these fit in.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`], which a page never gives that was sound when the copy was made.
    pub fn put_ahead(&self, now: &Page, mut merged: Contents<W>) -> Result<Option<Box<Page>>> {
        let same = |from: usize, to: usize| self.page.get(from..to) == now.get(from..to);
        // The server's fields before the flags change with every record, and `upper` as the log grows.
        let log_only = same(pd::FLAGS, pd::UPPER)
            && same(pd::UPPER + 2, self.lower)
            && same(self.log_at(0), PAGE_SIZE);
        if !log_only {
            return Ok(None);
        }
        let now = Leaf::<W>::open(now, self.block)?;
        let added = now.log.saturating_sub(self.log);
        merged.log = (0..added).map(|i| now.logged(i)).collect();
        Ok(merged.to_page())
    }
}

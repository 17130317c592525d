//! Early merges: the insert log is merged while it has room for some more entries, so that the leaf
//! need not be locked meanwhile.
//!
//! The log of a copy of the page is merged. Entries that were added to the log of the leaf since
//! then stay in the log of the merged page. After any other change of the leaf the merge is lost.
//! Only bytes are compared, so it does not matter what else has become of the page in between.

use crate::error::Result;
use crate::key::Entry;
use crate::leaf::edit::contents::Contents;
use crate::leaf::format::Layout;
use crate::leaf::read::view::Leaf;
use crate::page::{PAGE_SIZE, Page, pd};
use crate::policy::leaf::{EARLY_MERGE_FACTOR, EARLY_MERGE_ROOM};

impl<const W: usize> Leaf<'_, W> {
    /// Whether the log is merged early once it has taken one more entry. That is done in the last
    /// leaf and in the first one, where all sessions meet that add rows in order, unless the log is
    /// short: in a leaf that is nearly full, each merge would be of fewer entries than the one
    /// before, down to one.
    #[inline]
    pub fn is_due_for_early_merge(&self) -> bool {
        (self.high() == Entry::MAX || self.low() == Entry::MIN)
            && self.log >= Layout::<W>::SHORT_LOG.max(EARLY_MERGE_FACTOR * EARLY_MERGE_ROOM)
            && self.free + self.log_growth() == EARLY_MERGE_ROOM + 1
    }

    /// The contents with the log merged into the runs. None where the leaf must be split, which is
    /// done under its lock.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read.
    pub fn merge_early(&self) -> Result<Option<Contents<W>>> {
        let mut contents = self.contents()?;
        let new = contents.log_and(None);
        let Some(last) = new.last() else {
            return Ok(None);
        };
        if self.is_better_bisected(&contents, last, &new) {
            return Ok(None);
        }
        contents.merge(&new);
        let splits = contents.is_tight() || contents.is_due_for_early_split();
        Ok((!splits).then_some(contents))
    }

    /// The page that the leaf, which is now `now`, becomes by an early merge. `self` is the copy of
    /// the leaf from which [`Self::merge_early`] made `merged`. None where anything has changed
    /// since but that entries were added to the log, or where these do not fit.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where `now` is not a leaf. That cannot be if the copy was sound.
    pub fn apply_early_merge(
        &self,
        now: &Page,
        mut merged: Contents<W>,
    ) -> Result<Option<Box<Page>>> {
        let same = |from: usize, to: usize| self.page.get(from..to) == now.get(from..to);
        // The server's fields before the flags change with every record, and `upper` where the log
        // grows.
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

//! An insert of an entry into a leaf, and how the leaf takes it.

use crate::error::Result;
use crate::key::Entry;
use crate::leaf::edit::contents::Contents;
use crate::leaf::format::Layout;
use crate::leaf::read::view::Leaf;
use crate::page::{CHURNED, Page};
use crate::policy::leaf::{MAX_REENCODED_SHARE_OF_SHORT_LOG, MAX_REENCODED_SLOTS};
use crate::store::Patch;

/// How a leaf takes a new entry; the cheapest way first.
#[derive(Debug)]
pub enum Added<const W: usize> {
    /// In place, at the end of the last run. Patch and number of entries.
    Appended(Patch, usize),
    /// Into the insert log. Patch and number of entries.
    Logged(Patch, usize),
    /// By a merge of the log into the runs. The new page.
    Merged(Box<Page>),
    /// By a split. The contents of two pages, the entry on one of them.
    Split(Box<[Contents<W>; 2]>),
    /// Not yet. The contents of two pages, the halves of the leaf, without the entry: a merge of
    /// the log would encode too much, or give more than two pages, and the log of the half for the
    /// entry is still full.
    Bisected(Box<[Contents<W>; 2]>),
}

impl<const W: usize> Leaf<'_, W> {
    /// Adds an entry, and those of `more` that go with it in the same patch. The entries of `more`
    /// follow `e` in order. The leaf covers all of them and has none of them. A split at an end of
    /// the leaf fills the other part to `fill` percent of a page.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read, or where the page is full but has
    /// fewer than two slots.
    pub fn add(&self, e: &Entry<W>, more: &[Entry<W>], fill: u8) -> Result<Added<W>> {
        if let Some((patch, taken)) = self.try_append(e, more)? {
            return Ok(Added::Appended(patch, taken));
        }
        if let Some((patch, taken)) = self.try_log(e, more) {
            return Ok(Added::Logged(patch, taken));
        }
        self.add_to_full(e, fill)
    }

    /// Adds an entry to a leaf whose log has no room left. This is much code, apart from what most
    /// inserts run through.
    #[cold]
    #[inline(never)]
    fn add_to_full(&self, e: &Entry<W>, fill: u8) -> Result<Added<W>> {
        let mut contents = self.contents()?;
        let new = contents.log_and(Some(*e));
        if self.is_better_bisected(&contents, e, &new)
            && let Some((left, right)) = contents.clone().bisect()
        {
            return Ok(bisected(left, right, e));
        }
        contents.merge(&new);
        let mut page = contents.to_page();
        if (page.is_none() || contents.is_tight()) && self.tombstones > 0 {
            contents.drop_tombstones();
            page = contents.to_page();
        }
        let split = page.is_none() || contents.is_tight() || contents.is_due_for_early_split();
        if split && let Some((left, right)) = contents.split(e, fill) {
            return Ok(Added::Split(Box::new([left, right])));
        }
        if let Some(page) = page {
            return Ok(Added::Merged(page));
        }
        match self.contents()?.bisect() {
            Some((left, right)) => Ok(bisected(left, right, e)),
            None => Err(self.fault("full with fewer than two slots")),
        }
    }

    /// Whether the leaf is better bisected, which costs little, than merged with its log. So it is
    /// where a merge would encode very many entries again, or where it would be of little use,
    /// since the page is full although the log is short. `new` are the entries of the log, with
    /// `e`, the last one.
    pub(in crate::leaf) fn is_better_bisected(
        &self,
        contents: &Contents<W>,
        e: &Entry<W>,
        new: &[Entry<W>],
    ) -> bool {
        // Where entries die, a leaf is split only when it is full: deletions may make a part of it
        // superfluous again.
        let is_dying = self.tombstones > 0 || self.flags() & CHURNED != 0;
        let is_short = self.log < Layout::<W>::SHORT_LOG && !is_dying && e.tie != 0;
        if !is_short && self.slots <= MAX_REENCODED_SLOTS {
            return false;
        }
        // Entries at the ends of groups of keys encode little, and more will follow there: such
        // leaves are left full.
        let most = if is_short {
            MAX_REENCODED_SHARE_OF_SHORT_LOG.times(self.slots)
        } else {
            MAX_REENCODED_SLOTS
        };
        contents.would_encode_more(new, most.min(MAX_REENCODED_SLOTS))
    }
}

/// The halves of a leaf, with the entry in the log of one of them, if that has room.
fn bisected<const W: usize>(
    mut left: Contents<W>,
    mut right: Contents<W>,
    e: &Entry<W>,
) -> Added<W> {
    let half = if *e < right.low {
        &mut left
    } else {
        &mut right
    };
    let done = half.try_log(*e);
    let halves = Box::new([left, right]);
    if done {
        Added::Split(halves)
    } else {
        Added::Bisected(halves)
    }
}

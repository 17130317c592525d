//! What adding an entry to a leaf comes to.

use crate::error::Result;
use crate::key::Entry;
use crate::leaf::edit::contents::Contents;
use crate::leaf::format::Layout;
use crate::leaf::read::view::Leaf;
use crate::page::{CHURNED, Page};
use crate::store::Patch;

/// A merge of the log encodes no more slots afresh where the page can be cut in two first.
const MOST_ENCODED: usize = 1536;

/// How a leaf takes a new entry, cheapest first.
#[derive(Debug)]
pub enum Added<const W: usize> {
    /// In place, at the end of the packed region, with so many entries.
    Appended(Patch, usize),
    /// Into the insert log, with so many entries.
    Logged(Patch, usize),
    /// The page with its log merged into the runs.
    Merged(Box<Page>),
    /// Two pages, the entry on one of them.
    Split(Box<[Contents<W>; 2]>),
    /// Two halves of the page as it is, without the entry: a merge of its log would be too costly, or give more than two pages, and the log of
    /// the half that is to take the entry is still full.
    Halved(Box<[Contents<W>; 2]>),
}

impl<const W: usize> Leaf<'_, W> {
    /// Adds an entry, and those of `more`, which follow it in order, that go with it in the same patch. The leaf covers
    /// them and has none of them. Splits leave the fuller page `fill` percent full.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read, or where the page claims to be full of nothing.
    pub fn add(&self, e: &Entry<W>, more: &[Entry<W>], fill: u8) -> Result<Added<W>> {
        if let Some((patch, taken)) = self.try_append(e, more)? {
            return Ok(Added::Appended(patch, taken));
        }
        if let Some((patch, taken)) = self.try_log(e, more) {
            return Ok(Added::Logged(patch, taken));
        }
        self.add_to_full(e, fill)
    }

    /// Adds an entry that is for the log, which has no room left. It is much code, apart from what most inserts run through.
    #[cold]
    #[inline(never)]
    fn add_to_full(&self, e: &Entry<W>, fill: u8) -> Result<Added<W>> {
        let mut contents = self.contents()?;
        let new = contents.log_and(Some(*e));
        if self.is_worth_halving(&contents, e, &new)
            && let Some((left, right)) = contents.clone().halve()
        {
            return Ok(halved(left, right, e));
        }
        contents.merge(&new);
        let mut page = contents.to_page();
        if (page.is_none() || contents.is_tight()) && self.dead > 0 {
            contents.remove(&[], std::iter::empty());
            page = contents.to_page();
        }
        let split = page.is_none() || contents.is_tight() || contents.is_left_behind();
        if split && let Some((left, right)) = contents.split(e, fill) {
            return Ok(Added::Split(Box::new([left, right])));
        }
        if let Some(page) = page {
            return Ok(Added::Merged(page));
        }
        match self.contents()?.halve() {
            Some((left, right)) => Ok(halved(left, right, e)),
            None => Err(self.fault("full with fewer than two slots")),
        }
    }

    /// Whether the page, whose log is to be merged (`new` are its entries, with `e`, which comes or came last), is better cut in two as it is, which costs little, than merged with its log: where that would
    /// encode very many entries afresh, or be of little use since the page is full but for a short log.
    pub(in crate::leaf) fn is_worth_halving(
        &self,
        contents: &Contents<W>,
        e: &Entry<W>,
        new: &[Entry<W>],
    ) -> bool {
        // Where entries die, leaves shall be full before they are split: what is split may become superfluous again.
        let dying = self.dead > 0 || self.flags() & CHURNED != 0;
        let few = self.log < Layout::<W>::SHORT && !dying && e.tie != 0;
        if !few && self.slots <= MOST_ENCODED {
            return false;
        }
        // What comes at the ends of groups goes on there, and they are left full.
        let most = if few { self.slots / 2 } else { MOST_ENCODED };
        contents.touches_more(new, most.min(MOST_ENCODED))
    }
}

/// The halves of a page, the entry in the log of one of them, if that has room.
fn halved<const W: usize>(mut left: Contents<W>, mut right: Contents<W>, e: &Entry<W>) -> Added<W> {
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
        Added::Halved(halves)
    }
}

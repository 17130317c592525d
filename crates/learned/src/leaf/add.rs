//! What adding an entry to a leaf comes to.

use super::contents::Contents;
use super::view::Leaf;
use crate::error::Result;
use crate::key::Entry;
use crate::page::Page;
use crate::store::Patch;

/// How a leaf takes a new entry, cheapest first.
#[derive(Debug)]
pub enum Added<const W: usize> {
    /// In place, at the end of the packed region, with so many entries.
    Appended(Patch, usize),
    /// Into the insert log, with so many entries.
    Logged(Patch, usize),
    /// The page with its log merged into the runs.
    Merged(Box<Page>),
    /// Likewise as two pages.
    Split(Box<[Contents<W>; 2]>),
    /// Two halves of the page, without the entry yet: what a merge of its log would give fills more than two pages.
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
        let mut contents = self.contents()?;
        contents.insert(*e);
        let mut page = contents.to_page();
        if (page.is_none() || contents.is_tight()) && self.dead > 0 {
            contents.remove(&[]);
            page = contents.to_page();
        }
        let split = page.is_none() || contents.is_tight();
        if split && let Some((left, right)) = contents.split(e, fill) {
            return Ok(Added::Split(Box::new([left, right])));
        }
        if let Some(page) = page {
            return Ok(Added::Merged(page));
        }
        match self.contents()?.halve() {
            Some((left, right)) => Ok(Added::Halved(Box::new([left, right]))),
            None => Err(self.fault("full with fewer than two slots")),
        }
    }
}

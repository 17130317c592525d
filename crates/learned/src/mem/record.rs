//! Records of the in-memory store: the checks of a change, and redo.

use std::sync::Arc;

use super::State;
use crate::page::{Block, PAGE_SIZE, Page, SPECIAL, hole, is_new, pd, u16_at};
use crate::store::{Change, Patch, zero_hole};

/// One atomic change of up to [`crate::store::MAX_CHANGES`] pages.
#[derive(Clone)]
pub struct Record(pub(super) Vec<(Block, Logged)>);

#[derive(Clone)]
pub(super) enum Logged {
    Image(Arc<Page>),
    Patch(Patch),
}

impl Record {
    /// The blocks that the record changes, in the order of its changes.
    pub fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        self.0.iter().map(|(block, _)| *block)
    }

    /// Applies the record as redo does. Missing blocks are added as pages of zeros.
    pub fn redo(&self, pages: &mut Vec<Arc<Page>>) {
        for (block, logged) in &self.0 {
            let block = *block as usize;
            if pages.len() <= block {
                pages.resize(block + 1, Arc::new([0; PAGE_SIZE]));
            }
            if let Some(page) = pages.get_mut(block) {
                match logged {
                    Logged::Image(image) => *page = image.clone(),
                    Logged::Patch(patch) => {
                        let page = Arc::make_mut(page);
                        patch.apply(page);
                        zero_hole(page);
                    }
                }
            }
        }
    }
}

impl State {
    /// Checks one change of a record and returns the changed page. The error is the breach.
    pub(super) fn stage(&self, block: Block, change: &Change) -> Result<Box<Page>, String> {
        let old = self.pages.get(block as usize).ok_or("no such block")?;
        let mut new = Box::new(**old);
        match change {
            Change::Image(image) => new.copy_from_slice(image.as_slice()),
            Change::Patch(patch) => {
                if is_new(old) {
                    return Err("a patch to a page never written".into());
                }
                if patch.spans().any(|(at, bytes)| {
                    at < pd::LOWER || bytes.is_empty() || at + bytes.len() > PAGE_SIZE
                }) {
                    return Err("a range beyond the page or in the log position".into());
                }
                patch.apply(&mut new);
            }
        }
        let (lower, upper) = hole(&new, block).map_err(|error| error.to_string())?;
        if u16_at(&new, pd::SPECIAL) as usize != SPECIAL {
            return Err("the special area moved".into());
        }
        if new
            .get(lower..upper)
            .is_some_and(|hole| hole.iter().any(|byte| *byte != 0))
        {
            match change {
                Change::Image(_) => return Err("an image with bytes in its hole".into()),
                Change::Patch(patch) => {
                    let inside =
                        |(at, bytes): (usize, &[u8])| at < upper && at + bytes.len() > lower;
                    if patch.spans().any(inside) {
                        return Err("a patch that writes into the hole".into());
                    }
                }
            }
            zero_hole(&mut new);
        }
        Ok(new)
    }
}

//! The pages of a model: a list of pages, linked to the right, that the meta page leads to.
//!
//! Behind the header that all pages have ([`crate::page`]):
//!
//! ```text
//!      +---------------------------------------------------------------+
//!   40 | generation of the model                                       |
//!      +-------------------------------+-------------------------------+
//!   48 | pages that follow this one    | bytes of the payload          |
//!      +-------------------------------+-------------------------------+
//!   56 | payload: bytes of the model                                   |
//!      +---------------------------------------------------------------+  <- lower
//! ```
//!
//! The payloads, in the order of the pages, are the model's bytes ([`crate::model::layout`]): of a
//! divided model the root on as many pages as it takes, then each part on a page of its own.
//! Generation and the number of pages that follow show whether a page still is the one that a link
//! promised.

use super::Tree;
use crate::error::Result;
use crate::meta::ModelLocation;
use crate::model::loaded::PART_BYTES;
use crate::model::{Loaded, Model, Training};
use crate::page::{
    self, Block, Kind, META, NO_BLOCK, Page, SPECIAL, head, pd, put, u32_at, u64_at,
};
use crate::policy::model::MAX_UNDIVIDED_BYTES;
use crate::store::{Change, Guard, Store};

pub(super) mod at {
    use crate::page::head::END;
    pub const GENERATION: usize = END;
    pub const FOLLOWING: usize = END + 8;
    pub const BYTES: usize = END + 12;
    pub const PAYLOAD: usize = END + 16;
}

/// Bytes of a model that one page takes, at most.
pub(super) const PAYLOAD: usize = SPECIAL - at::PAYLOAD;
const _: () = assert!(PART_BYTES <= PAYLOAD);

/// Writes a page of a model and returns its block. None: there is no room for it.
type WritePage<'a> = dyn FnMut(Box<Page>) -> Result<Option<Block>> + 'a;

/// Allocates a page for a model. None: there is no room for it.
pub(super) type Allocate<'a, S> = dyn Fn() -> Result<Option<<S as Store>::Write>> + 'a;

/// Writes the list from its last page to its first.
struct ListWriter<'p> {
    words: usize,
    place: ModelLocation,
    write_page: &'p mut WritePage<'p>,
}

impl ListWriter<'_> {
    /// Writes a page in front of the others. False: there was no room.
    fn prepend(&mut self, payload: &[u8]) -> Result<bool> {
        let next = Some(self.place.first).filter(|_| self.place.pages > 0);
        let (generation, following) = (self.place.generation, self.place.pages);
        let page = model_page(self.words, generation, following, payload, next);
        let Some(block) = (self.write_page)(page)? else {
            return Ok(false);
        };
        self.place.first = block;
        self.place.pages += 1;
        self.place.bytes += payload.len() as u64;
        Ok(true)
    }
}

/// Trains a model and writes its pages, the last one first, since each has the block of the next
/// one. None: there was no room for one of them. `blocks` of the result is still 0.
pub(super) fn write_list<'p, const W: usize>(
    training: &Training<W>,
    generation: u64,
    now_micros: i64,
    write_page: &'p mut WritePage<'p>,
) -> Result<Option<ModelLocation>> {
    let mut list = ListWriter {
        words: W,
        place: ModelLocation {
            generation,
            ..ModelLocation::NONE
        },
        write_page,
    };
    let mut root = training.finish(generation, now_micros);
    if root.len() > MAX_UNDIVIDED_BYTES {
        let mut blocks = Vec::new();
        for part in training.parts(generation, now_micros).iter().rev() {
            // No part is longer. If one were, an empty page would make its searches descend.
            let part = Some(part.as_slice()).filter(|part| part.len() <= PART_BYTES);
            if !list.prepend(part.unwrap_or_default())? {
                return Ok(None);
            }
            blocks.push(list.place.first);
        }
        blocks.reverse();
        root = training.root(&blocks, generation, now_micros);
    }
    for part in root.chunks(PAYLOAD).rev() {
        if !list.prepend(part)? {
            return Ok(None);
        }
    }
    Ok(Some(list.place))
}

/// One page of a model; `next` is the page after it.
fn model_page(
    words: usize,
    generation: u64,
    following: u32,
    payload: &[u8],
    next: Option<Block>,
) -> Box<Page> {
    let mut page = page::init(Kind::Model, 0, words);
    put(
        &mut page,
        head::RIGHT,
        &next.unwrap_or(NO_BLOCK).to_le_bytes(),
    );
    put(&mut page, at::GENERATION, &generation.to_le_bytes());
    put(&mut page, at::FOLLOWING, &following.to_le_bytes());
    put(&mut page, at::BYTES, &(payload.len() as u32).to_le_bytes());
    put(&mut page, at::PAYLOAD, payload);
    let lower = at::PAYLOAD + payload.len();
    put(&mut page, pd::LOWER, &(lower as u16).to_le_bytes());
    page
}

/// The payload of a page, if it is the page of this generation that `following` others follow.
pub(super) fn payload(page: &Page, generation: u64, following: u32) -> Option<&[u8]> {
    let same = page::kind(page) == Some(Kind::Model)
        && u64_at(page, at::GENERATION) == generation
        && u32_at(page, at::FOLLOWING) == following;
    let bytes = u32_at(page, at::BYTES) as usize;
    let end = at::PAYLOAD.checked_add(bytes)?;
    (same && end <= SPECIAL).then(|| page.get(at::PAYLOAD..end))?
}

/// Visits the payloads of the model at `place` until `visit` returns false. Returns the blocks of
/// the pages visited. None: there is no model, or its pages are not what `place` says (any more).
fn walk<S: Store>(
    store: &S,
    place: &ModelLocation,
    visit: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<Option<Vec<Block>>> {
    let end = store.blocks()?;
    if place.pages == 0 || place.pages >= end {
        return Ok(None);
    }
    let (mut bytes, mut blocks) = (0, Vec::new());
    let mut next = Some(place.first);
    for following in (0..place.pages).rev() {
        let Some(block) = next.filter(|&b| b != META && b < end) else {
            return Ok(None);
        };
        let page = store.read(block)?;
        let Some(part) = payload(&page, place.generation, following) else {
            return Ok(None);
        };
        bytes += part.len() as u64;
        blocks.push(block);
        next = page::right(&page);
        if !visit(part) {
            return Ok(Some(blocks));
        }
    }
    Ok((next.is_none() && bytes == place.bytes).then_some(blocks))
}

/// The blocks of the model at `place`. None: its pages are not what `place` says (any more).
pub fn blocks<S: Store>(store: &S, place: &ModelLocation) -> Result<Option<Vec<Block>>> {
    walk(store, place, &mut |_| true)
}

/// The bytes of the model at `place` for [`Loaded::open`]. The parts of a divided model are left
/// out if the model takes more than `budget` bytes with them.
fn load<S: Store>(store: &S, place: &ModelLocation, budget: usize) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    // Offset of the next part, after the root has been read.
    let mut part_at = None;
    let blocks = walk(store, place, &mut |payload| {
        if let Some(at) = &mut part_at {
            bytes.extend_from_slice(payload);
            *at += PART_BYTES;
            bytes.resize(*at, 0);
            return true;
        }
        bytes.extend_from_slice(payload);
        let Some(root) = Model::open(&bytes) else {
            return true;
        };
        part_at = Some(bytes.len());
        let parts = match root.part_leaves() {
            0 => 0,
            _ => root.positions() as usize,
        };
        bytes.len().saturating_add(parts.saturating_mul(PART_BYTES)) <= budget
    })?;
    Ok(blocks.map(|_| bytes))
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// The model's bytes for [`Tree::with_model`], with all parts. None: there is no sound model.
    pub fn load_model(&self) -> Result<Option<Vec<u8>>> {
        self.load_model_at(&self.meta()?.model, usize::MAX)
    }

    /// As [`Tree::load_model`], from the place that the meta page has named. The parts of a divided
    /// model are left out if the model takes more than `budget` bytes with them; searches then read
    /// the parts from their pages.
    pub fn load_model_at(&self, place: &ModelLocation, budget: usize) -> Result<Option<Vec<u8>>> {
        let Some(bytes) = load(self.store, place, budget)? else {
            return Ok(None);
        };
        let end = self.store.blocks()?;
        let exists = |block: Block| block != META && block < end;
        let sound = Loaded::open(&bytes).is_some_and(|model| {
            let root = model.root();
            (0..root.positions()).all(|i| root.block(i).is_some_and(exists))
                && root.leaves() <= end
                && (root.part_leaves() == 0 || root.block_bound() <= end)
        });
        Ok(sound.then_some(bytes))
    }

    /// Writes the pages of a new model. None: there was no room for one of them, and those that
    /// were written are free again.
    pub(super) fn write_model(
        &self,
        training: &Training<W>,
        generation: u64,
        now_micros: i64,
        allocate: &Allocate<'_, S>,
    ) -> Result<Option<ModelLocation>> {
        let mut written = Vec::new();
        let place = write_list(training, generation, now_micros, &mut |image| {
            self.store.interrupt();
            let Some(mut fresh) = allocate()? else {
                return Ok(None);
            };
            self.store
                .commit(&mut [(&mut fresh, Change::Image(image))])?;
            written.push(fresh.block());
            let block = fresh.block();
            drop(fresh);
            self.store.reached("retrain: page of the model written");
            Ok(Some(block))
        })?;
        if place.is_none() {
            self.free_model_pages(&written, generation)?;
        }
        Ok(place)
    }

    /// Frees the pages of a model that is not in use (any more).
    pub(super) fn free_model_pages(&self, blocks: &[Block], generation: u64) -> Result<()> {
        for &block in blocks {
            self.store.interrupt();
            self.free_model_page(block, |page| u64_at(page, at::GENERATION) == generation)?;
        }
        Ok(())
    }

    /// Frees a page if it still is a model page and `unwanted` says that it is not in use.
    pub(super) fn free_model_page(
        &self,
        block: Block,
        unwanted: impl Fn(&Page) -> bool,
    ) -> Result<bool> {
        let mut page = self.store.write(block)?;
        if page::kind(&page) != Some(Kind::Model) || !unwanted(&page) {
            return Ok(false);
        }
        let image = page::free(W, 0);
        self.store
            .commit(&mut [(&mut page, Change::Image(image))])?;
        drop(page);
        self.store.freed(block);
        Ok(true)
    }
}

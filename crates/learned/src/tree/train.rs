//! The model's life: trained from level 1, kept in a chain of pages, switched in the meta page.

use std::collections::HashSet;

use super::Tree;
use super::descend::Target;
use crate::error::Result;
use crate::inner::Inner;
use crate::key::Entry;
use crate::meta::{Meta, ModelAt};
use crate::model::{Model, Training};
use crate::page::{
    self, Block, Kind, META, NO_BLOCK, Page, SPECIAL, head, pd, put, u32_at, u64_at,
};
use crate::store::{Change, Guard, Store};

mod at {
    use crate::page::head::END;
    pub const GENERATION: usize = END;
    pub const SEQUENCE: usize = END + 8;
    pub const BYTES: usize = END + 12;
    pub const PAYLOAD: usize = END + 16;
}

/// Bytes of a model that one page takes.
pub(super) const PAYLOAD: usize = SPECIAL - at::PAYLOAD;

/// What a [`Tree::sweep`] found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Pages stamped free before.
    pub free: u64,
    /// Pages never written.
    pub new: u64,
    /// Model pages no longer in use, now stamped free.
    pub stale: u64,
}

/// One page of a model; `next` is the page after it.
pub(super) fn model_page(
    words: usize,
    generation: u64,
    sequence: u32,
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
    put(&mut page, at::SEQUENCE, &sequence.to_le_bytes());
    put(&mut page, at::BYTES, &(payload.len() as u32).to_le_bytes());
    put(&mut page, at::PAYLOAD, payload);
    let lower = at::PAYLOAD + payload.len();
    put(&mut page, pd::LOWER, &(lower as u16).to_le_bytes());
    page
}

/// The payload of a page, if it is the one with this generation and sequence.
fn payload(page: &Page, generation: u64, sequence: u32) -> Option<&[u8]> {
    let same = page::kind(page) == Some(Kind::Model)
        && u64_at(page, at::GENERATION) == generation
        && u32_at(page, at::SEQUENCE) == sequence;
    let bytes = u32_at(page, at::BYTES) as usize;
    let end = at::PAYLOAD.checked_add(bytes)?;
    (same && end <= SPECIAL).then(|| page.get(at::PAYLOAD..end))?
}

/// The bytes and blocks of the model at `place`. None: there is none, or its pages are not (or no
/// longer) what the meta page says.
pub fn load_pages<S: Store>(store: &S, place: &ModelAt) -> Result<Option<(Vec<u8>, Vec<Block>)>> {
    let end = store.blocks()?;
    if place.pages == 0 || place.pages >= end {
        return Ok(None);
    }
    let (mut bytes, mut blocks) = (Vec::new(), Vec::new());
    let mut next = Some(place.first);
    for sequence in 0..place.pages {
        let Some(block) = next.filter(|&b| b != META && b < end) else {
            return Ok(None);
        };
        let page = store.read(block)?;
        let Some(part) = payload(&page, place.generation, sequence) else {
            return Ok(None);
        };
        bytes.extend_from_slice(part);
        blocks.push(block);
        next = page::right(&page);
    }
    Ok((next.is_none() && bytes.len() as u64 == place.bytes).then_some((bytes, blocks)))
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// The model's bytes for [`Tree::with_model`]; None without a (sound) model. All blocks that
    /// the model names exist.
    pub fn load_model(&self) -> Result<Option<Vec<u8>>> {
        let Some((bytes, _)) = load_pages(self.store, &self.meta()?.model)? else {
            return Ok(None);
        };
        let end = self.store.blocks()?;
        let sound = Model::open(&bytes).is_some_and(|model| {
            (0..model.leaves()).all(|i| model.block(i).is_some_and(|b| b != META && b < end))
        });
        Ok(sound.then_some(bytes))
    }

    /// Visits low fence and block of every leaf that has a downlink, in order.
    pub(super) fn downlinks(&self, visit: &mut dyn FnMut(&Entry<W>, Block)) -> Result<()> {
        let (mut low, mut hint) = (Entry::MIN, None);
        loop {
            let page = match hint {
                Some(block) => self.store.read(block)?,
                None => match self.seek(&Target::at(&low), 1)? {
                    Some(page) => page,
                    None => {
                        visit(&Entry::MIN, self.meta()?.root);
                        return Ok(());
                    }
                },
            };
            let block = page.block();
            let begins = crate::fences::of::<W>(&page, block, 1)?.map(|f| f.0);
            if hint.is_some() && begins != Some(low) {
                hint = None;
                continue;
            }
            let view = Inner::<W>::open(&page, block)?;
            for (separator, child) in view.items().filter(|item| item.0 >= low) {
                visit(&separator, child);
            }
            (low, hint) = (view.frame().high, view.frame().right);
            drop(page);
            self.store.interrupt();
            if low == Entry::MAX {
                return Ok(());
            }
        }
    }

    /// Trains a model on the leaves as they are and puts it in the place of the one before. One
    /// backend at a time: the caller holds a lock for it (which readers do not take).
    pub fn retrain(&self, now_micros: i64) -> Result<()> {
        let old = self.meta()?.model;
        let generation = old.generation.wrapping_add(1);
        let mut training = Training::<W>::new();
        self.downlinks(&mut |low, block| training.push(low, block))?;
        let bytes = training.finish(generation, now_micros);
        let (first, pages) = self.write_model(&bytes, generation)?;
        self.store.reached("retrain: model written");
        let new = ModelAt {
            generation,
            first: first.unwrap_or(NO_BLOCK),
            pages,
            bytes: bytes.len() as u64,
        };
        let mut meta = self.store.write(META)?;
        let now = Meta::open::<W>(&meta)?.model;
        let unwanted = if now == old { &old } else { &new };
        if now == old {
            let change = Change::Patch(Meta::with_model(&new));
            self.store.commit(&mut [(&mut meta, change)])?;
        }
        drop(meta);
        self.store.reached("retrain: switched");
        if let Some((_, blocks)) = load_pages(self.store, unwanted)? {
            for block in blocks {
                self.store.interrupt();
                self.free_model_page(block, |page| {
                    u64_at(page, at::GENERATION) == unwanted.generation
                })?;
            }
        }
        Ok(())
    }

    /// Reports every reusable page to `free`, after stamping model pages that no longer belong to
    /// the model. The caller holds the lock that retraining takes.
    pub fn sweep(&self, free: &mut dyn FnMut(Block)) -> Result<Swept> {
        let place = self.meta()?.model;
        // A damaged model is no use to anybody: its pages may go as well.
        let used = load_pages(self.store, &place)?.map(|loaded| loaded.1);
        let used: HashSet<Block> = used.unwrap_or_default().into_iter().collect();
        let mut swept = Swept::default();
        for block in META + 1..self.store.blocks()? {
            self.store.interrupt();
            let page = self.store.read(block)?;
            let (kind, new) = (page::kind(&page), page::is_new(&page));
            drop(page);
            match kind {
                _ if new => swept.new += 1,
                Some(Kind::Free) => swept.free += 1,
                Some(Kind::Model) if !used.contains(&block) => {
                    if !self.free_model_page(block, |_| true)? {
                        continue;
                    }
                    swept.stale += 1;
                }
                _ => continue,
            }
            free(block);
        }
        Ok(swept)
    }

    /// Writes the pages last to first, so that each knows the next one's block.
    pub(super) fn write_model(
        &self,
        bytes: &[u8],
        generation: u64,
    ) -> Result<(Option<Block>, u32)> {
        let parts: Vec<_> = bytes.chunks(PAYLOAD).collect();
        let mut next = None;
        for (sequence, part) in parts.iter().enumerate().rev() {
            self.store.interrupt();
            let mut fresh = self.store.allocate()?;
            let image = model_page(W, generation, sequence as u32, part, next);
            self.store
                .commit(&mut [(&mut fresh, Change::Image(image))])?;
            next = Some(fresh.block());
        }
        Ok((next, parts.len() as u32))
    }

    /// Stamps a model page free if it still is one that `unwanted` says may go.
    fn free_model_page(&self, block: Block, unwanted: impl Fn(&Page) -> bool) -> Result<bool> {
        let mut page = self.store.write(block)?;
        if page::kind(&page) != Some(Kind::Model) || !unwanted(&page) {
            return Ok(false);
        }
        let image = page::init(Kind::Free, 0, W);
        self.store
            .commit(&mut [(&mut page, Change::Image(image))])?;
        drop(page);
        self.store.freed(block);
        Ok(true)
    }
}

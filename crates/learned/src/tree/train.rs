//! The model's life: trained from level 1, kept in a chain of pages, switched in the meta page.

use std::collections::HashSet;

use super::Tree;
use super::descend::Target;
use crate::error::Result;
use crate::inner::Inner;
use crate::key::Entry;
use crate::leaf::Leaf;
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

/// Where a model's pages come from; None: there is no room for one.
type Allocate<'a, S> = dyn Fn() -> Result<Option<<S as Store>::Write>> + 'a;

/// A model is out of date for writers when the index has grown by one in so many pages: then all trainings
/// together look at each leaf about 64 times, and write some 800 bytes of models for it.
const GROWTH: u32 = 64;
/// But not before it has grown by so many.
const LEAST_GROWTH: u32 = 8;

/// Whether an index has grown so much that the writer who notices trains a new model: after `splits` splits of
/// its own, or when all writers have brought it from as many blocks as `model` saw to `blocks`.
pub fn has_grown(model: &ModelAt, splits: u32, blocks: Block) -> bool {
    let enough = (model.blocks / GROWTH).max(LEAST_GROWTH);
    splits >= enough || blocks.saturating_sub(model.blocks) >= enough
}

/// Bytes of a model that one page takes.
pub(super) const PAYLOAD: usize = SPECIAL - at::PAYLOAD;

/// What a [`Tree::sweep`] found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Pages stamped free before.
    pub free: u64,
    /// Others that may not be used again yet.
    pub waiting: u64,
    /// Pages never written.
    pub new: u64,
    /// Model pages no longer in use, now stamped free.
    pub stale: u64,
    /// Leaves. Where leaves are split meanwhile, they and their entries may count twice.
    pub leaves: u64,
    /// Entries.
    pub entries: u64,
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
        self.load_model_at(&self.meta()?.model)
    }

    /// Like [`Tree::load_model`], where the meta page said that the model is.
    pub fn load_model_at(&self, place: &ModelAt) -> Result<Option<Vec<u8>>> {
        let Some((bytes, _)) = load_pages(self.store, place)? else {
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
                    // The root is a leaf now; what was above it has been visited in part or not at all.
                    None => {
                        if low == Entry::MIN {
                            visit(&low, self.meta()?.root);
                        }
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
    /// backend at a time: the caller holds a lock for it (which readers and writers do not take).
    pub fn retrain(&self, now_micros: i64) -> Result<()> {
        let allocate = || self.store.allocate().map(Some);
        self.train(now_micros, &allocate).map(|_| ())
    }

    /// Like [`Tree::retrain`], but gives up, with `false`, where there are no pages to spare.
    pub fn retrain_in_passing(&self, now_micros: i64) -> Result<bool> {
        self.train(now_micros, &|| self.store.allocate_spare())
    }

    fn train(&self, now_micros: i64, allocate: &Allocate<'_, S>) -> Result<bool> {
        let old = self.meta()?.model;
        let generation = old.generation.wrapping_add(1);
        let mut training = Training::<W>::new();
        self.downlinks(&mut |low, block| training.push(low, block))?;
        self.sample(&mut training)?;
        let bytes = training.finish(generation, now_micros);
        let Some((first, pages)) = self.write_model(&bytes, generation, allocate)? else {
            return Ok(false);
        };
        self.store.reached("retrain: model written");
        let new = ModelAt {
            generation,
            first: first.unwrap_or(NO_BLOCK),
            pages,
            bytes: bytes.len() as u64,
            blocks: self.store.blocks()?,
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
            self.free_model_pages(&blocks, unwanted.generation)?;
        }
        Ok(true)
    }

    /// Looks into some leaves. Those that have changed their fences meanwhile tell nothing.
    fn sample(&self, training: &mut Training<W>) -> Result<()> {
        for ordinal in (0..).take(training.len()) {
            if !training.samples.wants(ordinal) {
                continue;
            }
            self.store.interrupt();
            let Some(&(low, block)) = training.leaf(ordinal) else {
                break;
            };
            let page = self.store.read(block)?;
            if crate::fences::of::<W>(&page, block, 0)?.map(|fences| fences.0) == Some(low) {
                let entries = Leaf::<W>::open(&page, block)?.contents()?.entries();
                training.samples.add(ordinal, &low, &entries);
            }
        }
        Ok(())
    }

    /// Looks at each page, counts, and reports every reusable one to `free`, after stamping model pages
    /// that no longer belong to the model. The caller holds the lock that retraining takes.
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
            let freed_at = page::freed_at(&page);
            if kind == Some(Kind::Leaf) {
                swept.leaves += 1;
                swept.entries += Leaf::<W>::open(&page, block)?.live() as u64;
            }
            drop(page);
            match kind {
                _ if new => swept.new += 1,
                Some(Kind::Free) if !self.store.has_passed(freed_at) => {
                    swept.waiting += 1;
                    continue;
                }
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

    /// Writes the pages last to first, so that each knows the next one's block. None: there was no
    /// page for one of them, and those before it are free again.
    pub(super) fn write_model(
        &self,
        bytes: &[u8],
        generation: u64,
        allocate: &Allocate<'_, S>,
    ) -> Result<Option<(Option<Block>, u32)>> {
        let parts: Vec<_> = bytes.chunks(PAYLOAD).collect();
        let mut written: Vec<Block> = Vec::new();
        for (sequence, part) in parts.iter().enumerate().rev() {
            self.store.interrupt();
            let Some(mut fresh) = allocate()? else {
                self.free_model_pages(&written, generation)?;
                return Ok(None);
            };
            let next = written.last().copied();
            let image = model_page(W, generation, sequence as u32, part, next);
            self.store
                .commit(&mut [(&mut fresh, Change::Image(image))])?;
            written.push(fresh.block());
        }
        Ok(Some((written.last().copied(), parts.len() as u32)))
    }

    fn free_model_pages(&self, blocks: &[Block], generation: u64) -> Result<()> {
        for &block in blocks {
            self.store.interrupt();
            self.free_model_page(block, |page| u64_at(page, at::GENERATION) == generation)?;
        }
        Ok(())
    }

    /// Stamps a model page free if it still is one that `unwanted` says may go.
    fn free_model_page(&self, block: Block, unwanted: impl Fn(&Page) -> bool) -> Result<bool> {
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

//! The model's life: trained from level 1, switched in the meta page, swept.

use std::collections::HashSet;

use super::Tree;
use super::chain::{self, Allocate};
use super::descend::Target;
use crate::error::Result;
use crate::inner::Inner;
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::meta::{Meta, ModelAt};
use crate::model::Training;
use crate::page::{self, Block, Kind, META};
use crate::store::{Change, Guard, Store};

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

impl<S: Store, const W: usize> Tree<'_, S, W> {
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
        let written = self.write_model(&training, generation, now_micros, allocate)?;
        let Some(mut new) = written else {
            return Ok(false);
        };
        self.store.reached("retrain: model written");
        new.blocks = self.store.blocks()?;
        let mut meta = self.store.write(META)?;
        let now = Meta::open::<W>(&meta)?.model;
        let unwanted = if now == old { &old } else { &new };
        if now == old {
            let change = Change::Patch(Meta::with_model(&new));
            self.store.commit(&mut [(&mut meta, change)])?;
        }
        drop(meta);
        self.store.reached("retrain: switched");
        if let Some(blocks) = chain::blocks(self.store, unwanted)? {
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
                let leaf = Leaf::open(&page, block)?;
                training.samples.add(ordinal, &leaf)?;
            }
        }
        Ok(())
    }

    /// Looks at each page, counts, and reports every reusable one to `free`, after stamping model pages
    /// that no longer belong to the model. The caller holds the lock that retraining takes.
    pub fn sweep(&self, free: &mut dyn FnMut(Block)) -> Result<Swept> {
        let place = self.meta()?.model;
        // A damaged model is no use to anybody: its pages may go as well.
        let used = chain::blocks(self.store, &place)?;
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
}

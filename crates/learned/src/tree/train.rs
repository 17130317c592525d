//! The model's life: it is trained from the downlinks of level 1 and put into the meta page; a
//! sweep frees the pages of models that are no longer in use.

use std::collections::HashSet;

use super::Tree;
use super::descend::SearchTarget;
use super::model_pages::{self, Allocate};
use crate::error::Result;
use crate::fences;
use crate::inner::Inner;
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::meta::{Meta, ModelLocation};
use crate::model::Training;
use crate::page::{self, Block, Kind, META};
use crate::policy::tree::{MIN_RETRAIN_GROWTH, RETRAIN_GROWTH_DIVISOR};
use crate::store::{Change, Guard, Store};

/// Whether the index has grown enough since `model` was trained for a writer to train a new one.
/// The growth is the number of the writer's own `splits` since then, or that of all writers: from
/// `model.blocks` to `blocks`.
pub fn has_grown(model: &ModelLocation, splits: u32, blocks: Block) -> bool {
    let enough = (model.blocks / RETRAIN_GROWTH_DIVISOR).max(MIN_RETRAIN_GROWTH);
    splits >= enough || blocks.saturating_sub(model.blocks) >= enough
}

/// What a [`Tree::sweep`] found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Free pages that may be recycled.
    pub free: u64,
    /// Free pages that may not be recycled yet.
    pub waiting: u64,
    /// Pages never written.
    pub new: u64,
    /// Model pages that were no longer in use and now are free.
    pub stale: u64,
    /// Leaves. If a leaf is split meanwhile, it and its entries may count twice.
    pub leaves: u64,
    /// Entries.
    pub entries: u64,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Visits low fence and block of every leaf that has a downlink, in key order.
    pub(super) fn downlinks(&self, visit: &mut dyn FnMut(&Entry<W>, Block)) -> Result<()> {
        let (mut low, mut hint) = (Entry::MIN, None);
        loop {
            let page = match hint {
                Some(block) => self.store.read(block)?,
                None => match self.find_on_level(&SearchTarget::covering(&low), 1)? {
                    Some(page) => page,
                    // The root is a leaf now. The level above it has been visited in part or not at
                    // all.
                    None => {
                        if low == Entry::MIN {
                            visit(&low, self.meta()?.root);
                        }
                        return Ok(());
                    }
                },
            };
            let block = page.block();
            if hint.is_some() && !fences::begins_at(&page, block, 1, &low)? {
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

    /// Trains a model on the leaves as they are and replaces the current model. One backend at a
    /// time: the caller holds a lock for it, which readers and writers do not take. `now_micros`:
    /// microseconds since the Unix epoch, for the report.
    pub fn retrain(&self, now_micros: i64) -> Result<()> {
        let allocate = || self.store.allocate().map(Some);
        self.train(now_micros, &allocate).map(|_| ())
    }

    /// As [`Tree::retrain`], but gives up, with false, if there are no free pages.
    pub fn retrain_if_room(&self, now_micros: i64) -> Result<bool> {
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
        // Another training may have been quicker.
        let unwanted = if now == old { &old } else { &new };
        if now == old {
            let change = Change::Patch(Meta::model_patch(&new));
            self.store.commit(&mut [(&mut meta, change)])?;
        }
        drop(meta);
        self.store.reached("retrain: switched");
        if let Some(blocks) = model_pages::blocks(self.store, unwanted)? {
            self.free_model_pages(&blocks, unwanted.generation)?;
        }
        Ok(true)
    }

    /// Takes samples from some leaves, but not from those whose low fence is another one by now.
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
            if fences::begins_at(&page, block, 0, &low)? {
                let leaf = Leaf::open(&page, block)?;
                training.samples.add(ordinal, &leaf)?;
            }
        }
        Ok(())
    }

    /// Reads every page, counts them, frees model pages that no longer belong to the model, and
    /// reports every page that may be recycled to `free`. The caller holds the lock that retraining
    /// takes.
    pub fn sweep(&self, free: &mut dyn FnMut(Block)) -> Result<SweepReport> {
        let place = self.meta()?.model;
        // The pages of a damaged model are freed, too.
        let used = model_pages::blocks(self.store, &place)?;
        let used: HashSet<Block> = used.unwrap_or_default().into_iter().collect();
        let mut swept = SweepReport::default();
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

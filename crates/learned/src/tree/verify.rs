//! Checking the whole index against the invariants of docs/concurrency.md.

use std::collections::{HashMap, HashSet};

use super::stale::finds;
use super::{Tree, model_pages};
use crate::error::{Error, Result};
use crate::fences::{self, is_incomplete};
use crate::inner::{Inner, Item};
use crate::key::Entry;
use crate::leaf::Leaf;
use crate::meta::ModelLocation;
use crate::model::Loaded;
use crate::page::{self, Block, Kind, META, PAGE_ID, PAGE_SIZE, Page, SPECIAL, VERSION, u16_at};
use crate::store::Store;

/// The parts of a sound index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TreeReport {
    /// Leaves.
    pub leaves: u64,
    /// Inner pages.
    pub inner_pages: u64,
    /// Levels, leaves included.
    pub height: u32,
    /// Entries.
    pub entries: u64,
    /// Tombstones.
    pub dead: u64,
    /// Entries still in insert logs.
    pub log_entries: u64,
    /// Runs.
    pub runs: u64,
    /// Bytes that the leaves use.
    pub bytes_used: u64,
    /// Incomplete splits: pages whose right sibling has no downlink.
    pub incomplete: u64,
    /// Leaves that the model was trained on.
    pub model_leaves: u64,
    /// Of these, the leaves that no longer exist or that the model does not find within its bounds.
    pub model_misses: u64,
    /// Stages of the model.
    pub model_stages: u64,
    /// Segments of all stages.
    pub model_segments: u64,
    /// Bytes of the model.
    pub model_bytes: u64,
    /// Pages of the model.
    pub model_pages: u64,
    /// Model pages that are no longer in use and not free yet.
    pub stale_model_pages: u64,
    /// Free pages.
    pub free_pages: u64,
    /// Pages that were never written.
    pub new_pages: u64,
}

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Checks every page and visits every entry in order. The caller keeps writers out, because
    /// levels are compared with each other.
    ///
    /// # Errors
    /// [`Error::Corrupted`] with the first fault found.
    pub fn verify(&self, visit: &mut dyn FnMut(&Entry<W>)) -> Result<TreeReport> {
        let meta = self.meta()?;
        let mut report = TreeReport {
            height: u32::from(meta.level) + 1,
            ..TreeReport::default()
        };
        let mut reached = HashSet::from([META]);
        let mut links = vec![(Entry::MIN, meta.root)];
        for level in (0..=meta.level).rev() {
            links = self.verify_level(level, &links, &mut reached, &mut report, visit)?;
        }
        let leaves = links.into_iter().map(|(low, block)| (block, low)).collect();
        self.verify_model(&meta.model, &leaves, &mut reached, &mut report)?;
        self.verify_rest(&reached, &mut report)?;
        Ok(report)
    }

    /// Checks the pages of one level from left to right against the downlinks of the level above.
    /// Returns the downlinks found; on level 0, low fence and block of each leaf.
    fn verify_level(
        &self,
        level: u8,
        links: &[Item<W>],
        reached: &mut HashSet<Block>,
        report: &mut TreeReport,
        visit: &mut dyn FnMut(&Entry<W>),
    ) -> Result<Vec<Item<W>>> {
        let end = self.store.blocks()?;
        let mut links = links.iter().peekable();
        let mut found = Vec::new();
        let mut begins = Entry::MIN;
        let mut next = links.peek().map(|link| link.1);
        let mut incomplete = false;
        while let Some(block) = next {
            let fail = |fault: &str| Err(Error::corrupted(block, fault));
            self.store.interrupt();
            if block >= end {
                return fail("a link leads here, beyond the end of the index");
            }
            if !reached.insert(block) {
                return fail("the page is reached twice");
            }
            let page = self.store.read(block)?;
            let Some((low, high)) = fences::read::<W>(&page, block, level)? else {
                return fail("a link leads to a page of another kind or level");
            };
            if low != begins {
                return fail("low fence is not the high fence of the left sibling");
            }
            match links.next_if(|link| link.0 <= low) {
                Some((separator, child)) if *separator != low || *child != block => {
                    return Err(Error::corrupted(
                        *child,
                        format!(
                            "has a downlink but is not the page that begins there ({block} is)"
                        ),
                    ));
                }
                Some(_) if incomplete => {
                    return fail("has a downlink although the split is marked incomplete");
                }
                None if !incomplete => return fail("has no downlink"),
                _ => {}
            }
            check_special::<W>(&page, block)?;
            if level == 0 {
                verify_leaf(&page, block, report, visit)?;
                found.push((low, block));
            } else {
                verify_inner(&page, block, &mut found)?;
                report.inner_pages += 1;
            }
            incomplete = is_incomplete(&page);
            report.incomplete += u64::from(incomplete);
            next = page::right(&page);
            if (high == Entry::MAX) != next.is_none() || (incomplete && next.is_none()) {
                return fail("right link and high fence disagree about being the last");
            }
            begins = high;
        }
        match links.next() {
            Some((_, child)) => Err(Error::corrupted(
                *child,
                "has a downlink but is not in the chain of right links",
            )),
            None => Ok(found),
        }
    }

    /// Checks the model's pages. The model is advice, so wrong predictions are only counted.
    fn verify_model(
        &self,
        place: &ModelLocation,
        leaves: &HashMap<Block, Entry<W>>,
        reached: &mut HashSet<Block>,
        report: &mut TreeReport,
    ) -> Result<()> {
        let Some(blocks) = model_pages::blocks(self.store, place)? else {
            if place.pages == 0 {
                return Ok(());
            }
            return Err(Error::corrupted(
                place.first,
                "the model's pages are damaged",
            ));
        };
        for block in blocks {
            if !reached.insert(block) {
                return Err(Error::corrupted(block, "a page of the tree and the model"));
            }
            report.model_pages += 1;
        }
        report.model_bytes = place.bytes;
        let bytes = self.load_model_at(place, usize::MAX)?;
        let Some(model) = bytes.as_deref().and_then(Loaded::open) else {
            return Err(Error::corrupted(place.first, "the model is damaged"));
        };
        report.model_stages = model.stages() as u64;
        report.model_segments = model.segments() as u64;
        let mut before = None;
        for ordinal in 0..model.root().leaves() {
            self.store.interrupt();
            report.model_leaves += 1;
            let low = model.block(ordinal).and_then(|block| leaves.get(&block));
            let Some(low) = low else {
                report.model_misses += 1;
                continue;
            };
            // Of several leaves with the same key, only the first is fitted.
            if before.replace(low.key) != Some(low.key) {
                report.model_misses += u64::from(!finds(&model, ordinal, low));
            }
        }
        Ok(())
    }

    /// Checks that all other pages say that they are not part of the index.
    fn verify_rest(&self, reached: &HashSet<Block>, report: &mut TreeReport) -> Result<()> {
        for block in (0..self.store.blocks()?).filter(|block| !reached.contains(block)) {
            self.store.interrupt();
            let page = self.store.read(block)?;
            match page::kind(&page) {
                _ if page::is_new(&page) => report.new_pages += 1,
                Some(Kind::Free) => report.free_pages += 1,
                Some(Kind::Model) => report.stale_model_pages += 1,
                _ => {
                    let fault = "looks like a page in use, but nothing leads to it";
                    return Err(Error::corrupted(block, fault));
                }
            }
        }
        Ok(())
    }
}

fn verify_inner<const W: usize>(page: &Page, block: Block, found: &mut Vec<Item<W>>) -> Result<()> {
    let view = Inner::<W>::open(page, block)?;
    let mut last = None;
    for item in view.items() {
        if last >= Some(item.0) || item.0 >= view.frame().high {
            return Err(Error::corrupted(block, "separators out of order"));
        }
        last = Some(item.0);
        found.push(item);
    }
    Ok(())
}

fn verify_leaf<const W: usize>(
    page: &Page,
    block: Block,
    report: &mut TreeReport,
    visit: &mut dyn FnMut(&Entry<W>),
) -> Result<()> {
    let leaf = Leaf::<W>::open(page, block)?;
    let counts = leaf.verify()?;
    let entries = leaf.contents()?.entries();
    let mut last = None;
    for entry in &entries {
        if last >= Some(entry) || !leaf.covers(entry) {
            return Err(Error::corrupted(
                block,
                "entries out of order or beyond the fences",
            ));
        }
        last = Some(entry);
        visit(entry);
    }
    if entries.len() != leaf.live() {
        return Err(Error::corrupted(
            block,
            format!(
                "{} entries where {} are counted",
                entries.len(),
                leaf.live()
            ),
        ));
    }
    report.leaves += 1;
    report.entries += entries.len() as u64;
    report.dead += leaf.tombstones() as u64;
    report.log_entries += leaf.log_len() as u64;
    report.runs += leaf.runs() as u64;
    report.bytes_used += counts.bytes as u64;
    Ok(())
}

fn check_special<const W: usize>(page: &Page, block: Block) -> Result<()> {
    let kind = page::kind(page).map(|kind| kind as u8);
    let special = page.get(SPECIAL..SPECIAL + 3);
    if special
        != kind
            .map(|kind| [kind, VERSION, W as u8])
            .as_ref()
            .map(|s| s.as_slice())
        || u16_at(page, PAGE_SIZE - 2) != PAGE_ID
    {
        return Err(Error::corrupted(
            block,
            "special area does not fit the page",
        ));
    }
    Ok(())
}

//! Building an index from sorted entries: first the leaves, then the levels above them, the model,
//! and the meta page.

use super::model_pages;
use crate::error::{Error, Result};
use crate::inner::{self, Frame, Inner, Item};
use crate::key::Entry;
use crate::leaf::{Contents, Leaf, Packer};
use crate::meta::{Meta, ModelLocation};
use crate::model::{Samples, Training};
use crate::page::{self, Block, Kind, META, Page};
use crate::policy::tree::INNER_BUILD_PERCENT;

/// The first leaf. It stays the leftmost one.
const FIRST_LEAF: Block = META + 1;
/// Receives the pages of a build.
pub trait Sink {
    /// Stores a page. Blocks come in any order. A build that starts over writes some again.
    fn put(&mut self, block: Block, page: &Page) -> Result<()>;
}

/// The result of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildReport {
    /// Leaves.
    pub leaves: u64,
    /// Entries.
    pub entries: u64,
    /// Levels, leaves included.
    pub height: u32,
    /// Bytes of the model.
    pub model_bytes: u64,
    /// Blocks of the index, the meta page included.
    pub blocks: Block,
}

/// Builds an index from ascending entries.
pub struct Builder<'s, S: Sink, const W: usize> {
    sink: &'s mut S,
    fill: u8,
    descriptor: [u8; 8],
    inner_limit: usize,
    packer: Packer<W>,
    /// The last full leaf. It is written when it is known whether another leaf follows.
    held: Option<Contents<W>>,
    leaves: Vec<Item<W>>,
    samples: Samples<W>,
    entries: u64,
    last: Option<Entry<W>>,
}

impl<'s, S: Sink, const W: usize> Builder<'s, S, W> {
    /// A build that fills leaves to `fill` percent. `descriptor` goes into the meta page.
    pub fn new(sink: &'s mut S, fill: u8, descriptor: [u8; 8]) -> Self {
        Self {
            sink,
            fill,
            descriptor,
            inner_limit: Inner::<W>::LIMIT,
            packer: Packer::new(fill),
            held: None,
            leaves: Vec::new(),
            samples: Samples::default(),
            entries: 0,
            last: None,
        }
    }

    /// Gives inner pages at most `limit` items (at least 3), so that small trees are high.
    #[must_use]
    pub fn with_inner_limit(mut self, limit: usize) -> Self {
        self.inner_limit = limit.clamp(3, Inner::<W>::CAPACITY);
        self
    }

    /// Whether `entry` is above all entries so far. If not, sort the entries first, or
    /// [`Builder::restart`].
    pub fn accepts(&self, entry: &Entry<W>) -> bool {
        self.last.as_ref() < Some(entry)
    }

    /// Adds an entry above all entries so far.
    ///
    /// # Errors
    /// [`Error::Corrupted`] if it is not above them.
    pub fn push(&mut self, entry: Entry<W>) -> Result<()> {
        if !self.accepts(&entry) {
            let fault = "entries of a build are not in order, or one came twice";
            return Err(Error::corrupted(META, fault));
        }
        self.last = Some(entry);
        self.entries += 1;
        match self.packer.push(entry) {
            Some(full) => self.hold(full),
            None => Ok(()),
        }
    }

    /// Passes all entries so far to `visit`, in order, and starts over. `read` returns the page
    /// that the sink received for a block.
    pub fn restart(
        &mut self,
        read: &mut dyn FnMut(Block) -> Result<Box<Page>>,
        visit: &mut dyn FnMut(Entry<W>) -> Result<()>,
    ) -> Result<()> {
        for &(_, block) in &self.leaves {
            let page = read(block)?;
            let leaf = Leaf::<W>::open(&page, block)?;
            leaf.contents()?
                .entries()
                .into_iter()
                .try_for_each(&mut *visit)?;
        }
        let rest = std::mem::replace(&mut self.packer, Packer::new(self.fill)).finish();
        for contents in self.held.take().into_iter().chain(rest) {
            contents.entries().into_iter().try_for_each(&mut *visit)?;
        }
        self.leaves.clear();
        self.samples = Samples::default();
        self.entries = 0;
        self.last = None;
        Ok(())
    }

    /// Writes the rest: the last leaf, the inner pages, the model, and the meta page at the end.
    /// `now_micros`: microseconds since the Unix epoch, for the model's report.
    pub fn finish(mut self, now_micros: i64) -> Result<BuildReport> {
        let packer = std::mem::replace(&mut self.packer, Packer::new(self.fill));
        for rest in packer.finish() {
            self.hold(rest)?;
        }
        let mut last = match self.held.take() {
            Some(last) => last,
            None => Contents::empty(Entry::MIN, Entry::MAX),
        };
        last.high = Entry::MAX;
        self.write_leaf(last, None)?;
        let leaves = self.leaves.len() as u64;
        let mut next = FIRST_LEAF + self.leaves.len() as Block;

        let mut training = Training::<W>::new();
        training.samples = std::mem::take(&mut self.samples);
        for (low, block) in &self.leaves {
            training.push(low, *block);
        }
        let (root, level) = self.write_inner(&mut next)?;

        let mut model = ModelLocation::NONE;
        // A single leaf needs no model.
        if leaves > 1 {
            let sink = &mut self.sink;
            let place = model_pages::write_list(&training, 1, now_micros, &mut |page| {
                sink.put(next, &page)?;
                next += 1;
                Ok(Some(next - 1))
            })?;
            model = place.unwrap_or(model);
            model.blocks = next;
        }
        let meta = Meta {
            root,
            level,
            model,
            descriptor: self.descriptor,
            fill: self.fill,
        };
        self.sink.put(META, &meta.to_page::<W>())?;
        Ok(BuildReport {
            leaves,
            entries: self.entries,
            height: u32::from(level) + 1,
            model_bytes: model.bytes,
            blocks: next,
        })
    }

    fn hold(&mut self, leaf: Contents<W>) -> Result<()> {
        let low = self.held.as_ref().map_or(Entry::MIN, |held| held.high);
        if leaf.low != low || leaf.low >= leaf.high {
            let fault = "a built leaf does not begin where the leaf before ends";
            return Err(Error::corrupted(self.next_leaf(), fault));
        }
        match self.held.replace(leaf) {
            Some(before) => {
                let right = self.next_leaf() + 1;
                self.write_leaf(before, Some(right))
            }
            None => Ok(()),
        }
    }

    fn next_leaf(&self) -> Block {
        FIRST_LEAF + self.leaves.len() as Block
    }

    fn write_leaf(&mut self, mut leaf: Contents<W>, right: Option<Block>) -> Result<()> {
        let block = self.next_leaf();
        leaf.right = right;
        leaf.flags = 0;
        let fault = || Error::corrupted(block, "a built leaf does not fit on its page");
        let page = leaf.to_page().ok_or_else(fault)?;
        self.sink.put(block, &page)?;
        let ordinal = self.leaves.len() as u32;
        if self.samples.wants(ordinal) {
            self.samples.add(ordinal, &Leaf::open(&page, block)?)?;
        }
        self.leaves.push((leaf.low, block));
        Ok(())
    }

    /// Writes level by level until a level has one page. Returns that page, the root, and its
    /// level.
    fn write_inner(&mut self, next: &mut Block) -> Result<(Block, u8)> {
        let mut level = 0;
        let mut below = std::mem::take(&mut self.leaves);
        let most = (self.inner_limit * INNER_BUILD_PERCENT / 100).max(2);
        while below.len() > 1 {
            level += 1;
            let pages = below.len().div_ceil(most);
            let share = below.len().div_ceil(pages);
            let mut parts = below.chunks(share).peekable();
            let mut these = Vec::with_capacity(pages);
            while let Some(part) = parts.next() {
                let after = parts.peek().and_then(|part| part.first());
                let frame = Frame {
                    low: part.first().map_or(Entry::MIN, |item| item.0),
                    high: after.map_or(Entry::MAX, |item| item.0),
                    level,
                    right: after.map(|_| *next + 1),
                    flags: 0,
                };
                self.sink.put(*next, &inner::build(&frame, part))?;
                these.push((frame.low, *next));
                *next += 1;
            }
            below = these;
        }
        Ok((below.first().map_or(FIRST_LEAF, |item| item.1), level))
    }
}

/// The pages of an index without entries: meta page and root leaf.
pub fn empty_index<const W: usize>(fill: u8, descriptor: [u8; 8]) -> [(Block, Box<Page>); 2] {
    let meta = Meta {
        root: FIRST_LEAF,
        level: 0,
        model: ModelLocation::NONE,
        descriptor,
        fill,
    };
    let leaf = Contents::<W>::empty(Entry::MIN, Entry::MAX).to_page();
    // A leaf without entries always fits on a page: the alternative is never used.
    let leaf = leaf.unwrap_or_else(|| page::init(Kind::Leaf, 0, W));
    [(META, meta.to_page::<W>()), (FIRST_LEAF, leaf)]
}

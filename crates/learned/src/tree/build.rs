//! Building an index from entries in order: leaves, then the levels above, the model, the meta page.

use super::chain;
use crate::error::{Error, Result};
use crate::inner::{self, Frame, Inner, Item};
use crate::key::Entry;
use crate::leaf::{Contents, Leaf, Packer};
use crate::meta::{Meta, ModelAt};
use crate::model::{Samples, Training};
use crate::page::{self, Block, Kind, META, Page};

/// The first leaf, which stays the leftmost one.
const FIRST_LEAF: Block = META + 1;
/// Percentage of an inner page that a build fills.
const INNER_FILL: usize = 90;

/// Where a build's pages go.
pub trait Sink {
    /// Stores a page. Blocks come in any order; a build that starts over writes some again.
    fn put(&mut self, block: Block, page: &Page) -> Result<()>;
}

/// What a build made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Built {
    /// Leaves.
    pub leaves: u64,
    /// Entries.
    pub entries: u64,
    /// Levels, leaves included.
    pub height: u32,
    /// Bytes of the model.
    pub model_bytes: u64,
    /// Blocks, the meta page included.
    pub blocks: Block,
}

/// Builds an index from ascending entries.
pub struct Builder<'s, S: Sink, const W: usize> {
    sink: &'s mut S,
    fill: u8,
    descriptor: [u8; 8],
    inner_limit: usize,
    packer: Packer<W>,
    /// The last full leaf, which is written when it is known whether another one follows.
    held: Option<Contents<W>>,
    leaves: Vec<Item<W>>,
    samples: Samples<W>,
    entries: u64,
    last: Option<Entry<W>>,
}

impl<'s, S: Sink, const W: usize> Builder<'s, S, W> {
    /// Starts a build whose leaves are filled to `fill` percent.
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

    /// Inner pages get no more than `limit` (at least 3) items, so that small trees are high.
    #[must_use]
    pub fn with_inner_limit(mut self, limit: usize) -> Self {
        self.inner_limit = limit.clamp(3, Inner::<W>::CAPACITY);
        self
    }

    /// Whether `entry` may come next. If not, [`Builder::restart`] or sort first.
    pub fn accepts(&self, entry: &Entry<W>) -> bool {
        self.last.as_ref() < Some(entry)
    }

    /// Adds an entry above all before it.
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

    /// Hands all entries pushed so far to `visit`, in order, and starts over. `read` returns what
    /// the sink was given for a block.
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

    /// Writes the rest: the last leaf, the inner pages, the model, and the meta page last of all.
    pub fn finish(mut self, now_micros: i64) -> Result<Built> {
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

        let mut model = ModelAt::NONE;
        // A single leaf is found without a model.
        if leaves > 1 {
            let sink = &mut self.sink;
            let place = chain::lay_out(&training, 1, now_micros, &mut |page| {
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
        Ok(Built {
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
            let fault = "a built leaf does not begin where the one before ends";
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

    /// Level by level until one page holds all; returns the root.
    fn write_inner(&mut self, next: &mut Block) -> Result<(Block, u8)> {
        let mut level = 0;
        let mut below = std::mem::take(&mut self.leaves);
        let most = (self.inner_limit * INNER_FILL / 100).max(2);
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
        model: ModelAt::NONE,
        descriptor,
        fill,
    };
    let leaf = Contents::<W>::empty(Entry::MIN, Entry::MAX).to_page();
    // No entries fit on any page; the alternative only keeps this function free of errors.
    let leaf = leaf.unwrap_or_else(|| page::init(Kind::Leaf, 0, W));
    [(META, meta.to_page::<W>()), (FIRST_LEAF, leaf)]
}

//! Placeholder leaf with plain entries: a sorted part, then a few unsorted ones.

use crate::error::{Error, Result};
use crate::fences::{self, entry_at, push_entry, put_entry};
use crate::key::Entry;
use crate::page::{self, Block, Kind, NO_BLOCK, Page, SPECIAL, head, pd, put, u16_at};
use crate::store::Patch;

const LOG: usize = 3;

fn limit<const W: usize>() -> usize {
    let space = (SPECIAL - fences::end::<W>() - 8) / Entry::<W>::BYTES;
    if cfg!(test) { 6 } else { space.min(300) }
}

pub struct Leaf<'a, const W: usize> {
    page: &'a Page,
    low: Entry<W>,
    high: Entry<W>,
    slots: usize,
    log: usize,
}

/// What [`Leaf::verify`] found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    pub live: usize,
    pub slots: usize,
    pub dead: usize,
    pub runs: usize,
    pub log: usize,
    pub bytes: usize,
}

impl<'a, const W: usize> Leaf<'a, W> {
    const COUNTS: usize = fences::end::<W>();
    const FIRST: usize = Self::COUNTS + 8;

    pub fn open(page: &'a Page, block: Block) -> Result<Self> {
        let Some((low, high)) = fences::of(page, block, 0)? else {
            return Err(Error::corrupted(block, "not a leaf"));
        };
        let (lower, _) = page::hole(page, block)?;
        let slots = usize::from(u16_at(page, Self::COUNTS));
        let log = usize::from(u16_at(page, Self::COUNTS + 2));
        if lower != Self::FIRST + (slots + log) * Entry::<W>::BYTES {
            return Err(Error::corrupted(block, "entries do not fill the leaf"));
        }
        Ok(Self {
            page,
            low,
            high,
            slots,
            log,
        })
    }
    pub fn low(&self) -> Entry<W> {
        self.low
    }
    pub fn high(&self) -> Entry<W> {
        self.high
    }
    pub fn right(&self) -> Option<Block> {
        page::right(self.page)
    }
    pub fn flags(&self) -> u16 {
        page::flags(self.page)
    }
    pub fn covers(&self, e: &Entry<W>) -> bool {
        self.low <= *e && *e < self.high
    }
    pub fn slots(&self) -> usize {
        self.slots
    }
    pub fn dead(&self) -> usize {
        0
    }
    pub fn log_len(&self) -> usize {
        self.log
    }
    pub fn runs(&self) -> usize {
        1
    }
    pub fn live(&self) -> usize {
        self.slots + self.log
    }
    fn list(&self) -> Vec<Entry<W>> {
        let mut list: Vec<_> = (0..self.slots + self.log)
            .map(|i| entry_at(self.page, Self::FIRST + i * Entry::<W>::BYTES))
            .collect();
        list.sort_unstable();
        list
    }
    pub fn contains(&self, e: &Entry<W>) -> Result<bool> {
        Ok(self.list().binary_search(e).is_ok())
    }
    pub fn forward(
        &self,
        from: &Entry<W>,
        until: &Entry<W>,
        limit: usize,
        out: &mut Vec<Entry<W>>,
    ) -> Result<bool> {
        let mut list = self.list();
        list.retain(|e| from <= e && e < until);
        out.extend(list.iter().take(limit));
        Ok(list.len() > limit)
    }
    pub fn backward(
        &self,
        from: &Entry<W>,
        until: &Entry<W>,
        limit: usize,
        out: &mut Vec<Entry<W>>,
    ) -> Result<bool> {
        let mut list = self.list();
        list.retain(|e| from <= e && e < until);
        out.extend(list.iter().rev().take(limit));
        Ok(list.len() > limit)
    }
    fn add(&self, e: &Entry<W>, slots: usize, log: usize) -> Patch {
        let at = Self::FIRST + self.live() * Entry::<W>::BYTES;
        let mut bytes = Vec::new();
        push_entry(&mut bytes, e);
        let mut patch = Patch::new();
        patch.put(pd::LOWER, &((at + bytes.len()) as u16).to_le_bytes());
        patch.put(Self::COUNTS, &(slots as u16).to_le_bytes());
        patch.put(Self::COUNTS + 2, &(log as u16).to_le_bytes());
        patch.put(at, &bytes);
        patch
    }
    pub fn try_append(&self, e: &Entry<W>) -> Result<Option<Patch>> {
        let fits = self.log == 0 && self.slots < limit::<W>() && self.list().last() < Some(e);
        Ok(fits.then(|| self.add(e, self.slots + 1, 0)))
    }
    pub fn try_log(&self, e: &Entry<W>) -> Result<Option<Patch>> {
        let fits = self.log < LOG && self.live() < limit::<W>();
        Ok(fits.then(|| self.add(e, self.slots, self.log + 1)))
    }
    pub fn contents(&self) -> Result<Contents<W>> {
        Ok(Contents {
            low: self.low,
            high: self.high,
            right: self.right(),
            flags: self.flags(),
            list: self.list(),
        })
    }
    pub fn verify(&self) -> Result<Verified> {
        for e in self.list() {
            if !self.covers(&e) {
                return Err(Error::corrupted(0, "entry beyond the fences"));
            }
        }
        Ok(Verified {
            live: self.live(),
            slots: self.slots,
            dead: 0,
            runs: 1,
            log: self.log,
            bytes: self.live() * Entry::<W>::BYTES,
        })
    }
}

#[derive(Debug, Clone)]
pub struct Contents<const W: usize> {
    pub low: Entry<W>,
    pub high: Entry<W>,
    pub right: Option<Block>,
    pub flags: u16,
    list: Vec<Entry<W>>,
}

impl<const W: usize> Contents<W> {
    pub fn empty(low: Entry<W>, high: Entry<W>) -> Self {
        Self {
            low,
            high,
            right: None,
            flags: 0,
            list: Vec::new(),
        }
    }
    pub fn live(&self) -> usize {
        self.list.len()
    }
    pub fn entries(&self) -> Vec<Entry<W>> {
        self.list.clone()
    }
    pub fn insert(&mut self, e: Entry<W>) -> Result<()> {
        let at = self.list.partition_point(|x| *x < e);
        self.list.insert(at, e);
        Ok(())
    }
    pub fn remove(&mut self, dead: &mut dyn FnMut(u64) -> bool) -> Result<usize> {
        let before = self.list.len();
        self.list.retain(|e| !dead(e.tie));
        Ok(before - self.list.len())
    }
    pub fn to_page(&self) -> Option<Box<Page>> {
        if self.list.len() > limit::<W>() {
            return None;
        }
        let mut page = page::init(Kind::Leaf, 0, W);
        put(&mut page, head::FLAGS, &self.flags.to_le_bytes());
        put(
            &mut page,
            head::RIGHT,
            &self.right.unwrap_or(NO_BLOCK).to_le_bytes(),
        );
        put_entry(&mut page, fences::LOW, &self.low);
        put_entry(&mut page, fences::LOW + Entry::<W>::BYTES, &self.high);
        put(
            &mut page,
            Leaf::<W>::COUNTS,
            &(self.list.len() as u16).to_le_bytes(),
        );
        for (i, e) in self.list.iter().enumerate() {
            put_entry(&mut page, Leaf::<W>::FIRST + i * Entry::<W>::BYTES, e);
        }
        let lower = Leaf::<W>::FIRST + self.list.len() * Entry::<W>::BYTES;
        put(&mut page, pd::LOWER, &(lower as u16).to_le_bytes());
        Some(page)
    }
    pub fn split(self, inserted: &Entry<W>, fill: u8) -> Result<(Self, Self)> {
        let n = self.list.len();
        let most = (limit::<W>() * usize::from(fill) / 100).max(1);
        let cut = if self.list.last() == Some(inserted) {
            most.min(n - 1)
        } else {
            n / 2
        };
        let (left, right) = self.list.split_at(cut);
        let (Some(last), Some(first)) = (left.last(), right.first()) else {
            return Err(Error::corrupted(0, "nothing to split"));
        };
        let middle = first.fence_after(last);
        let make = |low, high, list: &[Entry<W>]| Self {
            low,
            high,
            list: list.to_vec(),
            ..self
        };
        Ok((make(self.low, middle, left), make(middle, self.high, right)))
    }
}

pub struct Packer<const W: usize> {
    most: usize,
    low: Entry<W>,
    list: Vec<Entry<W>>,
}

impl<const W: usize> Packer<W> {
    pub fn new(fill: u8) -> Self {
        Self {
            most: (limit::<W>() * usize::from(fill) / 100).max(1),
            low: Entry::MIN,
            list: Vec::new(),
        }
    }
    pub fn push(&mut self, e: Entry<W>) -> Option<Contents<W>> {
        let mut full = None;
        if self.list.len() >= self.most
            && let Some(last) = self.list.last()
        {
            let mut contents = Contents::empty(self.low, e.fence_after(last));
            self.low = contents.high;
            contents.list = std::mem::take(&mut self.list);
            full = Some(contents);
        }
        self.list.push(e);
        full
    }
    pub fn finish(self) -> Option<Contents<W>> {
        let mut contents = Contents::empty(self.low, Entry::MAX);
        contents.list = self.list;
        (!contents.list.is_empty()).then_some(contents)
    }
}

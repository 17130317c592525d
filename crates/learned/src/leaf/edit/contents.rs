//! The owned form of a leaf, for changes that are more than a patch.

use crate::error::Result;
use crate::key::Entry;
use crate::leaf::format::{Layout, MAX_SLOTS, Packed, bits};
use crate::leaf::read::view::Leaf;
use crate::page::{self, Block, Kind, NO_BLOCK, Page, SPECIAL, head, pd};

/// A leaf's contents: fences, links, runs, tombstones, insert log.
#[derive(Debug, Clone)]
pub struct Contents<const W: usize> {
    /// Low fence, inclusive.
    pub low: Entry<W>,
    /// High fence, exclusive.
    pub high: Entry<W>,
    /// Right sibling.
    pub right: Option<Block>,
    /// Flag bits.
    pub flags: u16,
    pub(in crate::leaf) runs: Vec<Packed<W>>,
    /// Newest first, as on the page.
    pub(in crate::leaf) log: Vec<Entry<W>>,
    /// The lowest and the highest of the entries merged last, if they were more than a few.
    pub(in crate::leaf) latest: Option<(Entry<W>, Entry<W>)>,
}

impl<const W: usize> Leaf<'_, W> {
    /// The page's contents in owned form, runs as they are.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read.
    pub fn contents(&self) -> Result<Contents<W>> {
        let mut runs = Vec::with_capacity(self.runs);
        let mut before = 0;
        for i in 0..self.runs {
            let run = self.run(i)?.run;
            let slots = run.head.slots;
            let mut dead = Vec::new();
            if self.dead > 0 {
                dead = bits::copy(self.bitmap(), before, slots);
                if bits::count(&dead) == 0 {
                    dead.clear();
                }
            }
            before += slots;
            let bits = slots * run.head.record();
            runs.push(Packed {
                head: run.head,
                data: bits::copy(run.data, 0, bits),
                dead,
            });
        }
        if before != self.slots {
            return Err(self.fault("slots are miscounted"));
        }
        Ok(Contents {
            low: self.low(),
            high: self.high(),
            right: self.right(),
            flags: self.flags(),
            runs,
            log: (0..self.log).map(|i| self.logged(i)).collect(),
            latest: None,
        })
    }
}

impl<const W: usize> Contents<W> {
    /// No entries between these fences; no right sibling, no flags.
    pub fn empty(low: Entry<W>, high: Entry<W>) -> Self {
        Self {
            low,
            high,
            right: None,
            flags: 0,
            runs: Vec::new(),
            log: Vec::new(),
            latest: None,
        }
    }

    /// Number of live entries.
    pub fn live(&self) -> usize {
        let packed: usize = self
            .runs
            .iter()
            .map(|r| r.head.slots - r.dead().min(r.head.slots))
            .sum();
        packed + self.log.len()
    }

    /// The live entries in order, the log's among them.
    pub fn entries(&self) -> Vec<Entry<W>> {
        let mut all = Vec::with_capacity(self.slots() + self.log.len());
        for run in &self.runs {
            run.live(&mut all);
        }
        if !self.log.is_empty() {
            all.extend_from_slice(&self.log);
            all.sort();
        }
        all
    }

    /// Slots of all runs.
    pub(in crate::leaf) fn slots(&self) -> usize {
        self.runs.iter().map(|r| r.head.slots).sum()
    }

    /// Bytes that the page would take of [`Layout::ROOM`], room for a bitmap included.
    pub(in crate::leaf) fn bytes(&self) -> usize {
        let runs: usize = self
            .runs
            .iter()
            .map(|r| Layout::<W>::RUN + r.data.len())
            .sum();
        runs + self.slots().div_ceil(8) + self.log.len() * Layout::<W>::ENTRY
    }

    /// Whether the page would be so full that its log could take fewer than so many entries.
    pub(in crate::leaf) fn has_no_room_for(&self, entries: usize) -> bool {
        self.bytes() + entries * Layout::<W>::ENTRY > Layout::<W>::ROOM
            || self.slots() + entries > MAX_SLOTS
    }

    /// Whether the page would be so full that its log could take only a few entries.
    pub fn is_tight(&self) -> bool {
        self.has_no_room_for(Layout::<W>::LEAST)
    }

    /// Whether [`Self::to_page`] would give a page.
    pub(in crate::leaf) fn fits(&self) -> bool {
        self.bytes() <= Layout::<W>::ROOM
            && self.slots() <= MAX_SLOTS
            && self.log.len() <= Layout::<W>::LOG
    }

    /// Adds an entry to the insert log, if that has room for it.
    pub(in crate::leaf) fn try_log(&mut self, e: Entry<W>) -> bool {
        let room = self.log.len() < Layout::<W>::LOG
            && self.bytes() + Layout::<W>::ENTRY <= Layout::<W>::ROOM
            && e.tie != 0;
        if room {
            self.log.insert(0, e);
        }
        room
    }

    /// The page; None where the contents do not fit one.
    pub fn to_page(&self) -> Option<Box<Page>> {
        if !self.fits() {
            return None;
        }
        let mut page = page::init(Kind::Leaf, 0, W);
        let right = self.right.unwrap_or(NO_BLOCK);
        page::put(&mut page, head::FLAGS, &self.flags.to_le_bytes());
        page::put(&mut page, head::RIGHT, &right.to_le_bytes());
        let mut out = Vec::with_capacity(Layout::<W>::ROOM);
        push_entry(&self.low, &mut out);
        push_entry(&self.high, &mut out);
        let slots = self.slots();
        let dead: usize = self.runs.iter().map(Packed::dead).sum();
        for count in [self.runs.len(), slots, dead, 0] {
            out.extend_from_slice(&(count as u16).to_le_bytes());
        }
        let mut data = Layout::<W>::DIRECTORY + self.runs.len() * Layout::<W>::RUN;
        for run in &self.runs {
            run.head.write(data, &mut out);
            data += run.data.len();
        }
        for run in &self.runs {
            out.extend_from_slice(&run.data);
        }
        if dead > 0 {
            let mut bitmap = bits::Writer::new(slots);
            for run in &self.runs {
                for from in (0..run.head.slots).step_by(64) {
                    let width = (run.head.slots - from).min(64) as u32;
                    bitmap.push(bits::read(&run.dead, from, width, bits::mask(width)), width);
                }
            }
            out.extend_from_slice(&bitmap.finish());
        }
        page::put(&mut page, head::END, &out);
        let lower = head::END + out.len();
        page::put(&mut page, pd::LOWER, &(lower as u16).to_le_bytes());
        let upper = SPECIAL - self.log.len() * Layout::<W>::ENTRY;
        page::put(&mut page, pd::UPPER, &(upper as u16).to_le_bytes());
        out.clear();
        for e in &self.log {
            push_entry(e, &mut out);
        }
        page::put(&mut page, upper, &out);
        Some(page)
    }
}

/// Appends an entry's plain bytes.
pub(in crate::leaf) fn push_entry<const W: usize>(e: &Entry<W>, out: &mut Vec<u8>) {
    for word in e.key.iter().chain([&e.tie]) {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

//! A leaf in memory, for changes that are more than a patch.

use crate::error::Result;
use crate::fences::push_entry;
use crate::key::Entry;
use crate::leaf::format::{Layout, OwnedRun, bitmap_bytes, bits};
use crate::leaf::read::view::Leaf;
use crate::page::{self, Block, Kind, NO_BLOCK, Page, SPECIAL, head, pd};
use crate::policy::leaf::{MAX_SLOTS, MIN_LOG_ROOM};

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
    pub(in crate::leaf) runs: Vec<OwnedRun<W>>,
    /// The entries of the insert log, newest first, as on the page.
    pub(in crate::leaf) log: Vec<Entry<W>>,
    /// The lowest and the highest of the entries that were merged last. None where nothing was
    /// merged since the page was read, or too few entries to tell where later ones will come.
    pub(in crate::leaf) last_merged: Option<(Entry<W>, Entry<W>)>,
}

impl<const W: usize> Leaf<'_, W> {
    /// The contents of the page in memory; the runs stay as they are.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read.
    pub fn contents(&self) -> Result<Contents<W>> {
        let mut runs = Vec::with_capacity(self.runs);
        let mut before = 0;
        for i in 0..self.runs {
            let run = self.run(i)?.run;
            let slots = run.header.slots;
            let mut tombstones = Vec::new();
            if self.tombstones > 0 {
                tombstones = bits::copy(self.bitmap(), before, slots);
                if bits::count(&tombstones) == 0 {
                    tombstones.clear();
                }
            }
            before += slots;
            let bits = slots * run.header.record_bits();
            runs.push(OwnedRun {
                header: run.header,
                data: bits::copy(run.data, 0, bits),
                tombstones,
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
            last_merged: None,
        })
    }
}

impl<const W: usize> Contents<W> {
    /// Contents without entries between these fences, without right sibling and flags.
    pub fn empty(low: Entry<W>, high: Entry<W>) -> Self {
        Self {
            low,
            high,
            right: None,
            flags: 0,
            runs: Vec::new(),
            log: Vec::new(),
            last_merged: None,
        }
    }

    /// Number of live entries.
    pub fn live(&self) -> usize {
        let in_runs: usize = self.runs.iter().map(OwnedRun::live).sum();
        in_runs + self.log.len()
    }

    /// The live entries in order, with those of the log.
    pub fn entries(&self) -> Vec<Entry<W>> {
        let mut all = Vec::with_capacity(self.slots() + self.log.len());
        for run in &self.runs {
            run.append_live(&mut all);
        }
        if !self.log.is_empty() {
            all.extend_from_slice(&self.log);
            all.sort();
        }
        all
    }

    /// Number of slots of all runs.
    pub(in crate::leaf) fn slots(&self) -> usize {
        self.runs.iter().map(|r| r.header.slots).sum()
    }

    /// Number of bytes that the page would take of [`Layout::ROOM`], with room for a bitmap.
    pub(in crate::leaf) fn bytes(&self) -> usize {
        let runs: usize = self
            .runs
            .iter()
            .map(|r| Layout::<W>::RUN_HEADER + r.data.len())
            .sum();
        runs + bitmap_bytes(self.slots()) + self.log.len() * Layout::<W>::ENTRY
    }

    /// Whether the page would be so full that its log could take fewer than `entries` entries.
    pub(in crate::leaf) fn has_no_room_for(&self, entries: usize) -> bool {
        self.bytes() + entries * Layout::<W>::ENTRY > Layout::<W>::ROOM
            || self.slots() + entries > MAX_SLOTS
    }

    /// Whether the page would be so full that its log could take only a few entries.
    pub fn is_tight(&self) -> bool {
        self.has_no_room_for(MIN_LOG_ROOM)
    }

    /// Whether [`Self::to_page`] would return a page.
    pub(in crate::leaf) fn fits(&self) -> bool {
        self.bytes() <= Layout::<W>::ROOM
            && self.slots() <= MAX_SLOTS
            && self.log.len() <= Layout::<W>::MAX_LOG
    }

    /// Adds an entry to the insert log. Returns whether the log had room for it.
    pub(in crate::leaf) fn try_log(&mut self, e: Entry<W>) -> bool {
        let room = self.log.len() < Layout::<W>::MAX_LOG
            && self.bytes() + Layout::<W>::ENTRY <= Layout::<W>::ROOM
            && e.tie != 0;
        if room {
            self.log.insert(0, e);
        }
        room
    }

    /// The page of these contents. None where they do not fit a page.
    pub fn to_page(&self) -> Option<Box<Page>> {
        if !self.fits() {
            return None;
        }
        let mut page = page::init(Kind::Leaf, 0, W);
        let right = self.right.unwrap_or(NO_BLOCK);
        page::put(&mut page, head::FLAGS, &self.flags.to_le_bytes());
        page::put(&mut page, head::RIGHT, &right.to_le_bytes());
        let mut out = Vec::with_capacity(Layout::<W>::ROOM);
        push_entry(&mut out, &self.low);
        push_entry(&mut out, &self.high);
        let slots = self.slots();
        let tombstones: usize = self.runs.iter().map(OwnedRun::deleted).sum();
        for count in [self.runs.len(), slots, tombstones, 0] {
            out.extend_from_slice(&(count as u16).to_le_bytes());
        }
        let mut data = Layout::<W>::run_header(self.runs.len());
        for run in &self.runs {
            run.header.write(data, &mut out);
            data += run.data.len();
        }
        for run in &self.runs {
            out.extend_from_slice(&run.data);
        }
        if tombstones > 0 {
            let mut bitmap = bits::Writer::new(slots);
            for run in &self.runs {
                for from in (0..run.header.slots).step_by(64) {
                    let width = (run.header.slots - from).min(64) as u32;
                    let word = bits::read(&run.tombstones, from, width, bits::mask(width));
                    bitmap.push(word, width);
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
            push_entry(&mut out, e);
        }
        page::put(&mut page, upper, &out);
        Some(page)
    }
}

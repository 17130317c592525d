//! A merge of the insert log: its entries, and one more, go into the runs of the leaf.
//!
//! 1. Each new entry gets its place ([`InsertPoint`]).
//! 2. New entries that follow a run and fit it are appended to it.
//! 3. Of the other runs only those change that new entries come amid, and tiny ones beside them.
//!    Stretches of such runs are regions. [`Region`] decides how a region takes its new entries.

use crate::key::Entry;
use crate::leaf::edit::contents::Contents;
use crate::leaf::edit::insert_points::{InsertPoint, UnpackedRuns, gallop};
use crate::leaf::edit::merge_region::Region;
use crate::leaf::encode::encoder::Encoder;
use crate::leaf::format::{Layout, OwnedRun};
use crate::policy::leaf::{
    MAX_ENTRIES_WITHOUT_TREND, MAX_EXTENSION_HEADERS, MIN_FOLLOWING_SHARE, PARTITION_UNIT,
};

impl<const W: usize> Contents<W> {
    /// Adds an entry and merges the insert log into the runs. An entry that is here already stays
    /// once.
    pub fn insert(&mut self, e: Entry<W>) {
        self.merge(&self.log_and(Some(e)));
    }

    /// Merges the insert log into the runs.
    pub(in crate::leaf) fn merge_log(&mut self) {
        self.merge(&self.log_and(None));
    }

    /// The entries of the log, and one more, in order, each of them once.
    pub(in crate::leaf) fn log_and(&self, e: Option<Entry<W>>) -> Vec<Entry<W>> {
        let mut all: Vec<_> = self.log.iter().copied().chain(e).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Merges `new` (ascending) into the runs and empties the log, whose entries are among `new`.
    pub(in crate::leaf) fn merge(&mut self, new: &[Entry<W>]) {
        self.log.clear();
        self.last_merged = match new {
            [first, .., last] if new.len() > MAX_ENTRIES_WITHOUT_TREND => Some((*first, *last)),
            _ => None,
        };
        let mut unpacked = UnpackedRuns::default();
        let mut points = self.insert_points(new, &mut unpacked);
        self.extend_runs(&mut points);
        if points.is_empty() {
            return;
        }
        let is_chosen = runs_to_encode(&self.runs, &points);
        let mut old = std::mem::take(&mut self.runs).into_iter();
        let mut encoder = Encoder::new();
        let mut points = points.as_slice();
        let mut start = 0;
        loop {
            let rest = is_chosen.get(start..).unwrap_or_default();
            let end = start + rest.iter().take_while(|chosen| **chosen).count();
            let runs: Vec<_> = old.by_ref().take(end - start).collect();
            let is_here = |p: &&InsertPoint<W>| p.run < end || (p.run == end && p.slot == 0);
            let (here, later) = points.split_at(points.iter().take_while(is_here).count());
            points = later;
            let region = Region {
                runs: &runs,
                first: start,
                new: here,
            };
            if here.is_empty() {
                self.runs.extend(runs);
            } else if runs.is_empty() {
                self.runs.extend(region.encode_new(&mut encoder));
            } else {
                self.runs.extend(region.merge(&mut encoder, &unpacked));
            }
            let Some(unchanged) = old.next() else { break };
            self.runs.push(unchanged);
            start = end + 1;
        }
    }

    /// Appends new entries to the runs that they follow, as far as they fit there, and takes them
    /// out of `points`. Entries in larger numbers stay: they may take less room in a run of their
    /// own ([`MAX_EXTENSION_HEADERS`]).
    fn extend_runs(&mut self, points: &mut Vec<InsertPoint<W>>) {
        const MAX_BITS: usize = MAX_EXTENSION_HEADERS * 8;
        let mut left = Vec::with_capacity(points.len());
        for here in points.chunk_by(|a, b| a.run == b.run) {
            let mut taken = 0;
            if let Some(p) = here.first()
                && let Some(run) = self.runs.get_mut(p.run)
                && p.slot == run.header.slots
                && here.len() * run.header.record_bits() <= MAX_BITS * Layout::<W>::RUN_HEADER
            {
                taken = run.extend(here.iter().map(|p| &p.entry));
            }
            // The end of the run has moved.
            left.extend(here.iter().skip(taken).map(|p| InsertPoint {
                slot: p.slot + taken,
                ..*p
            }));
        }
        *points = left;
    }

    /// Whether a merge of `new` (ascending) would come amid runs (not behind them) that have more
    /// than `most` slots together.
    pub(in crate::leaf) fn would_encode_more(&self, new: &[Entry<W>], most: usize) -> bool {
        let firsts = self.firsts();
        let (mut slots, mut at) = (0, 0);
        for (i, (run, first)) in self.runs.iter().zip(&firsts).enumerate() {
            at = gallop(new, at, first);
            let Some(e) = new.get(at) else { break };
            // In this case the end of the run need not be decoded.
            let elsewhere = firsts.get(i + 1).is_some_and(|next| e >= next);
            if !elsewhere && *e < run.run().entry(run.header.slots - 1) {
                slots += run.header.slots;
                if slots > most {
                    return true;
                }
            }
        }
        false
    }
}

/// For each run, whether a merge encodes it again (or cuts it) with the new entries: runs that
/// these come amid, and tiny ones. A large run that new entries only follow is not worth it: they
/// gather in runs beside it until they are [`MIN_FOLLOWING_SHARE`] of it.
fn runs_to_encode<const W: usize>(old: &[OwnedRun<W>], points: &[InsertPoint<W>]) -> Vec<bool> {
    let mut is_chosen = vec![false; old.len()];
    let mut rest = points;
    // Number of entries behind the run that are encoded anyway: new ones, and those of tiny runs.
    let mut loose = 0;
    for (i, (run, is_chosen)) in old.iter().zip(&mut is_chosen).enumerate().rev() {
        let (before, here) =
            rest.split_at(rest.iter().rposition(|p| p.run < i).map_or(0, |p| p + 1));
        rest = before;
        let slots = run.header.slots;
        if slots <= PARTITION_UNIT {
            loose += slots + here.len();
            *is_chosen = true;
            continue;
        }
        let is_amid = here.iter().any(|p| p.slot > 0 && p.slot < slots);
        let is_share = MIN_FOLLOWING_SHARE.is_reached(here.len() + loose, slots);
        *is_chosen = is_amid || !here.is_empty() && is_share;
        loose = 0;
    }
    is_chosen
}

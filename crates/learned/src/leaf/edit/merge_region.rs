//! How a region (neighbouring runs that a merge changes) takes its new entries.
//!
//! There are two ways. To **encode** the region: its live entries and the new ones become new runs.
//! To **cut** it: the runs are cut where new entries go, and these are in runs of their own between
//! the parts. The smaller result is taken, as far as that can be told without carrying out both.

use crate::key::Entry;
use crate::leaf::edit::insert_points::{InsertPoint, UnpackedRuns, gallop};
use crate::leaf::encode::encoder::Encoder;
use crate::leaf::format::owned_run::total_cost;
use crate::leaf::format::{Layout, OwnedRun};
use crate::policy::leaf::{
    MAX_COARSE_SIZE, MAX_HEADERS_PER_GAP, MIN_ENCODED_SHARE, MIN_HEADERS_PER_GAP,
    MIN_SHARE_OF_A_LARGE_GAP, PARTITION_UNIT, SCATTERED_SHARE,
};

/// Neighbouring runs, and the new entries that go amid, before and behind them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region<'a, const W: usize> {
    pub runs: &'a [OwnedRun<W>],
    /// Number of the first of the runs in the leaf.
    pub first: usize,
    /// New entries, ascending.
    pub new: &'a [InsertPoint<W>],
}

/// The entries of a region, with the new ones.
struct Candidates<const W: usize> {
    /// All live entries and all new ones, ascending.
    entries: Vec<Entry<W>>,
    /// For each run, the number of entries up to its end, new ones included.
    ends: Vec<usize>,
}

/// What is known of the costs of a region before it is changed, in bits unless otherwise said.
struct Costs<const W: usize> {
    /// Cost of the runs as they are.
    before: usize,
    /// Number of live entries of the runs.
    old: usize,
    /// Number of new entries.
    new: usize,
    /// Number of gaps: places between two slots where new entries go.
    gaps: usize,
    /// Number of new entries in large gaps. More than [`PARTITION_UNIT`] entries go to such a gap,
    /// so they are runs of their own either way.
    in_large_gaps: usize,
}

impl<const W: usize> Costs<W> {
    fn new(region: &Region<'_, W>, candidates: &Candidates<W>) -> Self {
        let (mut gaps, mut in_large_gaps) = (0, 0);
        for gap in region
            .new
            .chunk_by(|a, b| (a.run, a.slot) == (b.run, b.slot))
        {
            gaps += 1;
            if gap.len() > PARTITION_UNIT {
                in_large_gaps += gap.len();
            }
        }
        let new = region.new.len();
        Self {
            before: total_cost(region.runs),
            old: candidates.entries.len() - new,
            new,
            gaps,
            in_large_gaps,
        }
    }

    /// Number of all entries.
    fn entries(&self) -> usize {
        self.old + self.new
    }

    /// Whether the new entries are scattered over the region.
    fn are_scattered(&self) -> bool {
        SCATTERED_SHARE.is_exceeded(self.gaps, self.new)
    }

    /// Whether runs of all entries that cost `planned` are less dense than the runs as they are.
    fn are_less_dense(&self, planned: usize) -> bool {
        MAX_COARSE_SIZE.is_exceeded(planned * self.old, self.before * self.entries())
    }

    /// Most that cutting costs: all headers that gaps can add, and new entries that are not packed.
    fn max_cut(&self) -> usize {
        let header = 8 * (Layout::<W>::RUN_HEADER + 1);
        self.before + self.gaps * MAX_HEADERS_PER_GAP * header + self.new * 8 * Layout::<W>::ENTRY
    }

    /// Least that cutting costs, where encoding all entries costs `encoded`.
    fn min_cut(&self, encoded: usize) -> usize {
        let large_gaps =
            MIN_SHARE_OF_A_LARGE_GAP.times(self.in_large_gaps * encoded) / self.entries().max(1);
        self.before + self.gaps * MIN_HEADERS_PER_GAP * 8 * Layout::<W>::RUN_HEADER + large_gaps
    }
}

impl<const W: usize> Region<'_, W> {
    /// The runs that take the place of the region's.
    pub(super) fn merge(
        &self,
        encoder: &mut Encoder<W>,
        unpacked: &UnpackedRuns<W>,
    ) -> Vec<OwnedRun<W>> {
        let candidates = self.gather(unpacked);
        let costs = Costs::new(self, &candidates);
        let planned = plan(encoder, &candidates, &costs);
        self.choose(encoder, &costs, planned)
    }

    /// The new entries alone as runs, for a region without runs.
    pub(super) fn encode_new(&self, encoder: &mut Encoder<W>) -> Vec<OwnedRun<W>> {
        let entries: Vec<_> = self.new.iter().map(|p| p.entry).collect();
        encoder.encode(&entries, PARTITION_UNIT)
    }

    /// Gathers the entries. `unpacked` has the slots of the runs that new entries come amid.
    fn gather(&self, unpacked: &UnpackedRuns<W>) -> Candidates<W> {
        let slots: usize = self.runs.iter().map(|r| r.header.slots).sum();
        let mut entries = Vec::with_capacity(slots + self.new.len());
        let mut ends = Vec::with_capacity(self.runs.len());
        let mut live = Vec::new();
        let mut rest = self.new;
        for (i, run) in self.runs.iter().enumerate() {
            let number = self.first + i;
            let is_here = |p: &&InsertPoint<W>| p.run <= number;
            let (here, later) = rest.split_at(rest.iter().take_while(is_here).count());
            let mut old = unpacked.slots(number);
            if old.len() != run.header.slots || !run.tombstones.is_empty() {
                live.clear();
                run.append_live(&mut live);
                old = &live;
            }
            let mut done = 0;
            for p in here {
                let at = match p.run < number {
                    // The entry is behind the run before the region.
                    true => 0,
                    false if run.tombstones.is_empty() => p.slot,
                    false => gallop(old, done, &p.entry),
                };
                entries.extend_from_slice(old.get(done..at).unwrap_or_default());
                entries.push(p.entry);
                done = at;
            }
            entries.extend_from_slice(old.get(done..).unwrap_or_default());
            ends.push(entries.len());
            rest = later;
        }
        entries.extend(rest.iter().map(|p| p.entry));
        Candidates { entries, ends }
    }

    /// Chooses the smaller of both ways, of which encoding is planned and estimated at `planned`
    /// bits, and carries it out. Often the bounds of what cutting costs settle it.
    fn choose(
        &self,
        encoder: &mut Encoder<W>,
        costs: &Costs<W>,
        planned: usize,
    ) -> Vec<OwnedRun<W>> {
        if MIN_ENCODED_SHARE.times(planned) > costs.max_cut() {
            return self.cut(encoder);
        }
        let encoded = encoder.encode_plan();
        let cost = total_cost(&encoded);
        if cost <= costs.min_cut(cost) {
            return encoded;
        }
        let cut = self.cut(encoder);
        if cost <= total_cost(&cut) {
            encoded
        } else {
            cut
        }
    }

    /// The runs, cut where new entries go, with these in runs of their own between the parts.
    fn cut(&self, encoder: &mut Encoder<W>) -> Vec<OwnedRun<W>> {
        let mut out = Vec::new();
        let mut new = self.new.iter().peekable();
        let mut gap = Vec::new();
        // New entries behind the run before the region.
        while let Some(p) = new.next_if(|p| p.run < self.first) {
            gap.push(p.entry);
        }
        for (i, run) in self.runs.iter().enumerate() {
            let slots = run.header.slots;
            let mut done = 0;
            while let Some(p) = new.next_if(|p| p.run == self.first + i) {
                if p.slot > done {
                    encode_gap(encoder, &mut gap, &mut out);
                    out.push(run.slice(done, p.slot));
                    done = p.slot;
                }
                gap.push(p.entry);
            }
            if done < slots {
                encode_gap(encoder, &mut gap, &mut out);
                out.push(run.slice(done, slots));
            }
        }
        // New entries behind the region.
        gap.extend(new.map(|p| p.entry));
        encode_gap(encoder, &mut gap, &mut out);
        out
    }
}

/// Plans the encoding of all candidates. Returns an estimate of its cost, in bits.
///
/// About the same runs as before are expected, so the plan goes along the old ends. Where its runs
/// are less dense than the old ones, all entries are partitioned finely instead, unless the new
/// ones are scattered: these make any runs less dense.
fn plan<const W: usize>(
    encoder: &mut Encoder<W>,
    candidates: &Candidates<W>,
    costs: &Costs<W>,
) -> usize {
    encoder.plan_along(&candidates.entries, &candidates.ends);
    if !costs.are_scattered() && costs.are_less_dense(8 * encoder.estimate()) {
        encoder.plan(&candidates.entries, PARTITION_UNIT);
    }
    8 * encoder.estimate()
}

/// Appends the runs of the entries of `gap` to `out`, and empties `gap`.
fn encode_gap<const W: usize>(
    encoder: &mut Encoder<W>,
    gap: &mut Vec<Entry<W>>,
    out: &mut Vec<OwnedRun<W>>,
) {
    if !gap.is_empty() {
        out.extend(encoder.encode(gap, PARTITION_UNIT));
        gap.clear();
    }
}

//! Where to cut sorted entries into runs.
//!
//! The entries are cut into units of equal length: [`PARTITION_UNIT`] entries, or more where longer
//! runs are likely. Neighbours are united, pass by pass, while the sum of bits falls, headers
//! included. A pass pairs neighbours, so that even data take log2(units) passes, each of half the
//! length of the one before. The hulls of both sides tell what a union costs, without a look at
//! the entries.

use crate::key::Entry;
use crate::leaf::encode::columns::ColumnBuffers;
use crate::leaf::encode::stats::{ColumnStats, Known};
use crate::leaf::format::Layout;
use crate::policy::leaf::{MAX_PARTITION_UNIT, PARTITION_UNIT};

/// The length of a unit for `entries` entries that are likely to be `runs` runs: the mean length of
/// a run, rounded down to a power of two, so that units add up to about the same runs.
pub(in crate::leaf) fn unit_for(entries: usize, runs: usize) -> usize {
    let run = entries / runs.max(1);
    (1 << run.max(1).ilog2()).clamp(PARTITION_UNIT, MAX_PARTITION_UNIT)
}

/// Consecutive entries that are planned as one run, unless a longer run is better.
#[derive(Debug, Clone)]
pub(in crate::leaf) struct RunPlan<const W: usize> {
    /// The entries `from..to`.
    pub from: usize,
    pub to: usize,
    pub words: [ColumnStats; W],
    pub tid: ColumnStats,
    /// Bits 48 to 63 of all ties, in place.
    pub high: u64,
    /// Number of bits that the run takes, with its header.
    pub cost: u64,
    /// Whether the union with the next plan was tried in vain.
    settled: bool,
}

impl<const W: usize> RunPlan<W> {
    fn empty() -> Self {
        Self {
            from: 0,
            to: 0,
            words: std::array::from_fn(|_| ColumnStats::default()),
            tid: ColumnStats::default(),
            high: 0,
            cost: 0,
            settled: false,
        }
    }

    /// Sets the cost.
    fn set_cost(&mut self) {
        let record: u32 = self.words.iter().map(|w| w.width).sum::<u32>() + self.tid.width;
        self.cost =
            8 * Layout::<W>::RUN_HEADER as u64 + (self.to - self.from) as u64 * u64::from(record);
    }
}

/// A partition of entries into planned runs. It keeps the memory of the partitions before.
#[derive(Debug)]
pub(in crate::leaf) struct Partition<const W: usize> {
    all: Vec<RunPlan<W>>,
    len: usize,
    trial: RunPlan<W>,
}

impl<const W: usize> Partition<W> {
    pub(in crate::leaf) fn new() -> Self {
        Self {
            all: Vec::new(),
            len: 0,
            trial: RunPlan::empty(),
        }
    }

    /// The planned runs, ascending.
    pub(in crate::leaf) fn plans(&self) -> &[RunPlan<W>] {
        self.all.get(..self.len).unwrap_or_default()
    }

    /// Plans runs for ascending entries, whose columns are `columns`. They are put together from
    /// units of `unit` entries, each of which ends at the next of `ends` (ascending) at the latest.
    pub(in crate::leaf) fn plan(
        &mut self,
        entries: &[Entry<W>],
        columns: &ColumnBuffers<W>,
        unit: usize,
        ends: &[usize],
    ) {
        let unit = unit.clamp(1, MAX_PARTITION_UNIT);
        let units = entries.len() / unit + 1;
        self.all.reserve(units.saturating_sub(self.all.len()));
        let mut at = 0;
        let mut ends = ends.iter().copied().peekable();
        self.len = 0;
        while let Some(first) = entries.get(at) {
            while ends.next_if(|end| *end <= at).is_some() {}
            let most = ends.peek().map_or(unit, |end| unit.min(end - at));
            let len = columns.unit_length(entries, at, most);
            if self.len == self.all.len() {
                self.all.push(RunPlan::empty());
            }
            let Some(plan) = self.all.get_mut(self.len) else {
                break;
            };
            self.len += 1;
            let range = at..at + len;
            for (i, (stats, values)) in plan.words.iter_mut().zip(&columns.words).enumerate() {
                let known = if i == 0 && columns.ascends {
                    Known::Ascends
                } else {
                    Known::Nothing
                };
                let values = values.get(range.clone()).unwrap_or_default();
                stats.set(values, at as u32, known);
            }
            let values = columns.ordinals.get(range).unwrap_or_default();
            plan.tid.set(values, at as u32, Known::Unscaled);
            plan.from = at;
            plan.to = at + len;
            plan.high = first.tie & 0xFFFF << 48;
            plan.settled = false;
            plan.set_cost();
            at += len;
        }
        let plans = self.all.get_mut(..self.len).unwrap_or_default();
        self.len = unite_neighbours(plans, &mut self.trial);
    }
}

/// Unites neighbours as long as that saves bits. Returns the number of plans that are left, which
/// come first.
fn unite_neighbours<const W: usize>(plans: &mut [RunPlan<W>], trial: &mut RunPlan<W>) -> usize {
    let mut before = plans.len();
    while before > 1 {
        // The plans up to `kept` are the result of this pass; `kept` is the last of them.
        let mut kept = 0;
        let mut may_unite = true;
        for next in 1..before {
            let (done, rest) = plans.split_at_mut(next);
            let (Some(a), Some(b)) = (done.get_mut(kept), rest.first_mut()) else {
                break;
            };
            if may_unite && !a.settled && try_unite(a, b, trial) {
                std::mem::swap(a, trial);
                if let Some(p) = kept.checked_sub(1).and_then(|p| done.get_mut(p)) {
                    p.settled = false;
                }
                // Each plan is united once in a pass, so that lengths stay even.
                may_unite = false;
                continue;
            }
            kept += 1;
            may_unite = true;
            plans.swap(kept, next);
        }
        if before == kept + 1 {
            break;
        }
        before = kept + 1;
    }
    before
}

/// Makes `trial` the union of `a` and `b`. Returns whether it costs less than both.
fn try_unite<const W: usize>(a: &mut RunPlan<W>, b: &RunPlan<W>, trial: &mut RunPlan<W>) -> bool {
    a.settled = true;
    if a.high != b.high {
        return false;
    }
    trial.from = a.from;
    trial.to = b.to;
    trial.high = a.high;
    trial.settled = false;
    let budget = a.cost + b.cost;
    trial.tid.unite(&a.tid, &b.tid);
    for ((t, a), b) in trial.words.iter_mut().zip(&a.words).zip(&b.words) {
        t.unite(a, b);
    }
    trial.set_cost();
    trial.cost < budget
}

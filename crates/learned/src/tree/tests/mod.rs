//! Simulation of the tree on the in-memory store, against a `BTreeSet`.

mod concurrent;
mod crash;
mod damage;
mod delete_dead;
mod join;
mod join_threads;
mod pages_read;
mod positions;
mod redistribute;
mod rules;
mod sessions;
mod shift;
mod simulate;
mod unique;

use std::collections::BTreeSet;

use super::{Builder, Tree, TreeReport, empty_index};
use crate::key::{Entry, tie_of};
use crate::leaf::Leaf;
use crate::mem::{Mem, Pages};
use crate::model::Training;
use crate::rng::Rng;
use crate::store::{Guard, Store};

/// Words of the keys in most tests. All but the first are noise, so that few entries fit a leaf.
const WORDS: usize = 8;
/// Items of inner pages, so that few leaves make a high tree.
const FANOUT: usize = 3;
/// Fill factor.
const FILL: u8 = 90;

/// Page locks after which a test fails: no test needs as many.
const ENDLESS: u64 = 20_000_000;

type Set<const W: usize> = BTreeSet<Entry<W>>;

/// The entry of the `n`th key; equal `n` give equal keys.
fn entry<const W: usize>(n: u64, tid: u64) -> Entry<W> {
    let mut noise = Rng::new(n ^ 0xABCD);
    let mut key: [u64; W] = std::array::from_fn(|_| noise.next());
    key[0] = n;
    Entry::new(key, tie_of((tid / 200) as u32, (tid % 200 + 1) as u16))
}

/// A training of `leaves` leaves that are near no line.
fn irregular<const W: usize>(leaves: u64) -> Training<W> {
    let mut training = Training::new();
    let mut n = 0;
    for i in 0..leaves {
        training.push(&entry(n, i), 1);
        n += 1 << Rng::new(i).below(40);
    }
    training
}

/// The order of new keys.
#[derive(Debug, Clone, Copy)]
enum Pattern {
    Ascending,
    Descending,
    Random,
    Duplicates,
    Groups,
}

const PATTERNS: [Pattern; 5] = [
    Pattern::Ascending,
    Pattern::Descending,
    Pattern::Random,
    Pattern::Duplicates,
    Pattern::Groups,
];

/// The seeds of a test: `count` of them from `first` on. OMENDB_SEEDS sets the number for a long
/// run; OMENDB_SEED repeats one.
fn seeds(first: u64, count: u64) -> std::ops::Range<u64> {
    let set = |name| std::env::var(name).ok()?.parse().ok();
    match set("OMENDB_SEED") {
        Some(seed) => seed..seed + 1,
        None => first..first + set("OMENDB_SEEDS").unwrap_or(count),
    }
}

/// The pattern of a seed.
fn pattern_of(seed: u64) -> Pattern {
    PATTERNS[(seed % PATTERNS.len() as u64) as usize]
}

impl Pattern {
    fn entry<const W: usize>(self, i: u64, rng: &mut Rng) -> Entry<W> {
        let n = match self {
            Self::Ascending => 1_000_000 + i,
            Self::Descending => 2_000_000 - i,
            Self::Random => rng.below(1 << 40),
            Self::Duplicates => rng.below(3),
            Self::Groups => rng.below(4) << 32 | i,
        };
        // Ties in and out of order.
        let tid = if rng.chance(50) {
            i
        } else {
            rng.below(1 << 30)
        };
        entry(n, tid)
    }
}

/// By how many times more entries fit a leaf than when the tests were written, within limits.
fn scale() -> u64 {
    let set: Set<WORDS> = (0..2000).map(|i| entry(i, i)).collect();
    let leaves = check(&build(&set), &set).leaves;
    (2000 / leaves / 12).clamp(1, 8)
}

fn empty<const W: usize>() -> Mem {
    let mem = Mem::from_blocks(empty_index::<W>(FILL, *b"test key"));
    mem.limit_reads(ENDLESS);
    mem
}

fn build<const W: usize>(entries: &Set<W>) -> Mem {
    build_filled(entries, FILL)
}

fn build_filled<const W: usize>(entries: &Set<W>, fill: u8) -> Mem {
    build_wide(entries, fill, FANOUT)
}

fn build_wide<const W: usize>(entries: &Set<W>, fill: u8, fanout: usize) -> Mem {
    let mut pages = Pages::default();
    let mut builder = Builder::new(&mut pages, fill, *b"test key").with_inner_limit(fanout);
    for entry in entries {
        builder.push(*entry).unwrap();
    }
    let built = builder.finish(0).unwrap();
    assert_eq!(built.blocks as usize, pages.0.len());
    assert_eq!(built.entries, entries.len() as u64);
    let mem = Mem::new(pages.0);
    mem.limit_reads(ENDLESS);
    mem
}

/// The model; of a divided model, every other time only the root.
fn model<const W: usize>(mem: &Mem, rng: &mut Rng) -> Option<Vec<u8>> {
    let tree = tree::<W>(mem, None);
    let budget = if rng.chance(50) { 0 } else { usize::MAX };
    tree.load_model_at(&tree.meta().unwrap().model, budget)
        .unwrap()
}

fn tree<'a, const W: usize>(mem: &'a Mem, model: Option<&'a [u8]>) -> Tree<'a, Mem, W> {
    match model {
        Some(bytes) => Tree::with_model(mem, bytes),
        None => Tree::new(mem),
    }
    .with_inner_limit(FANOUT)
}

/// Verifies the index and that it holds exactly `expected`.
fn check<const W: usize>(mem: &Mem, expected: &Set<W>) -> TreeReport {
    let mut found = Vec::new();
    let report = tree::<W>(mem, None)
        .verify(&mut |entry| found.push(*entry))
        .unwrap();
    assert!(found.iter().eq(expected.iter()), "entries differ");
    assert_eq!(mem.breaches(), Vec::<String>::new());
    report
}

/// The entries of a range, found by a scan that sometimes releases its page after a batch and
/// searches for it again.
fn forward<const W: usize>(
    tree: &Tree<'_, Mem, W>,
    from: &Entry<W>,
    until: &Entry<W>,
    rng: &mut Rng,
) -> Vec<Entry<W>> {
    let (mut out, mut from) = (Vec::new(), *from);
    let mut leaf = tree.find(&from).unwrap();
    loop {
        let limit = 1 + rng.below(9) as usize;
        let view = Leaf::<W>::open(&leaf, leaf.block()).unwrap();
        let more = view.forward(&from, until, limit, &mut out).unwrap();
        let (high, right) = (view.high(), view.right());
        if more {
            from = *out.last().unwrap();
            from.tie += 1;
            if rng.chance(30) {
                drop(leaf);
                leaf = tree.find(&from).unwrap();
            }
        } else {
            drop(leaf);
            if high >= *until {
                return out;
            }
            match tree.next(&high, right).unwrap() {
                // The leaf may have been joined with the one before.
                Some(next) => (leaf, from) = (next, high),
                None => return out,
            }
        }
    }
}

/// As [`forward`], in descending order.
fn backward<const W: usize>(
    tree: &Tree<'_, Mem, W>,
    from: &Entry<W>,
    until: &Entry<W>,
    rng: &mut Rng,
) -> Vec<Entry<W>> {
    let (mut out, mut until) = (Vec::new(), *until);
    let mut leaf = tree.find_before(&until).unwrap();
    while let Some(page) = leaf.take() {
        let limit = 1 + rng.below(9) as usize;
        let view = Leaf::<W>::open(&page, page.block()).unwrap();
        let more = view.backward(from, &until, limit, &mut out).unwrap();
        let low = view.low();
        if more {
            until = *out.last().unwrap();
            if rng.chance(70) {
                leaf = Some(page);
            } else {
                drop(page);
                leaf = tree.find_before(&until).unwrap();
            }
        } else {
            drop(page);
            if low <= *from {
                break;
            }
            // The leaf below may have been joined with this one.
            until = until.min(low);
            leaf = tree.find_before(&until).unwrap();
        }
    }
    out
}

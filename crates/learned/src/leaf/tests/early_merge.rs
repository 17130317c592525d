//! Early merges, with all that may happen to the leaf in between.

use super::*;
use crate::page::{self, CHURNED, head, pd};
use crate::store::{Change, zero_hole};
use std::collections::BTreeSet;

/// A leaf whose log is due for an early merge, after it has taken the last entry.
struct DueLeaf<const W: usize> {
    page: Box<Page>,
    /// Entries of the leaf.
    all: BTreeSet<Entry<W>>,
    /// Entries that the leaf does not have yet.
    rest: Vec<Entry<W>>,
}

/// Adds entries of a shape to a page that has every other one of them. Calls `each` with the leaf
/// whenever an early merge is due.
fn each_due_leaf<const W: usize>(shape: &str, seed: u64, mut each: impl FnMut(DueLeaf<W>)) {
    let mut rng = Rng(seed);
    let pool: Vec<Entry<W>> = entries(shape, 3000, seed);
    let pool: Vec<_> = pool.into_iter().filter(|e| e.tie != 0).collect();
    let (first, mut page) = full_page(&pool.iter().step_by(2).copied().collect::<Vec<_>>());
    // Half of a full page.
    let first = &first[..first.len() / 2];
    if let Some(half) = leaf_of(first).to_page() {
        page = half;
    }
    let mut all: BTreeSet<_> = first.iter().copied().collect();
    let mut rest: Vec<_> = pool.into_iter().filter(|e| !all.contains(e)).collect();
    rng.shuffle(&mut rest);
    let mut asked = 0;
    while let Some(e) = rest.pop() {
        let leaf = open::<W>(&page);
        let due = leaf.is_due_for_early_merge();
        match leaf.add(&e, &[], 97).unwrap() {
            Added::Appended(patch, _) => patch.apply(&mut page),
            Added::Logged(patch, _) => {
                patch.apply(&mut page);
                all.insert(e);
                if due {
                    asked += 1;
                    let (page, all, rest) = (page.clone(), all.clone(), rest.clone());
                    each(DueLeaf { page, all, rest });
                }
                continue;
            }
            Added::Merged(new) => {
                assert!(asked <= 1, "{shape}: asked {asked} times");
                asked = 0;
                page = new;
            }
            Added::Split(_) | Added::Bisected(_) => return,
        }
        all.insert(e);
    }
}

/// The number of entries of each merge, early or of a full log, until the leaf is split. All
/// entries come to one leaf with these flags, in order but up to `span` places too early.
fn merge_sizes<const W: usize>(shape: &str, flags: u16, span: u64) -> Vec<usize> {
    let mut rng = Rng(W as u64);
    let mut all: Vec<Entry<W>> = entries(shape, 20_000, 5);
    all.retain(|e| e.tie != 0);
    for i in 0..all.len() {
        let early = rng.below(span.min((all.len() - i) as u64));
        all.swap(i, i + early as usize);
    }
    let (mut page, mut sizes) = (leaf_of::<W>(&[]).to_page().unwrap(), Vec::new());
    page::put(&mut page, head::FLAGS, &flags.to_le_bytes());
    for e in all {
        let leaf = open::<W>(&page);
        let (size, due) = (leaf.log_len() + 1, leaf.is_due_for_early_merge());
        match leaf.add(&e, &[], 97).unwrap() {
            Added::Appended(patch, _) => patch.apply(&mut page),
            Added::Logged(patch, _) => {
                patch.apply(&mut page);
                let copy = open::<W>(&page);
                if due && let Some(merged) = copy.merge_early().unwrap() {
                    sizes.push(size);
                    page = copy.apply_early_merge(&page, merged).unwrap().unwrap();
                }
            }
            Added::Merged(new) => {
                sizes.push(size);
                page = new;
            }
            Added::Split(_) | Added::Bisected(_) => break,
        }
    }
    sizes
}

/// As a leaf fills up, its log gets shorter. It is not merged again and again, for a few entries
/// each time.
#[test]
fn short_logs_are_not_merged_early() {
    for shape in SHAPES {
        for (flags, span) in [(0, 20), (0, 20_000), (CHURNED, 20_000)] {
            for sizes in [
                merge_sizes::<1>(shape, flags, span),
                merge_sizes::<2>(shape, flags, span),
                merge_sizes::<4>(shape, flags, span),
                merge_sizes::<8>(shape, flags, span),
            ] {
                let few = sizes.iter().filter(|size| **size <= EARLY_MERGE_ROOM);
                assert!(few.count() == 0, "{shape}, {span}: {sizes:?}");
            }
        }
    }
}

/// Changes what the server changes with each record: the position in the log, and the checksum.
fn stamp(page: &mut Page, rng: &mut Rng) {
    page::put(page, 0, &rng.next().to_le_bytes());
    page::put(page, 8, &rng.next().to_le_bytes()[..2]);
}

/// Merges early while 0, 1, 2, ... entries are logged. `done` counts the merges of each kind.
fn log_during_early_merges<const W: usize>(done: &mut [usize]) {
    for shape in SHAPES {
        let mut rng = Rng(W as u64);
        each_due_leaf::<W>(shape, 3, |DueLeaf { page, all, rest }| {
            let mut now = page.clone();
            let mut all = all.clone();
            let copy = open::<W>(&page);
            let Some(merged) = copy.merge_early().unwrap() else {
                return;
            };
            for (count, e) in rest.iter().take(EARLY_MERGE_ROOM).enumerate() {
                let new = copy.apply_early_merge(&now, merged.clone()).unwrap();
                if let Some(new) = new {
                    done[count] += 1;
                    let leaf = open::<W>(&new);
                    assert_eq!(leaf.verify().unwrap().log, count, "{shape}");
                    let found = leaf.contents().unwrap().entries();
                    assert!(found.iter().eq(&all), "{shape}: {count} logged meanwhile");
                    let mut put = now.clone();
                    match Change::between(&now, new.clone()) {
                        Change::Image(image) => *put = *image,
                        Change::Patch(patch) => patch.apply(&mut put),
                    }
                    zero_hole(&mut put);
                    assert!(put[pd::FLAGS..] == new[pd::FLAGS..], "{shape}: the change");
                }
                let (patch, _) = open::<W>(&now).try_log(e, &[]).unwrap();
                patch.apply(&mut now);
                stamp(&mut now, &mut rng);
                all.insert(*e);
            }
        });
    }
}

#[test]
fn entries_logged_meanwhile_stay_in_the_log() {
    let mut done = [0; EARLY_MERGE_ROOM];
    log_during_early_merges::<1>(&mut done);
    log_during_early_merges::<2>(&mut done);
    log_during_early_merges::<4>(&mut done);
    log_during_early_merges::<8>(&mut done);
    assert!(done.iter().all(|&count| count > 100), "{done:?}");
}

/// What a leaf may become while it is not locked, and other pages in its place.
fn changed_pages<const W: usize>(page: &Page, e: &Entry<W>) -> Vec<(&'static str, Box<Page>)> {
    let leaf = open::<W>(page);
    let with = |at: usize, bytes: &[u8]| {
        let mut page = Box::new(*page);
        page::put(&mut page, at, bytes);
        page
    };
    let contents = leaf.contents().unwrap();
    let mut merged = contents.clone();
    merged.insert(*e);
    let mut another = contents.clone();
    another.log.pop();
    another.log.push(*e);
    let (left, right) = contents.clone().bisect().unwrap();
    let deleted = |e| leaf.delete_entries(&[e]).unwrap().unwrap();
    let mut some = vec![
        ("churned", with(head::FLAGS, &CHURNED.to_le_bytes())),
        (
            "a new right sibling",
            with(head::RIGHT, &9u32.to_le_bytes()),
        ),
        (
            "an entry of a run deleted",
            deleted(contents.runs[0].run().entry(0)),
        ),
        (
            "the oldest entry of the log deleted",
            deleted(leaf.logged(leaf.log_len() - 1)),
        ),
        (
            "another entry in place of the oldest one of the log",
            another.to_page().unwrap(),
        ),
        ("a hole that begins elsewhere", with(pd::LOWER, &[0, 1])),
        ("split, the left part", left.to_page().unwrap()),
        ("split, the right part", right.to_page().unwrap()),
        ("free", page::free(W, 0)),
        ("an inner page", page::init(page::Kind::Inner, 1, W)),
        ("zeroes", Box::new([0; 8192])),
    ];
    some.extend(merged.to_page().map(|page| ("merged", page)));
    some
}

#[test]
fn a_merge_is_lost_after_any_other_change() {
    let mut seen = 0;
    for shape in SHAPES {
        each_due_leaf::<1>(shape, 4, |DueLeaf { page, rest, .. }| {
            let copy = open::<1>(&page);
            let merged = copy.merge_early().unwrap();
            let (Some(merged), Some(e)) = (merged, rest.first()) else {
                return;
            };
            seen += 1;
            for (what, now) in changed_pages(&page, e) {
                let put = copy.apply_early_merge(&now, merged.clone());
                assert!(put.unwrap().is_none(), "{shape}: {what}");
            }
        });
    }
    assert!(seen > 10, "{seen}");
}

/// Only the leaves at the ends of the index are merged early.
#[test]
fn logs_of_other_leaves_are_merged_when_they_are_full() {
    let all: Vec<Entry<1>> = entries("uniform", 400, 1);
    for (low, high, is_end) in [
        (Entry::MIN, all[300], true),
        (all[0], Entry::MAX, true),
        (all[0], all[300], false),
    ] {
        let mut contents = leaf_of(&all[..200]);
        (contents.low, contents.high) = (low, high);
        let mut page = contents.to_page().unwrap();
        let mut asked = false;
        for i in 1..=Layout::<1>::MAX_LOG as u64 {
            let e = Entry::new([all[100].key[0]], i);
            asked |= open::<1>(&page).is_due_for_early_merge();
            let (patch, _) = open::<1>(&page).try_log(&e, &[]).unwrap();
            patch.apply(&mut page);
        }
        assert_eq!(asked, is_end);
    }
}

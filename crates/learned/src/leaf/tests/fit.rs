//! The results of all changes fit their pages, even after the merge of a full log.

use super::model::{delete_dead, insert};
use super::*;
use crate::key::tie_of;

/// Adds entries with distant TIDs, which fit no run, until the page is split several times.
fn far_inserts<const W: usize>(shape: &str, n: usize, seed: u64) {
    let mut rng = Rng(seed);
    let (all, page) = full_page(&entries::<W>(shape, n, seed));
    let mut pages = vec![page];
    for _ in 0..3 * Layout::<W>::MAX_LOG {
        let near = all[rng.below(all.len() as u64) as usize];
        let e = Entry::new(
            near.key,
            near.tie & 1 << 63 | tie_of(rng.next() as u32, 1 + rng.below(290) as u16),
        );
        let Some(at) = pages.iter().position(|p| open::<W>(p).covers(&e)) else {
            continue;
        };
        let new = insert(&mut pages[at], e);
        for page in new.iter().chain([&pages[at]]) {
            open::<W>(page).verify().unwrap();
        }
        pages.splice(at + 1..at + 1, new);
    }
}

#[test]
fn far_inserts_into_full_pages() {
    for shape in SHAPES {
        for seed in 0..4 {
            far_inserts::<1>(shape, MAX_SLOTS, seed);
            far_inserts::<2>(shape, MAX_SLOTS, seed);
            far_inserts::<3>(shape, MAX_SLOTS, seed);
            far_inserts::<8>(shape, MAX_SLOTS, seed);
        }
    }
}

/// Checks that both parts fit a page, and have all entries.
fn both_fit<const W: usize>((left, right): &(Contents<W>, Contents<W>), all: &[Entry<W>]) {
    assert!(left.to_page().is_some() && right.to_page().is_some());
    assert_eq!([left.entries(), right.entries()].concat(), all);
}

/// Where a page is full to the last byte, and so is its log, both parts of a split fit their pages.
#[test]
fn full_pages_with_full_logs() {
    fn full<const W: usize>(shape: &str) {
        let all = entries::<W>(shape, MAX_SLOTS * 2, 9);
        let spare = Layout::<W>::MAX_LOG * Layout::<W>::ENTRY;
        let mut n = full_page(&all).0.len();
        let mut contents = leaf_of(&all[..n]);
        while contents.bytes() + spare > Layout::<W>::ROOM || n > MAX_SLOTS {
            n -= 1 + n / 500;
            contents = leaf_of(&all[..n]);
        }
        let mut page = contents.to_page().unwrap();
        let mut rng = Rng(1);
        for _ in 0..=Layout::<W>::MAX_LOG {
            let near = all[rng.below(n as u64) as usize];
            let e = Entry::new(near.key, near.tie & 1 << 63 | tie_of(rng.next() as u32, 1));
            let leaf = open::<W>(&page);
            if leaf.contains(&e).unwrap() {
                continue;
            }
            if let Some((patch, _)) = leaf.try_log(&e, &[]) {
                patch.apply(&mut page);
            } else {
                let parts = leaf.contents().unwrap().bisect().unwrap();
                both_fit(&parts, &leaf.contents().unwrap().entries());
                for fill in [10, 50, 100] {
                    for place in [e, all[0], all[n - 1], Entry::MIN, Entry::MAX] {
                        let mut c = leaf.contents().unwrap();
                        c.insert(e);
                        let live = c.entries();
                        if let Some(parts) = c.split(&place, fill) {
                            both_fit(&parts, &live);
                        }
                    }
                }
            }
        }
    }
    for shape in SHAPES {
        full::<1>(shape);
        full::<2>(shape);
        full::<3>(shape);
        full::<8>(shape);
    }
}

#[test]
fn scattered_deletions_never_grow_a_page() {
    for shape in SHAPES {
        for percent in [1, 2, 10, 50, 99] {
            let (all, mut page) = full_page(&entries::<1>(shape, MAX_SLOTS, 3));
            let before = open::<1>(&page).verify().unwrap().bytes;
            let mut rng = Rng(percent);
            let n = delete_dead::<1>(&mut page, &mut |_| rng.below(100) < percent);
            let verified = open::<1>(&page).verify().unwrap();
            assert_eq!(verified.live, all.len() - n, "{shape}");
            assert!(verified.bytes <= before + all.len().div_ceil(8));
            // And once more, with the tombstones there.
            delete_dead::<1>(&mut page, &mut |_| rng.below(100) < percent);
            open::<1>(&page).verify().unwrap();
            delete_dead::<1>(&mut page, &mut |_| true);
            assert_eq!(
                open::<1>(&page).verify().unwrap().bytes,
                Layout::<1>::DIRECTORY
            );
        }
    }
}

#[test]
fn a_page_extended_at_an_end_splits_there() {
    let (all, page) = full_page(&entries::<1>("uniform", 5000, 3));
    for (e, left_is_full) in [
        (Entry::new([u64::MAX], 5), true),
        (Entry::new([0], 0), false),
    ] {
        let mut c = open::<1>(&page).contents().unwrap();
        c.insert(e);
        let (left, right) = c.split(&e, 90).unwrap();
        let full = if left_is_full { &left } else { &right };
        let share = full.bytes() as f64 / Layout::<1>::ROOM as f64;
        assert!((0.88..=0.9).contains(&share), "{share}");
        assert_eq!(left.live() + right.live(), all.len() + 1);
    }
    // An insert elsewhere splits it in halves.
    let mut c = open::<1>(&page).contents().unwrap();
    let e = Entry::new(all[all.len() / 3].key, 1);
    c.insert(e);
    let (left, right) = c.split(&e, 90).unwrap();
    assert!(left.bytes().abs_diff(right.bytes()) < 200);
}

/// A merge leaves a run as it is, but for the entries that are appended to it.
#[test]
fn a_run_takes_entries_that_follow_it_and_fit() {
    let mut rng = Rng(3);
    let mut row = |i: u64| Entry::new([i * 1000 + rng.below(900)], heap(i, 226));
    let mut c = leaf_of::<1>(&(0..500).map(&mut row).collect::<Vec<_>>());
    // A group of keys behind it.
    c.runs
        .extend(leaf_of::<1>(&(0..500).map(|i| row(i + (1 << 30))).collect::<Vec<_>>()).runs);
    let before: Vec<_> = c.runs.iter().map(|r| (r.header, r.data.clone())).collect();
    let mut all = c.entries();
    c.log = (500..550).map(&mut row).rev().collect();
    all.extend(&c.log);
    all.sort();
    c.insert(all[0]);
    assert_eq!(c.entries(), all);
    assert_eq!(c.runs.len(), before.len());
    for (i, (run, (head, data))) in c.runs.iter().zip(&before).enumerate() {
        let slots = head.slots + if i == 0 { 50 } else { 0 };
        assert_eq!(run.header, format::run::RunHeader { slots, ..*head });
        let same = head.slots * head.record_bits() / 8;
        assert_eq!(run.data[..same], data[..same]);
    }
}

/// The last entry of the run is deleted. It may be among the new ones, and others do not fit the
/// run.
#[test]
fn a_run_grows_behind_a_tombstone() {
    let mut rng = Rng(3);
    let mut row = |i: u64| Entry::new([i * 1000 + rng.below(900)], heap(i, 226));
    for is_inserted_again in [false, true] {
        let mut all: Vec<_> = (0..200).map(&mut row).collect();
        let mut c = leaf_of::<1>(&all);
        let (last, slots) = (all[199], c.runs[0].header.slots);
        assert_eq!(slots, 200);
        c.runs[0].tombstones = vec![0; 25];
        format::bits::assign(&mut c.runs[0].tombstones, 199, true);
        c.log = (200..220).map(&mut row).collect();
        c.log.extend(
            (0..50).map(|i| Entry::new([(1 << 50) + i * i * i], heap(i * 999 % 7919, 226))),
        );
        all.pop();
        if is_inserted_again {
            c.log.push(last);
        }
        all.extend(&c.log);
        all.sort();
        c.insert(all[0]);
        assert_eq!(c.entries(), all);
    }
}

/// This holds however few entries are left at the beginning of the run, which is looked at first.
#[test]
fn a_run_mostly_deleted_is_encoded_again() {
    let mut rng = Rng(3);
    let mut row = |i: u64| Entry::new([i * 1000 + rng.below(900)], heap(i, 226));
    let all: Vec<_> = (0..2000).map(&mut row).collect();
    for kept in [1000, 100, 20] {
        let mut c = leaf_of::<1>(&all);
        assert_eq!(c.runs.len(), 1);
        let before = c.bytes();
        let dead = (0..1000).filter(|slot| slot % kept != 0);
        let left = all.len() - dead.clone().count();
        c.delete_places(&[], dead);
        assert_eq!(c.live(), left);
        assert!(c.bytes() * 3 < before * 2, "{} {before}", c.bytes());
    }
}

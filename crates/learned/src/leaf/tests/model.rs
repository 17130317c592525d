//! Random inserts, deletions and splits, against a `BTreeSet`.

use super::search::check_ranges;
use super::*;
use crate::rng::Rng;
use crate::store::{Change, zero_hole};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Adds an entry to the page. Returns the new pages to the right of it.
pub fn insert<const W: usize>(page: &mut Box<Page>, e: Entry<W>) -> Vec<Box<Page>> {
    let half = |half: &Contents<W>| half.to_page().expect("a part fits");
    match open::<W>(page).add(&e, &[], 90).unwrap() {
        Added::Appended(patch, _) | Added::Logged(patch, _) => patch.apply(page),
        Added::Merged(new) => *page = new,
        Added::Split(halves) => {
            let [left, right] = halves.each_ref().map(half);
            *page = left;
            return vec![right];
        }
        Added::Bisected(halves) => {
            let [left, mut right] = halves.each_ref().map(half);
            *page = left;
            return if open::<W>(page).covers(&e) {
                let mut new = insert(page, e);
                new.push(right);
                new
            } else {
                let new = insert(&mut right, e);
                [vec![right], new].concat()
            };
        }
    }
    Vec::new()
}

/// Deletes the entries whose ties are `dead`. Returns their number.
pub fn delete_dead<const W: usize>(
    page: &mut Box<Page>,
    mut dead: &mut dyn FnMut(u64) -> bool,
) -> usize {
    let leaf = open::<W>(page);
    let (mut suspects, mut places) = (Vec::new(), Vec::new());
    leaf.suspects(&dead, &mut suspects).unwrap();
    Dead::find(&mut dead, &suspects, &mut places);
    match leaf.delete_places(&places, true, leaf.flags()).unwrap() {
        Some(Change::Image(new)) => *page = new,
        Some(Change::Patch(patch)) => {
            patch.apply(page);
            zero_hole(page);
        }
        None => assert!(places.is_empty()),
    }
    places.len()
}

/// Makes `steps` random changes of leaves that begin with at most `start` entries.
fn random_changes<const W: usize>(shape: &str, start: usize, steps: usize, seed: u64) {
    let mut rng = Rng(seed);
    let pool = entries::<W>(shape, start + 4000, seed);
    let first: Vec<_> = pool.iter().step_by(2).copied().take(start).collect();
    let (first, page) = full_page(&first);
    let mut pages = vec![page];
    let mut model: BTreeSet<Entry<W>> = first.into_iter().collect();
    for step in 0..steps {
        let at = rng.below(pages.len() as u64) as usize;
        match rng.below(100) {
            0 => {
                let odds = [2, 3, 50][rng.below(3) as usize];
                let leaf = open::<W>(&pages[at]);
                let (low, high) = (leaf.low(), leaf.high());
                let salt = rng.next();
                let hit = |tie: u64| Rng(salt ^ tie).below(odds) == 0;
                let mut asked = 0;
                let live = leaf.live();
                let n = delete_dead::<W>(&mut pages[at], &mut |tie| {
                    asked += 1;
                    hit(tie)
                });
                assert_eq!(asked, live);
                let before = model.len();
                model.retain(|e| *e < low || *e >= high || !hit(e.tie));
                assert_eq!(before - model.len(), n);
            }
            _ => {
                let e = if rng.below(4) == 0 && !model.is_empty() {
                    // An entry beside one of the pool, or that one.
                    let near = pool[rng.below(pool.len() as u64) as usize];
                    Entry::new(near.key, near.tie ^ rng.below(4) << 16)
                } else if rng.below(2) == 0 {
                    // An entry above all others, for appends.
                    let mut e = *model.last().unwrap_or(&Entry::MIN);
                    e.key[W - 1] = e.key[W - 1].saturating_add(rng.below(20));
                    e.tie = (e.tie & !0xFFFF) + (1 << 16) + 1 + rng.below(100);
                    e
                } else {
                    pool[rng.below(pool.len() as u64) as usize]
                };
                if e >= Entry::MAX {
                    continue;
                }
                let at = pages
                    .iter()
                    .position(|p| open::<W>(p).covers(&e))
                    .expect("leaves partition the key space");
                if !model.insert(e) {
                    continue;
                }
                if rng.below(8) == 0 && open::<W>(&pages[at]).slots() > 0 {
                    model.remove(&e);
                    let mut many = vec![e];
                    for n in 1..rng.below(300) {
                        let mut next = e;
                        next.key[W - 1] = next.key[W - 1].saturating_add(rng.below(2 * n));
                        next.tie =
                            (next.tie & !0xFFFF).saturating_add(n << 16) + 1 + rng.below(100);
                        many.push(next);
                    }
                    many.sort_unstable();
                    many.dedup();
                    many.retain(|e| open::<W>(&pages[at]).covers(e) && !model.contains(e));
                    let patch = open::<W>(&pages[at]).add(&many[0], &many[1..], 90).unwrap();
                    if let Added::Appended(patch, taken) | Added::Logged(patch, taken) = patch {
                        assert!(patch.len() <= crate::page::PAGE_SIZE / 2);
                        patch.apply(&mut pages[at]);
                        model.extend(&many[..taken]);
                    }
                    continue;
                }
                let new = insert::<W>(&mut pages[at], e);
                pages.splice(at + 1..at + 1, new);
            }
        }
        if step % 50 == 0 {
            check(&pages, &model, &mut rng);
        }
    }
    check(&pages, &model, &mut rng);
}

/// Checks that the pages have the entries of the model.
fn check<const W: usize>(pages: &[Box<Page>], model: &BTreeSet<Entry<W>>, rng: &mut Rng) {
    let mut low = Entry::MIN;
    let mut seen = 0;
    for page in pages {
        let leaf = open::<W>(page);
        assert_eq!(leaf.low(), low);
        low = leaf.high();
        let live: Vec<_> = model.range(leaf.low()..leaf.high()).copied().collect();
        let verified = leaf.verify().unwrap();
        assert_eq!(verified.live, live.len());
        assert_eq!(leaf.live(), live.len());
        assert_eq!(leaf.contents().unwrap().live(), live.len());
        assert_eq!(leaf.contents().unwrap().entries(), live);
        let again = leaf.contents().unwrap().to_page();
        match leaf.free {
            0 => assert_eq!(again.as_ref(), Some(page)),
            // Free places of the log are lost.
            _ => assert_eq!(
                open::<W>(&again.unwrap()).contents().unwrap().entries(),
                live
            ),
        }
        check_ranges(&leaf, &live, rng, 10);
        seen += live.len();
    }
    assert_eq!(low, Entry::MAX);
    assert_eq!(seen, model.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_leaf_behaves_as_a_set(shape in 0..SHAPES.len(), start in 0usize..3000, seed: u64) {
        random_changes::<1>(SHAPES[shape], start, 1500, seed);
        random_changes::<2>(SHAPES[shape], start, 700, seed);
    }
}

#[test]
fn a_deleted_entry_can_be_inserted_again() {
    for shape in SHAPES {
        let all = entries::<1>(shape, 500, 5);
        let (all, mut page) = full_page(&all);
        let mut n = 0;
        let deleted = delete_dead::<1>(&mut page, &mut |_| {
            n += 1;
            n % 7 == 0
        });
        assert_eq!(deleted, all.len() / 7);
        let left = open::<1>(&page).contents().unwrap().entries();
        for e in all.iter().filter(|e| left.binary_search(e).is_err()) {
            assert!(insert(&mut page, *e).is_empty());
        }
        let leaf = open::<1>(&page);
        leaf.verify().unwrap();
        assert_eq!(leaf.contents().unwrap().entries(), all, "{shape}");
    }
}

#[test]
fn regular_data_is_appended_in_place() {
    for shape in ["constant step", "one key", "sequential"] {
        let all = entries::<1>(shape, 5000, 5);
        let mut page = leaf_of::<1>(&[]).to_page().unwrap();
        let mut encodes = 0;
        for e in &all {
            let leaf = open::<1>(&page);
            if leaf.try_append(e, &[]).unwrap().is_none() && leaf.try_log(e, &[]).is_none() {
                encodes += 1;
            }
            assert!(insert(&mut page, *e).is_empty(), "{shape}");
        }
        open::<1>(&page).verify().unwrap();
        println!(
            "{shape}: {encodes} encodes, {} runs, {} bytes",
            open::<1>(&page).runs(),
            open::<1>(&page).verify().unwrap().bytes
        );
    }
}

#[test]
fn many_are_appended_in_one_patch() {
    for shape in ["constant step", "one key", "sequential"] {
        let all = entries::<1>(shape, 5000, 5);
        let mut page = leaf_of::<1>(&all[..100]).to_page().unwrap();
        let mut done = 100;
        let mut most = 0;
        while let Some((patch, taken)) = open::<1>(&page)
            .try_append(&all[done], &all[done + 1..])
            .unwrap()
        {
            assert!(patch.len() <= crate::page::PAGE_SIZE / 2);
            patch.apply(&mut page);
            done += taken;
            most = most.max(taken);
            let leaf = open::<1>(&page);
            leaf.verify().unwrap();
            assert_eq!(leaf.contents().unwrap().entries(), all[..done], "{shape}");
        }
        assert!(most > 50, "{shape}: {most}");
    }
}

#[test]
fn many_are_logged_in_one_patch() {
    let all = entries::<1>("uniform", 3000, 5);
    let (first, page) = full_page(&all[..2000]);
    let new: Vec<_> = first
        .iter()
        .map(|e| Entry::new(e.key, e.tie ^ 1 << 40))
        .collect();
    for step in [1, 3, 50, 500] {
        let mut page = page.clone();
        let mut rest = &new[..];
        while let Some((first, more)) = rest.split_first() {
            let more = &more[..more.len().min(step - 1)];
            let Some((patch, taken)) = open::<1>(&page).try_log(first, more) else {
                break;
            };
            patch.apply(&mut page);
            open::<1>(&page).verify().unwrap();
            rest = &rest[taken..];
        }
        let logged = new.len() - rest.len();
        assert_eq!(logged, open::<1>(&page).log_len());
        let mut expected: Vec<_> = [&first[..], &new[..logged]].concat();
        expected.sort_unstable();
        assert_eq!(open::<1>(&page).contents().unwrap().entries(), expected);
    }
}

#[test]
fn packer_loses_nothing() {
    for shape in SHAPES {
        for fill in [10, 90, 100] {
            for n in [0, 1, 600, 40_000] {
                let all = entries::<1>(shape, n, 11);
                let mut packer = Packer::new(fill);
                let mut leaves: Vec<_> = all.iter().filter_map(|e| packer.push(*e)).collect();
                leaves.extend(packer.finish());
                let mut low = Entry::MIN;
                let mut got = Vec::new();
                for leaf in &leaves {
                    let page = leaf.to_page().expect("a packed leaf fits");
                    let view = open::<1>(&page);
                    view.verify().unwrap();
                    assert_eq!(view.low(), low);
                    low = view.high();
                    got.extend(view.contents().unwrap().entries());
                }
                assert_eq!(low, Entry::MAX);
                assert_eq!(got, all, "{shape} {fill} {n}");
            }
        }
    }
}

#[test]
fn pages_of_the_default_fill_take_a_dozen_inserts() {
    fn check<const W: usize>(shape: &str) {
        let all = entries::<W>(shape, 40_000, 11);
        let mut packer = Packer::new(97);
        let leaves: Vec<_> = all.iter().filter_map(|e| packer.push(*e)).collect();
        for leaf in &leaves {
            let mut page = leaf.to_page().unwrap();
            for e in all.iter().take(12) {
                let e = Entry::new(e.key, e.tie ^ 1 << 40 ^ 1 << 39);
                let patch = open::<W>(&page).try_log(&e, &[]);
                patch.expect("there is room").0.apply(&mut page);
            }
            assert_eq!(open::<W>(&page).log_len(), 12);
        }
    }
    for shape in SHAPES {
        check::<1>(shape);
        check::<2>(shape);
    }
}

#[test]
fn no_append_of_an_entry_that_is_not_above_the_log() {
    let all = entries::<1>("constant step", 100, 5);
    let mut page = leaf_of(&all[..90]).to_page().unwrap();
    assert!(
        open::<1>(&page)
            .try_append(&all[90], &[])
            .unwrap()
            .is_some()
    );
    let (patch, _) = open::<1>(&page).try_log(&all[91], &[]).unwrap();
    patch.apply(&mut page);
    assert!(
        open::<1>(&page)
            .try_append(&all[90], &[])
            .unwrap()
            .is_none()
    );
    assert!(
        open::<1>(&page)
            .try_append(&all[91], &[])
            .unwrap()
            .is_none()
    );
}

//! Full leaves that are cut in two as they are, since merging their logs would cost more than it gains.

use super::*;

/// Adds entries until one of them is not simply logged; gives what it came to and the page before.
fn until_full(page: &mut Box<Page>, new: impl Iterator<Item = Entry<1>>) -> (Added<1>, Entry<1>) {
    for e in new {
        match open::<1>(page).add(&e, &[], 90).unwrap() {
            Added::Appended(patch, _) | Added::Logged(patch, _) => patch.apply(page),
            added => return (added, e),
        }
    }
    panic!("the page was never full");
}

/// Nothing was encoded: one run was cut at most, and all of the log, with the entry, is the halves' logs.
fn check_halves(page: &Page, added: &Added<1>, e: Entry<1>) {
    let Added::Split(halves) = added else {
        panic!("not cut in two");
    };
    let leaf = open::<1>(page);
    let [left, right] = halves.each_ref();
    let mut all = leaf.contents().unwrap().entries();
    all.insert(all.partition_point(|other| *other < e), e);
    assert_eq!([left.entries(), right.entries()].concat(), all);
    assert_eq!(left.log.len() + right.log.len(), leaf.log_len() + 1);
    assert!(left.runs.len() + right.runs.len() <= leaf.runs() + 1);
    assert!(left.bytes().abs_diff(right.bytes()) < 1000);
    assert!(left.to_page().is_some() && right.to_page().is_some());
}

/// A merge would encode 16384 slots afresh.
#[test]
fn a_leaf_of_very_many_entries_is_halved() {
    let all = entries::<1>("constant step", MAX_SLOTS, 1);
    let mut page = leaf_of(&all[..MAX_SLOTS - 300]).to_page().unwrap();
    let mut rng = Rng(1);
    let span = all[MAX_SLOTS - 301].key[0] - all[0].key[0];
    let new = (0..).map(|i| Entry::new([all[0].key[0] + rng.below(span)], tie_of(1 << 20, i + 1)));
    let (added, e) = until_full(&mut page, new);
    assert_eq!(open::<1>(&page).log_len(), Layout::<1>::MAX_LOG);
    check_halves(&page, &added, e);
    // Of new entries at one place it encodes only the run around it.
    let all = entries::<1>("uniform", 1400, 1);
    let mut few = leaf_of(&all[..700]).to_page().unwrap();
    let at = all[350].key[0];
    let new = (0..).map(|i| Entry::new([at], tie_of(1 << 20, i + 1)));
    assert!(matches!(until_full(&mut few, new).0, Added::Merged(_)));
}

/// The merged page would have room for a few entries more only.
#[test]
fn a_full_leaf_with_a_short_log_is_halved() {
    let (all, _) = full_page(&entries::<1>("uniform", MAX_SLOTS, 1));
    let part = all.len() * 97 / 100;
    let mut page = leaf_of(&all[..part]).to_page().unwrap();
    let any = |i: u16| {
        let place = Rng(i.into()).below(part as u64) as usize;
        Entry::new([all[place].key[0]], all[place].tie ^ 1 << 20)
    };
    let (added, e) = until_full(&mut page, (1..).map(any));
    assert!(open::<1>(&page).log_len() < Layout::<1>::SHORT_LOG);
    check_halves(&page, &added, e);
    // Not where a vacuum has been at work.
    let mut contents = leaf_of(&all[..all.len() * 93 / 100]);
    contents.flags = crate::page::CHURNED;
    let mut page = contents.to_page().unwrap();
    let (added, _) = until_full(&mut page, (1..).map(any));
    assert!(matches!(added, Added::Merged(_)));
    // Nor with tombstones: merging makes more room.
    let mut page = leaf_of(&all[..part]).to_page().unwrap();
    let mut n = 0;
    model::remove::<1>(&mut page, &mut |_| {
        n += 1;
        n % 12 == 0
    });
    assert!(open::<1>(&page).tombstones() > 50);
    let (added, _) = until_full(&mut page, (1..).map(any));
    assert!(matches!(added, Added::Merged(_)));
}

/// Entries at the right end leave a full leaf behind.
#[test]
fn a_full_leaf_is_not_halved_where_entries_come_at_its_end() {
    let (all, _) = full_page(&entries::<1>("uniform", MAX_SLOTS, 1));
    let mut page = leaf_of(&all[..all.len() * 97 / 100]).to_page().unwrap();
    let last = all[all.len() - 1].key[0];
    // So far off that they fit no run, and a little out of order.
    let far = |i: u64| Entry::new([last + (i ^ 3) * (1 << 45)], tie_of(1 << 20, i as u16 + 1));
    let mut new = (1..).map(far);
    let halves = loop {
        match until_full(&mut page, &mut new).0 {
            Added::Merged(merged) => page = merged,
            Added::Split(halves) => break halves,
            _ => panic!("not cut in two"),
        }
    };
    assert!(halves[0].bytes() > 8 * halves[1].bytes());
}

/// Entries behind a group of keys encode nothing of it afresh, nor of the next one.
#[test]
fn a_leaf_is_not_halved_where_entries_come_between_groups() {
    let group = |g: u64| {
        (0..2000).map(move |i| {
            Entry::new(
                [(g << 40) + i * 1000],
                tie_of((g * 20 + i / 100) as u32, (i % 100 + 1) as u16),
            )
        })
    };
    let all: Vec<_> = (1..3).flat_map(group).collect();
    let mut page = leaf_of(&all).to_page().unwrap();
    assert!(open::<1>(&page).runs() >= 2);
    let mut rng = Rng(1);
    let between = (1..).map(|i| {
        Entry::new(
            [(1 << 40) + 2_000_000 + rng.below(1 << 30)],
            tie_of(1000, i),
        )
    });
    let (added, _) = until_full(&mut page, between);
    assert!(matches!(added, Added::Merged(_)));
}

/// Against a look at each entry and each run.
#[test]
fn runs_that_a_merge_would_touch() {
    let mut rng = Rng(8);
    for (seed, shape) in (0..).zip(SHAPES) {
        let all = entries::<1>(shape, 3000, seed);
        let (here, _) = full_page(&all.iter().copied().step_by(2).collect::<Vec<_>>());
        let c = leaf_of(&here);
        for _ in 0..50 {
            let from = rng.below(all.len() as u64) as usize;
            let count = 1 + rng.below(200) as usize;
            let few = rng.below(100);
            let new = all[from..].iter().copied().filter(|_| rng.below(100) < few);
            let new: Vec<_> = new.take(count).collect();
            let is_touched = |run: &&format::OwnedRun<1>| {
                let (first, last) = (run.run().entry(0), run.run().entry(run.header.slots - 1));
                new.iter().any(|e| first <= *e && *e < last)
            };
            let touched = c.runs.iter().filter(is_touched).map(|run| run.header.slots);
            let touched = touched.sum::<usize>();
            assert!(!c.would_encode_more(&new, touched), "{shape}");
            assert!(
                touched == 0 || c.would_encode_more(&new, touched - 1),
                "{shape}"
            );
        }
    }
}

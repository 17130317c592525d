//! Full leaves that are bisected, since a merge of their logs would cost more than it gains.

use super::*;

/// Adds entries to `page` until one of them is neither appended nor logged. Returns how the leaf
/// takes it, and the entry.
fn until_full(page: &mut Box<Page>, new: impl Iterator<Item = Entry<1>>) -> (Added<1>, Entry<1>) {
    for e in new {
        match open::<1>(page).add(&e, &[], 90).unwrap() {
            Added::Appended(patch, _) | Added::Logged(patch, _) => patch.apply(page),
            added => return (added, e),
        }
    }
    panic!("the page was never full");
}

/// Checks that nothing was encoded: at most one run was cut, and the logs of the halves have all
/// entries of the log, and the new one.
fn check_bisected(page: &Page, added: &Added<1>, e: Entry<1>) {
    let Added::Split(halves) = added else {
        panic!("not split");
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

/// A merge would encode 16384 slots again.
#[test]
fn a_leaf_of_very_many_entries_is_bisected() {
    let all = entries::<1>("constant step", MAX_SLOTS, 1);
    let mut page = leaf_of(&all[..MAX_SLOTS - 300]).to_page().unwrap();
    let mut rng = Rng(1);
    let span = all[MAX_SLOTS - 301].key[0] - all[0].key[0];
    let new = (0..).map(|i| Entry::new([all[0].key[0] + rng.below(span)], tie_of(1 << 20, i + 1)));
    let (added, e) = until_full(&mut page, new);
    assert_eq!(open::<1>(&page).log_len(), Layout::<1>::MAX_LOG);
    check_bisected(&page, &added, e);
    // Of new entries in one gap, a merge encodes only the run around the gap.
    let all = entries::<1>("uniform", 1400, 1);
    let mut few = leaf_of(&all[..700]).to_page().unwrap();
    let at = all[350].key[0];
    let new = (0..).map(|i| Entry::new([at], tie_of(1 << 20, i + 1)));
    assert!(matches!(until_full(&mut few, new).0, Added::Merged(_)));
}

/// After a merge the page would have room for only a few entries.
#[test]
fn a_full_leaf_with_a_short_log_is_bisected() {
    let (all, _) = full_page(&entries::<1>("uniform", MAX_SLOTS, 1));
    let part = all.len() * 97 / 100;
    let mut page = leaf_of(&all[..part]).to_page().unwrap();
    let any = |i: u16| {
        let place = Rng(i.into()).below(part as u64) as usize;
        Entry::new([all[place].key[0]], all[place].tie ^ 1 << 20)
    };
    let (added, e) = until_full(&mut page, (1..).map(any));
    assert!(open::<1>(&page).log_len() < Layout::<1>::SHORT_LOG);
    check_bisected(&page, &added, e);
    // Not where entries were deleted recently.
    let mut contents = leaf_of(&all[..all.len() * 93 / 100]);
    contents.flags = crate::page::CHURNED;
    let mut page = contents.to_page().unwrap();
    let (added, _) = until_full(&mut page, (1..).map(any));
    assert!(matches!(added, Added::Merged(_)));
    // Not with tombstones, either: a merge makes more room.
    let mut page = leaf_of(&all[..part]).to_page().unwrap();
    let mut n = 0;
    model::delete_dead::<1>(&mut page, &mut |_| {
        n += 1;
        n % 12 == 0
    });
    assert!(open::<1>(&page).tombstones() > 50);
    let (added, _) = until_full(&mut page, (1..).map(any));
    assert!(matches!(added, Added::Merged(_)));
}

/// Where entries come at the right end, a full leaf is left behind.
#[test]
fn a_full_leaf_is_not_bisected_where_entries_come_at_its_end() {
    let (all, _) = full_page(&entries::<1>("uniform", MAX_SLOTS, 1));
    let mut page = leaf_of(&all[..all.len() * 97 / 100]).to_page().unwrap();
    let last = all[all.len() - 1].key[0];
    // The entries are so far apart that they fit no run, and a little out of order.
    let far = |i: u64| Entry::new([last + (i ^ 3) * (1 << 45)], tie_of(1 << 20, i as u16 + 1));
    let mut new = (1..).map(far);
    let halves = loop {
        match until_full(&mut page, &mut new).0 {
            Added::Merged(merged) => page = merged,
            Added::Split(halves) => break halves,
            _ => panic!("not split"),
        }
    };
    assert!(halves[0].bytes() > 8 * halves[1].bytes());
}

/// A merge of entries between two groups of keys encodes neither of the groups again.
#[test]
fn a_leaf_is_not_bisected_where_entries_come_between_groups() {
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
fn slots_that_a_merge_would_encode() {
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
            let is_encoded = |run: &&format::OwnedRun<1>| {
                let (first, last) = (run.run().entry(0), run.run().entry(run.header.slots - 1));
                new.iter().any(|e| first <= *e && *e < last)
            };
            let slots = c.runs.iter().filter(is_encoded).map(|run| run.header.slots);
            let slots = slots.sum::<usize>();
            assert!(!c.would_encode_more(&new, slots), "{shape}");
            assert!(
                slots == 0 || c.would_encode_more(&new, slots - 1),
                "{shape}"
            );
        }
    }
}

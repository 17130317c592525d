//! Damaged pages give errors or wrong answers, never a panic.

use super::model::delete_dead;
use super::*;
use crate::page::PAGE_SIZE;
use crate::rng::Rng;
use proptest::prelude::*;

/// Calls all functions of a leaf.
fn call_everything<const W: usize>(page: &Page, probe: &[Entry<W>]) {
    let Ok(leaf) = Leaf::<W>::open(page, BLOCK) else {
        return;
    };
    let _ = leaf.verify();
    let _ = (
        leaf.low(),
        leaf.high(),
        leaf.right(),
        leaf.flags(),
        leaf.live(),
    );
    for (i, e) in probe.iter().enumerate() {
        let until = probe[(i + 1) % probe.len()];
        let mut out = Vec::new();
        let limit = [1, 7, 100, usize::MAX][i % 4];
        let _ = leaf.contains(e);
        let _ = leaf.forward(e, &until, limit, &mut out);
        let _ = leaf.backward(e, &until, limit, &mut out);
        let _ = leaf.try_append(e, &[]);
        let _ = leaf.try_log(e, &[]);
        let _ = leaf.add(e, &[], 90);
    }
    let mut out = Vec::new();
    let _ = leaf.forward(&Entry::MIN, &Entry::MAX, usize::MAX, &mut out);
    let _ = leaf.backward(&Entry::MIN, &Entry::MAX, usize::MAX, &mut out);
    if let Ok(contents) = leaf.contents() {
        let _ = (contents.live(), contents.entries(), contents.to_page());
        let mut c = contents.clone();
        c.insert(probe[0]);
        let _ = c.to_page();
        let _ = c.split(&probe[0], 90);
        let _ = contents.clone().bisect();
        let mut c = contents.clone();
        c.delete_places(&[0], (0..contents.slots()).step_by(3));
        let _ = c.to_page();
        let _ = contents.split(&probe[0], 90);
    }
}

/// Calls all functions of damaged copies of a leaf.
fn damage<const W: usize>(shape: &str, seed: u64) {
    let mut rng = Rng(seed);
    let n = 1 + rng.below(3000) as usize;
    let all = entries::<W>(shape, n, seed);
    let (all, mut page) = full_page(&all);
    if seed.is_multiple_of(2) {
        delete_dead::<W>(&mut page, &mut |tie| Rng(tie).below(5) == 0);
    }
    for i in 0..seed % 20 {
        if let Some((patch, _)) = open::<W>(&page).try_log(&Entry::new([i; W], i), &[]) {
            patch.apply(&mut page);
        }
    }
    let mut probe = vec![
        Entry::MIN,
        Entry::MAX,
        all[0],
        all[all.len() / 2],
        all[all.len() - 1],
    ];
    probe.extend((0..5).map(|_| Entry::new([rng.next(); W], rng.next())));
    probe.push(Entry::new(all[all.len() - 1].key, u64::MAX >> 1));
    call_everything(&page, &probe);
    for _ in 0..40 {
        let mut bad = page.clone();
        for _ in 0..=rng.below(4) {
            let at = match rng.below(4) {
                0 => rng.below(PAGE_SIZE as u64),
                // The server's page header.
                1 => 8 + rng.below(16),
                // The counts and the first run headers.
                _ => (Layout::<W>::COUNTS as u64 + rng.below(160)).min(PAGE_SIZE as u64 - 1),
            };
            bad[at as usize] = [0, 1, 0xFF, rng.next() as u8][rng.below(4) as usize];
        }
        call_everything(&bad, &probe);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn damaged_pages_do_not_panic(shape in 0..SHAPES.len(), seed: u64) {
        damage::<1>(SHAPES[shape], seed);
        damage::<2>(SHAPES[shape], seed);
    }
}

#[test]
fn noise_does_not_panic() {
    let mut rng = Rng(1);
    for i in 0..300 {
        let (_, page) = full_page(&entries::<1>(SHAPES[i % SHAPES.len()], 400, i as u64));
        let mut page = page;
        for b in page.iter_mut().skip(Layout::<1>::DIRECTORY) {
            if rng.below(3) == 0 {
                *b = rng.next() as u8;
            }
        }
        call_everything(
            &page,
            &[Entry::new([5], 5), Entry::new([rng.next()], rng.next())],
        );
    }
}

#[test]
fn verify_detects_each_kind_of_damage() {
    let (all, page) = full_page(&entries::<1>("uniform", 700, 3));
    let lower = usize::from(crate::page::u16_at(&page, crate::page::pd::LOWER));
    let cases: [(usize, &str); 6] = [
        (lower, "hole"),
        (lower - 300, "order"),
        (Layout::<1>::LOW + 7, "fence"),
        (Layout::<1>::TOMBSTONES, "tombstones"),
        (Layout::<1>::DIRECTORY, "slots"),
        (PAGE_SIZE - 1, "special"),
    ];
    open::<1>(&page).verify().unwrap();
    for (at, what) in cases {
        let mut bad = page.clone();
        bad[at] ^= 0xA5;
        if what == "order" {
            // More than a record, whatever its columns are.
            bad[at..at + 16].fill(0xFF);
        }
        let verdict = Leaf::<1>::open(&bad, BLOCK).and_then(|l| l.verify());
        assert!(verdict.is_err(), "{what} {}", all.len());
    }
}

#[test]
fn data_out_of_bounds_are_an_error() {
    let (all, page) = full_page(&entries::<1>("sequential", 700, 3));
    for offset in [0u16, Layout::<1>::DIRECTORY as u16, 7000, 8184, u16::MAX] {
        let mut bad = page.clone();
        let at = Layout::<1>::DIRECTORY + 2;
        bad[at..at + 2].copy_from_slice(&offset.to_le_bytes());
        let leaf = open::<1>(&bad);
        assert!(leaf.contains(&all[0]).is_err(), "{offset}");
        let mut out = Vec::new();
        assert!(leaf.forward(&Entry::MIN, &Entry::MAX, 1, &mut out).is_err());
        assert!(leaf.contents().is_err() && leaf.verify().is_err());
    }
}

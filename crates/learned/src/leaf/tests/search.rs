//! Searches in encoded pages, against a plain vector.

use super::*;
use crate::rng::Rng;
use proptest::prelude::*;

/// The entries `e` of the model with `from <= e < until`.
pub fn model_range<const W: usize>(
    all: &[Entry<W>],
    from: &Entry<W>,
    until: &Entry<W>,
) -> Vec<Entry<W>> {
    all.iter()
        .filter(|e| *from <= **e && *e < until)
        .copied()
        .collect()
}

/// A bound near an entry: itself, the ends of its key, neighbours in key and tie.
pub fn near<const W: usize>(e: &Entry<W>, rng: &mut Rng) -> Entry<W> {
    let mut b = *e;
    match rng.below(8) {
        0 => b.tie = 0,
        1 => {
            b.tie = 0;
            b.key[W - 1] = b.key[W - 1].wrapping_add(1);
        }
        2 => b.tie = b.tie.wrapping_add(1),
        3 => b.tie = b.tie.wrapping_sub(1),
        4 => b.key[W - 1] = b.key[W - 1].wrapping_sub(1),
        5 => b.key[0] = b.key[0].wrapping_add(rng.below(1 << 20)),
        6 => b.tie = u64::MAX,
        _ => {}
    }
    b
}

/// Checks `times` random ranges of a leaf against the model `all`.
pub fn check_ranges<const W: usize>(
    leaf: &Leaf<'_, W>,
    all: &[Entry<W>],
    rng: &mut Rng,
    times: usize,
) {
    let pick = |rng: &mut Rng| {
        if all.is_empty() || rng.below(20) == 0 {
            [Entry::MIN, Entry::MAX][rng.below(2) as usize]
        } else {
            near(&all[rng.below(all.len() as u64) as usize], rng)
        }
    };
    for i in 0..times {
        let from = pick(rng);
        let until = if i % 3 == 0 {
            let mut u = from;
            u.tie = 0;
            u.key[W - 1] = u.key[W - 1].saturating_add(1 + rng.below(3));
            u
        } else {
            pick(rng)
        };
        let limit = match rng.below(4) {
            0 => usize::MAX,
            1 => rng.below(9) as usize,
            _ => rng.below(300) as usize,
        };
        let mut want = model_range(all, &from, &until);
        let total = want.len();
        for reverse in [false, true] {
            let mut out = vec![Entry::MAX];
            let more = if reverse {
                leaf.backward(&from, &until, limit, &mut out)
            } else {
                leaf.forward(&from, &until, limit, &mut out)
            }
            .unwrap();
            if reverse {
                want.reverse();
            }
            assert_eq!(out[0], Entry::MAX);
            assert_eq!(
                out[1..],
                want[..total.min(limit)],
                "{from:?} {until:?} {limit} {reverse}"
            );
            assert!(
                more || total <= limit,
                "reported the end of the range too early"
            );
            if limit > total {
                assert!(!more, "reported more entries than there are");
            }
        }
        assert_eq!(
            leaf.contains(&from).unwrap(),
            all.binary_search(&from).is_ok()
        );
    }
}

/// Encodes up to `n` entries of a shape and reads them back.
fn round_trip<const W: usize>(shape: &str, n: usize, seed: u64) {
    let all = entries::<W>(shape, n, seed);
    let (all, page) = full_page(&all);
    let leaf = open::<W>(&page);
    let verified = leaf
        .verify()
        .unwrap_or_else(|e| panic!("{shape} {n} {seed}: {e}"));
    assert_eq!(verified.live, all.len());
    assert_eq!(leaf.contents().unwrap().entries(), all, "{shape}");
    assert_eq!(leaf.contents().unwrap().to_page().unwrap(), page);
    for e in &all {
        assert!(leaf.contains(e).unwrap(), "{shape} {n} {seed} {e:?}");
    }
    check_ranges(&leaf, &all, &mut Rng(seed), 300);
}

#[test]
fn every_shape() {
    for shape in SHAPES {
        for n in [1, 2, 31, 33, 100, 1000, 16384] {
            round_trip::<1>(shape, n, n as u64);
            round_trip::<2>(shape, n, n as u64);
        }
    }
    round_trip::<3>("uniform", 500, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_shape(shape in 0..SHAPES.len(), n in 1usize..3000, seed: u64) {
        round_trip::<1>(SHAPES[shape], n, seed);
        round_trip::<2>(SHAPES[shape], n, seed);
    }

    #[test]
    fn any_width(width in 0u32..=64, tids in 0u32..=47, n in 2usize..200, seed: u64) {
        let mut rng = Rng(seed);
        let mut all: Vec<Entry<1>> = (0..n)
            .map(|_| {
                let word = rng.next() & format::bits::mask(width);
                Entry::new([word], rng.next() & format::bits::mask(tids))
            })
            .collect();
        all.sort();
        all.dedup();
        let (all, page) = full_page(&all);
        let leaf = open::<1>(&page);
        leaf.verify().unwrap();
        prop_assert_eq!(leaf.contents().unwrap().entries(), all.clone());
        check_ranges(&leaf, &all, &mut rng, 50);
    }
}

#[test]
fn even_data_is_one_run() {
    for shape in ["sequential", "descending heap", "constant step"] {
        let (_, page) = full_page(&entries::<1>(shape, MAX_SLOTS, 3));
        assert_eq!(open::<1>(&page).runs(), 1, "{shape}");
    }
}

#[test]
fn extremes_of_keys() {
    let mut all = vec![
        Entry::new([0], 0),
        Entry::new([0], 1),
        Entry::new([0], crate::key::NULL_BIT),
        Entry::new([u64::MAX], crate::key::TID_MASK),
        Entry::new([u64::MAX], u64::MAX - 1),
    ];
    all.sort();
    let (all, page) = full_page(&all);
    let leaf = open::<1>(&page);
    leaf.verify().unwrap();
    assert_eq!(leaf.contents().unwrap().entries(), all);
}

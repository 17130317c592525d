use super::*;
use Comparison::*;
use proptest::prelude::*;
use std::cmp::Ordering;

const ALL: [Comparison; 5] = [Less, LessOrEqual, Equal, GreaterOrEqual, Greater];

fn holds(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Less => order.is_lt(),
        LessOrEqual => order.is_le(),
        Equal => order.is_eq(),
        GreaterOrEqual => order.is_ge(),
        Greater => order.is_gt(),
    }
}

/// Every value of a signed 64-bit column.
const DOMAIN: Limits = Limits::within(i64::MIN as i128, i64::MAX as i128);

/// Whether a value may satisfy the limits, and whether it surely does, by their pieces.
fn within(limits: &Limits, v: i128) -> (bool, bool) {
    let mut hits = limits.pieces().filter(|(p, _)| p.first <= v && v <= p.last);
    let hit = hits.next();
    assert!(hits.next().is_none(), "pieces overlap");
    (hit.is_some(), hit.is_some_and(|hit| hit.1))
}

/// Values around the key and at the ends of the domain.
fn probes(keys: &[i128]) -> Vec<i64> {
    let mut all = vec![i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    for k in keys {
        all.extend((-3..=3).filter_map(|d| i64::try_from(k + d).ok()));
    }
    all
}

fn any_key() -> impl Strategy<Value = i128> {
    prop_oneof![
        -5i128..5,
        any::<i64>().prop_map(i128::from),
        (i64::MIN as i128 - 3)..(i64::MIN as i128 + 3),
        (i64::MAX as i128 - 3)..(i64::MAX as i128 + 3),
    ]
}

proptest! {
    #[test]
    fn exact_keys_select_what_the_comparisons_select(
        keys in prop::collection::vec((any_key(), 0usize..5, any::<bool>()), 1..5),
    ) {
        let mut limits = DOMAIN;
        for &(key, op, between) in &keys {
            // `between`: key - 1/2.
            limits.restrict(ALL[op], if between { Place::before(key) } else { Place::at(key) });
        }
        prop_assert!(limits.is_exact() || limits.is_empty());
        prop_assert_eq!(limits.is_empty(), limits.pieces().next().is_none());
        for v in probes(&keys.iter().map(|k| k.0).collect::<Vec<_>>()) {
            let want = keys.iter().all(|&(key, op, between)| {
                holds(ALL[op], (2 * i128::from(v)).cmp(&(2 * key - i128::from(between))))
            });
            prop_assert_eq!(within(&limits, v.into()), (want, want), "{} {:?}", v, keys);
        }
    }

    #[test]
    fn zones_keep_all_matches_and_are_sure_only_of_matches(
        keys in prop::collection::vec((any_key(), 0i128..4, any::<u64>(), 0usize..5), 1..4),
    ) {
        let mut limits = DOMAIN;
        for &(first, length, _, op) in &keys {
            limits.restrict(ALL[op], Place::zone(first, first + length - 1));
        }
        for v in probes(&keys.iter().map(|k| k.0).collect::<Vec<_>>()) {
            let v = i128::from(v);
            // Inside the zone the order is arbitrary: two bits of `chaos` each.
            let want = keys.iter().all(|&(first, length, chaos, op)| {
                let order = if v < first {
                    Ordering::Less
                } else if v >= first + length {
                    Ordering::Greater
                } else {
                    match chaos >> (2 * (v - first)) & 3 {
                        0 => Ordering::Less,
                        1 => Ordering::Equal,
                        _ => Ordering::Greater,
                    }
                };
                holds(ALL[op], order)
            });
            let zone = keys.iter().any(|&(first, length, ..)| first <= v && v < first + length);
            let (may, sure) = within(&limits, v);
            prop_assert!(may || !want);
            prop_assert!(want || !sure);
            prop_assert!(!may || zone || sure, "recheck outside of all zones");
        }
    }

    #[test]
    fn lists_select_what_one_condition_of_each_selects(
        lists in prop::collection::vec(
            prop::collection::vec((-9i128..9, 0i128..4, 0usize..5), 0..6),
            1..4,
        ),
    ) {
        let limits = |&(first, length, op): &(i128, i128, usize)| {
            let mut limits = DOMAIN;
            // Zones where the length is odd, else points.
            let place = if length % 2 == 1 {
                Place::zone(first, first + length)
            } else {
                Place::at(first)
            };
            limits.restrict(ALL[op], place);
            limits
        };
        let mut found = vec![DOMAIN];
        for list in &lists {
            let mut any: Vec<_> = list.iter().map(limits).collect();
            union(&mut any);
            found = intersection(&found, &any);
        }
        for v in -12i128..15 {
            let may = lists.iter().all(|list| list.iter().map(limits).any(|l| within(&l, v).0));
            let must = lists.iter().all(|list| list.iter().map(limits).any(|l| within(&l, v).1));
            let hits: Vec<_> = found.iter().filter(|l| within(l, v).0).collect();
            prop_assert_eq!(hits.len(), usize::from(may));
            prop_assert!(must || !hits.iter().any(|l| within(l, v).1));
            let exact = lists.iter().flatten().all(|&(_, length, _)| length % 2 == 0);
            prop_assert!(!exact || hits.iter().all(|l| within(l, v).1));
        }
        prop_assert!(found.is_sorted_by(|a, b| a.may.last < b.may.first));
    }

    #[test]
    fn division_keeps_the_order(
        below in -1000i128..1000,
        length in 0i128..50,
        unit in 1i128..40,
        k in -1100i128..1100,
    ) {
        let place = Place { below, last: below + length - 1, exact: length == 0 };
        let place = place.divided(unit);
        prop_assert_eq!(k < place.below, k * unit < below);
        prop_assert_eq!(k > place.last, k * unit >= below + length);
    }
}

#[test]
fn beyond_the_domain() {
    let key = Place::at(i128::from(i64::MAX) + 6);
    for (comparison, all) in [(Less, true), (Equal, false), (Greater, false)] {
        let mut limits = DOMAIN;
        limits.restrict(comparison, key);
        assert_eq!(limits.is_empty(), !all);
        assert!(!all || limits == DOMAIN);
    }
}

#[test]
fn the_ends_of_128_bits() {
    let all = Limits::within(i128::MIN, i128::MAX);
    for (comparison, at_least, at_most) in [
        (Less, false, true),
        (LessOrEqual, true, true),
        (Equal, true, true),
        (GreaterOrEqual, true, true),
        (Greater, true, false),
    ] {
        // The comparison of the least value with itself; then of the greatest.
        let mut limits = all;
        limits.restrict(comparison, Place::at(i128::MIN));
        let least = matches!(comparison, LessOrEqual | Equal | GreaterOrEqual);
        assert_eq!(within(&limits, i128::MIN).0, least);
        assert_eq!(
            within(&limits, 0).0,
            at_least && comparison != Equal && comparison != LessOrEqual
        );
        let mut limits = all;
        limits.restrict(comparison, Place::at(i128::MAX));
        assert_eq!(within(&limits, i128::MAX).0, least);
        assert_eq!(
            within(&limits, 0).0,
            at_most && comparison != Equal && comparison != GreaterOrEqual
        );
    }
}

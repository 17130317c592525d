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

fn entry(value: Option<i64>, nulls_first: bool) -> Entry<1> {
    let tid = 7 << 16 | 3;
    match value {
        None if nulls_first => Entry::new([0], tid),
        None => Entry::new([u64::MAX], NULL_BIT | tid),
        Some(i64::MIN) if nulls_first => Entry::new([0], NULL_BIT | tid),
        Some(v) => Entry::new([v as u64 ^ 1 << 63], tid),
    }
}

fn within(range: &Range<1>, e: &Entry<1>) -> bool {
    range.from <= *e && *e < range.until
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
        nulls_first: bool,
    ) {
        let mut limits = Limits::ALL;
        for &(key, op, between) in &keys {
            // "between" stands for key - 1/2.
            limits.restrict(ALL[op], if between { Place::before(key) } else { Place::at(key) });
        }
        let range = limits.range(nulls_first);
        prop_assert!(range.is_exact() || limits.is_empty());
        for v in probes(&keys.iter().map(|k| k.0).collect::<Vec<_>>()) {
            let want = keys.iter().all(|&(key, op, between)| {
                holds(ALL[op], (2 * i128::from(v)).cmp(&(2 * key - i128::from(between))))
            });
            let e = entry(Some(v), nulls_first);
            prop_assert_eq!(within(&range, &e), want, "{} {:?}", v, keys);
            prop_assert!(!want || range.is_sure(&e));
        }
        prop_assert!(!within(&range, &entry(None, nulls_first)));
    }

    #[test]
    fn zones_keep_all_matches_and_are_sure_only_of_matches(
        keys in prop::collection::vec((any_key(), 0i128..4, any::<u64>(), 0usize..5), 1..4),
        nulls_first: bool,
    ) {
        let mut limits = Limits::ALL;
        for &(first, length, _, op) in &keys {
            limits.restrict(ALL[op], Place::zone(first, first + length - 1));
        }
        let range = limits.range(nulls_first);
        for v in probes(&keys.iter().map(|k| k.0).collect::<Vec<_>>()) {
            let e = entry(Some(v), nulls_first);
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
            if want {
                prop_assert!(within(&range, &e));
            }
            if within(&range, &e) {
                prop_assert!(want || !range.is_sure(&e));
                prop_assert!(zone || range.is_sure(&e), "recheck outside of all zones");
            }
        }
    }

    #[test]
    fn lists_select_what_one_condition_of_each_selects(
        lists in prop::collection::vec(prop::collection::vec((-9i128..9, 0i128..4, 0usize..5), 0..6), 1..4),
    ) {
        let limits = |&(first, length, op): &(i128, i128, usize)| {
            let mut limits = Limits::ALL;
            // Zones only where the length is odd: points else.
            let place = if length % 2 == 1 { Place::zone(first, first + length) } else { Place::at(first) };
            limits.restrict(ALL[op], place);
            limits
        };
        let mut found = vec![Limits::ALL];
        for list in &lists {
            let mut any: Vec<_> = list.iter().map(limits).collect();
            any_of(&mut any);
            found = both(&found, &any);
        }
        let within = |l: &Limits, v: i128| l.from <= v && v < l.until;
        let sure = |l: &Limits, v: i128| within(l, v) && l.sure_from <= v && v < l.sure_until;
        for v in -12i128..15 {
            let may = lists.iter().all(|list| list.iter().map(limits).any(|l| within(&l, v)));
            let must = lists.iter().all(|list| list.iter().map(limits).any(|l| sure(&l, v)));
            let hits: Vec<_> = found.iter().filter(|l| within(l, v)).collect();
            prop_assert_eq!(hits.len(), usize::from(may));
            prop_assert!(must || !hits.iter().any(|l| sure(l, v)));
            let exact = lists.iter().flatten().all(|&(_, length, _)| length % 2 == 0);
            prop_assert!(!exact || hits.iter().all(|l| sure(l, v)));
        }
        prop_assert!(found.is_sorted_by(|a, b| a.until <= b.from));
    }

    #[test]
    fn division_keeps_the_order(below in -1000i128..1000, length in 0i128..50, unit in 1i128..40, k in -1100i128..1100) {
        let place = Place { below, above: below + length, exact: length == 0 }.divided(unit);
        prop_assert_eq!(k < place.below, k * unit < below);
        prop_assert_eq!(k >= place.above, k * unit >= below + length);
    }

    #[test]
    fn a_point_is_an_equality(value: i64, nulls_first: bool) {
        for value in [value, i64::MIN, i64::MAX] {
            let mut limits = Limits::ALL;
            limits.restrict(Equal, Place::at(value.into()));
            let word = value as u64 ^ 1 << 63;
            prop_assert_eq!(limits.range(nulls_first), Range::point(word, nulls_first));
        }
    }
}

#[test]
fn beyond_the_domain() {
    let key = Place::at(BEYOND + 5);
    for (comparison, all) in [(Less, true), (Equal, false), (Greater, false)] {
        let mut limits = Limits::ALL;
        limits.restrict(comparison, key);
        assert_eq!(limits.is_empty(), !all);
        if all {
            assert_eq!(limits.range(false), Range::values(false));
            assert_eq!(limits.range(true), Range::values(true));
        }
    }
}

#[test]
fn nulls_and_values_partition_the_entries() {
    for first in [true, false] {
        let (nulls, values) = (Range::nulls(first), Range::values(first));
        for e in [
            entry(None, first),
            entry(Some(i64::MIN), first),
            entry(Some(i64::MAX), first),
        ] {
            assert_ne!(within(&nulls, &e), within(&values, &e));
        }
        assert!(within(&nulls, &entry(None, first)));
    }
}

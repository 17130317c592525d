use super::*;
use crate::search::Span;
use crate::search::tests::{condition, cuts, values};
use proptest::prelude::*;

/// Entries with values of all columns at and beside both ends, ascending.
fn entries() -> Vec<Entry<5>> {
    let span = |first| Span {
        first,
        last: first,
        sure: true,
    };
    let mut all = Vec::new();
    for a in values(0) {
        for b in values(1) {
            for c in values(2) {
                let entry = span(a).then(&span(b)).then(&span(c)).first;
                all.extend([1, (1 << 48) - 1].map(|tid| Entry::new(entry.key, entry.tie | tid)));
            }
        }
    }
    assert!(all.is_sorted());
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 500 }))]
    /// No entry that the conditions admit is skipped, and all entries are that they do not admit.
    #[test]
    fn skips_what_no_condition_admits(
        columns in prop::collection::vec(prop::option::of(cuts()), 3..=3),
        at in any::<prop::sample::Index>(),
    ) {
        let conditions: Vec<_> = (0..).zip(&columns)
            .filter_map(|(i, cuts)| Some(condition(i, cuts.as_ref()?)))
            .filter(|condition| !condition.spans.is_empty())
            .collect();
        let all = entries();
        let edges = [Entry::MIN, Entry::MAX, *at.get(&all), successor(at.get(&all))];
        for edge in edges {
            let admits = |entry: &Entry<5>| conditions.iter().all(|c| c.admits(entry));
            let next = next_admitted(&conditions, &edge);
            let sound = edge <= next && (next == Entry::MAX || admits(&next));
            prop_assert!(sound, "{edge:?} {next:?}");
            let last = end_of_previous_admitted(&conditions, &edge);
            let admitted = || predecessor(&last).is_some_and(|e| admits(&e));
            let sound = last <= edge && (last == Entry::MIN || admitted());
            prop_assert!(sound, "{edge:?} {last:?}");
            for entry in all.iter().filter(|&entry| admits(entry)) {
                prop_assert!(*entry < edge || *entry >= next, "{edge:?} {entry:?} {next:?}");
                prop_assert!(*entry >= edge || *entry < last, "{edge:?} {entry:?} {last:?}");
            }
        }
    }
}

#[test]
fn neighbours() {
    let pairs = [
        (Entry::new([3, 5], 7), Entry::new([3, 5], 8)),
        (Entry::new([3, 5], u64::MAX), Entry::new([3, 6], 0)),
        (Entry::new([3, u64::MAX], u64::MAX), Entry::new([4, 0], 0)),
    ];
    for (low, high) in pairs {
        assert_eq!(successor(&low), high);
        assert_eq!(predecessor(&high), Some(low));
    }
    assert_eq!(successor(&Entry::<2>::MAX), Entry::MAX);
    assert_eq!(predecessor(&Entry::<2>::MIN), None);
}

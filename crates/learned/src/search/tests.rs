use super::*;
use proptest::prelude::*;

/// Three columns in five words: one word, two words, one word and the tie's bit; a word of padding.
pub(crate) const FIELDS: [Field; 3] = [
    Field {
        at: 0,
        words: 1,
        has_null_bit: false,
    },
    Field {
        at: 1,
        words: 2,
        has_null_bit: false,
    },
    Field {
        at: 3,
        words: 1,
        has_null_bit: true,
    },
];

/// Words at and beside both ends.
const WORDS: [u64; 6] = [0, 1, 2, u64::MAX - 2, u64::MAX - 1, u64::MAX];

/// Values of a column, ascending, as entries that have nothing else.
pub(crate) fn values(column: usize) -> Vec<Entry<5>> {
    let mut all = Vec::new();
    for a in WORDS {
        match column {
            0 => all.push(Entry::new([a, 0, 0, 0, 0], 0)),
            1 => all.extend(WORDS.map(|b| Entry::new([0, a, b, 0, 0], 0))),
            _ => {
                all.push(Entry::new([0, 0, 0, a, 0], 0));
                if a == 0 || a == u64::MAX {
                    all.push(Entry::new([0, 0, 0, a, 0], NULL_BIT));
                }
            }
        }
    }
    all
}

/// Some spans of a column, ascending and disjoint, each short or long, sure or not.
pub(crate) fn condition(column: usize, cuts: &[(usize, usize, bool)]) -> Condition<5> {
    let values = values(column);
    let mut spans = SmallVec::new();
    let mut next = 0;
    for &(gap, length, sure) in cuts {
        let (first, last) = (next + gap, next + gap + length);
        if let (Some(&first), Some(&last)) = (values.get(first), values.get(last)) {
            spans.push(Span { first, last, sure });
        }
        next = last + 1;
    }
    Condition {
        field: FIELDS[column],
        spans,
    }
}

pub(crate) fn cuts() -> impl Strategy<Value = Vec<(usize, usize, bool)>> {
    let length = prop_oneof![3 => Just(0usize), 1 => 0usize..8];
    prop::collection::vec((0usize..4, length, any::<bool>()), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 200 }))]
    /// A combination of values is in a range and passes the filters if and only if it satisfies all
    /// conditions.
    #[test]
    fn ranges_and_filters_select_what_the_conditions_select(
        columns in prop::collection::vec(prop::option::of(cuts()), 3..=3),
        tid in 1u64..1 << 40,
    ) {
        let conditions: Vec<_> = (0..).zip(&columns)
            .filter_map(|(i, cuts)| Some(condition(i, cuts.as_ref()?)))
            .collect();
        let mut found = Vec::new();
        let used = ranges(&conditions, &mut found);
        prop_assert!(found.is_sorted_by(|a, b| a.until <= b.from));
        let (by_range, filters) = conditions.split_at(used);
        for a in values(0) {
            for b in values(1) {
                for c in values(2) {
                    let span = |first| Span { first, last: first, sure: true };
                    let mut entry = span(a).then(&span(b)).then(&span(c)).first;
                    entry.tie |= tid;
                    let hit = found.iter().find(|r| r.from <= entry && entry < r.until);
                    let parts = [a, b, c];
                    // Whether the span that has the column's value is sure.
                    let inside = |c: &Condition<5>| {
                        let column = FIELDS.iter().position(|f| f == &c.field).unwrap();
                        let part = parts[column];
                        c.spans.iter().find(|s| s.first <= part && part <= s.last).map(|s| s.sure)
                    };
                    prop_assert_eq!(hit.is_some(), by_range.iter().all(|c| inside(c).is_some()));
                    if let Some(hit) = hit {
                        prop_assert_eq!(hit.sure, by_range.iter().all(|c| inside(c).unwrap()));
                    }
                    for filter in filters {
                        prop_assert_eq!(filter.admits(&entry), inside(filter).is_some());
                        prop_assert_eq!(filter.is_sure(&entry), inside(filter).unwrap_or(false));
                    }
                }
            }
        }
    }
}

#[test]
fn single_values_lead_on_and_spans_do_not() {
    let one = [(1, 0, true)];
    let two = [(0, 0, true), (1, 0, true)];
    let span = [(0, 3, true)];
    for (cuts, used, count) in [
        ([&one[..], &two, &span], 3, 2),
        ([&two, &two, &two], 3, 8),
        ([&span, &one, &one], 1, 1),
        ([&one, &span, &one], 2, 1),
    ] {
        let conditions: Vec<_> = (0..).zip(cuts).map(|(i, c)| condition(i, c)).collect();
        let mut found = Vec::new();
        assert_eq!(ranges(&conditions, &mut found), used);
        assert_eq!(found.len(), count);
        // Without a condition on the first column all the others filter.
        let mut found = Vec::new();
        assert_eq!(ranges(&conditions[1..], &mut found), 0);
        assert_eq!(found, [Range::ALL]);
    }
}

#[test]
fn lists_that_multiply_to_too_many_ranges_become_filters() {
    let field = |at| Field {
        at,
        words: 1,
        has_null_bit: false,
    };
    let list = |at: usize| {
        let part = |v: u64| {
            let mut entry = Entry::<2>::MIN;
            entry.key[at] = v;
            entry
        };
        let span = |v| Span {
            first: part(v),
            last: part(v),
            sure: true,
        };
        Condition {
            field: field(at),
            spans: (0..200).map(span).collect(),
        }
    };
    let mut found = Vec::new();
    assert_eq!(ranges(&[list(0), list(1)], &mut found), 1);
    assert_eq!(found.len(), 200);
}

#[test]
fn a_point_is_the_range_of_a_single_value() {
    for word in WORDS {
        for nulls_first in [false, true] {
            let bit = if nulls_first && word == 0 {
                NULL_BIT
            } else {
                0
            };
            let value = Entry::new([word], bit);
            let condition = Condition {
                field: Field {
                    at: 0,
                    words: 1,
                    has_null_bit: true,
                },
                spans: SmallVec::from_buf([Span {
                    first: value,
                    last: value,
                    sure: true,
                }]),
            };
            let mut found = Vec::new();
            assert_eq!(ranges(&[condition], &mut found), 1);
            let point = Range::<1>::point(word, nulls_first);
            for tie in [0, 7, NULL_BIT, NULL_BIT | 7] {
                for w in WORDS {
                    let entry = Entry::new([w], tie);
                    // Only these words have entries with the bit.
                    if tie & NULL_BIT != 0 && w != (if nulls_first { 0 } else { u64::MAX }) {
                        continue;
                    }
                    let within = |r: &Range<1>| r.from <= entry && entry < r.until;
                    assert_eq!(within(&point), within(&found[0]), "{word} {w} {tie}");
                }
            }
        }
    }
}

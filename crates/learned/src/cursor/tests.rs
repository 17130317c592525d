use super::*;
use crate::mem::{Mem, Pages};
use crate::rng::Rng;
use crate::search::{Field, Span};
use crate::tree::{Builder, empty_index};
use proptest::prelude::*;
use std::collections::BTreeSet;

type E = Entry<1>;

fn entry(key: u64, tid: u64) -> E {
    Entry::new([key], tid)
}

/// The next entry, as a scan reads it.
fn next(cursor: &mut Cursor<1>, tree: &Tree<'_, Mem, 1>, forward: bool) -> Option<E> {
    loop {
        if let Some(entry) = cursor.step(forward) {
            return Some(entry);
        }
        if !cursor.has_more(forward) {
            cursor.finish(forward);
            return None;
        }
        drop(cursor.load(tree, forward).unwrap());
    }
}

fn index(entries: impl IntoIterator<Item = E>) -> Mem {
    let mem = Mem::from_blocks(empty_index::<1>(90, [0; 8]));
    let tree = Tree::<_, 1>::new(&mem).with_inner_limit(4);
    for entry in entries {
        tree.insert(entry, 90).unwrap();
    }
    drop(tree);
    mem
}

#[test]
fn a_point_costs_one_page_and_its_end_none() {
    let mem = index((0..2000).map(|k| entry(k * 3, k)));
    let tree = Tree::<_, 1>::new(&mem);
    let mut cursor = Cursor::default();
    let mut inside = 0;
    for k in 0..2000 {
        cursor.reset(Range::exact(entry(k * 3, 0), entry(k * 3 + 1, 0)));
        assert_eq!(next(&mut cursor, &tree, true), Some(entry(k * 3, k)));
        let reads = mem.reads();
        assert_eq!(next(&mut cursor, &tree, true), None);
        inside += u32::from(reads == mem.reads());
        assert_eq!(next(&mut cursor, &tree, true), None);
        assert_eq!(next(&mut cursor, &tree, false), Some(entry(k * 3, k)));
        assert_eq!(next(&mut cursor, &tree, false), None);
    }
    assert_eq!(inside, 2000);
}

#[test]
fn long_scans_read_each_leaf_few_times() {
    let mem = index((0..5000).map(|k| entry(k, k)));
    let tree = Tree::<_, 1>::new(&mem);
    let mut cursor = Cursor::default();
    for forward in [true, false] {
        cursor.reset(Range::ALL);
        let mut all = Vec::new();
        while let Some(e) = next(&mut cursor, &tree, forward) {
            all.push(e);
        }
        if !forward {
            all.reverse();
        }
        assert!(all.iter().copied().eq((0..5000).map(|k| entry(k, k))));
    }
}

#[derive(Debug, Clone)]
enum Op {
    Next(bool, u8),
    Mark,
    Restore,
    /// Ends of ranges, and where spans of keys begin that a filter admits; none: no filter.
    Reset(Vec<u64>, Vec<u64>),
    Insert(u64),
    Vacuum,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (any::<bool>(), 1u8..60).prop_map(|(f, n)| Op::Next(f, n)),
        2 => Just(Op::Mark),
        2 => Just(Op::Restore),
        1 => (prop::collection::vec(0u64..420, 2..9), prop::collection::vec(0u64..420, 0..5))
            .prop_map(|(r, f)| Op::Reset(r, f)),
        8 => (0u64..400).prop_map(Op::Insert),
        1 => Just(Op::Vacuum),
    ]
}

const NOISE: u64 = 1 << 40;

/// A condition on the key: 20 keys from each of `begins` on.
fn filter(mut begins: Vec<u64>) -> Condition<1> {
    begins.sort_unstable();
    begins.dedup_by(|next, last| *next <= *last + 20);
    let span = |k: u64| Span {
        first: entry(k, 0),
        last: entry(k + 19, 0),
        sure: true,
    };
    Condition {
        field: Field {
            at: 0,
            words: 1,
            has_null_bit: false,
        },
        spans: begins.into_iter().map(span).collect(),
    }
}

/// Starts over with several ranges, ascending and disjoint.
fn reset_to_many(cursor: &mut Cursor<1>, ranges: &[Range<1>]) {
    cursor.ranges = ranges.to_vec();
    cursor.rewind(ranges[0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 300 }))]
    /// Entries are inserted and deleted meanwhile: the entries that stay are all found, in order,
    /// once, in either direction, from any mark.
    #[test]
    fn finds_what_stays(
        keys in prop::collection::btree_set((0u64..400, 1u64..4), 0..400),
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let stay: BTreeSet<E> = keys.iter().map(|&(k, t)| entry(k, t)).collect();
        let mem = index(stay.iter().copied());
        let tree = Tree::<_, 1>::new(&mem).with_inner_limit(4);
        let mut cursor = Cursor::default();
        let mut ranges = vec![Range::ALL];
        let mut admitted: Option<Condition<1>> = None;
        cursor.reset(Range::ALL);
        // The oracle's position: the gap or entry as (entries below, whether on an entry).
        #[derive(Clone, Copy, PartialEq, Debug)]
        enum At { Unstarted, Before, On(E), After }
        let mut at = At::Unstarted;
        let mut mark = (cursor.mark(), at);
        let mut noise = 0;
        for op in ops {
            match op {
                Op::Next(forward, count) => for _ in 0..count {
                    let in_span = |e: &E, s: &Span<1>| s.first.key <= e.key && e.key <= s.last.key;
                    let inside = |e: &&E| ranges.iter().any(|r| r.from <= **e && **e < r.until)
                        && admitted.as_ref().is_none_or(|f| f.spans.iter().any(|s| in_span(e, s)));
                    let want = match (at, forward) {
                        (At::Unstarted | At::Before, true) => stay.iter().find(inside),
                        (At::Unstarted | At::After, false) => stay.iter().rev().find(inside),
                        (At::On(p), true) => stay.iter().filter(|e| **e > p).find(inside),
                        (At::On(p), false) => stay.iter().rev().filter(|e| **e < p).find(inside),
                        _ => None,
                    }.copied();
                    let got = loop {
                        match next(&mut cursor, &tree, forward) {
                            Some(e) if e.tie >= NOISE => {}
                            other => break other,
                        }
                    };
                    prop_assert_eq!(got, want, "from {:?} in {:?}", at, ranges);
                    at = match got {
                        Some(e) => At::On(e),
                        None if forward => At::After,
                        None => At::Before,
                    };
                },
                Op::Mark => mark = (cursor.mark(), at),
                Op::Restore => {
                    cursor.restore(&mark.0);
                    at = mark.1;
                }
                Op::Reset(mut ends, begins) => {
                    if ends.len() > 3 {
                        ends.sort_unstable();
                    }
                    ranges = ends
                        .chunks_exact(2)
                        .map(|c| Range::exact(entry(c[0], 0), entry(c[1], 2)))
                        .collect();
                    if ranges.len() == 1 {
                        cursor.reset(ranges[0]);
                    } else {
                        ranges.dedup_by(|b, a| b.from < a.until);
                        cursor.filters.clear();
                        reset_to_many(&mut cursor, &ranges);
                    }
                    admitted = (!begins.is_empty()).then(|| filter(begins));
                    cursor.filters.extend(admitted.clone());
                    at = At::Unstarted;
                    mark = (cursor.mark(), at);
                }
                Op::Insert(key) => {
                    noise += 1;
                    tree.insert(entry(key, NOISE + noise), 90).unwrap();
                }
                Op::Vacuum => {
                    tree.vacuum(&mut |tid: u64| tid >= NOISE, true).unwrap();
                }
            }
        }
        prop_assert!(mem.breaches().is_empty());
    }
}

/// A damaged leaf may give wrong rows until it is checked, but not endlessly.
#[test]
fn damaged_leaves_are_not_read_endlessly() {
    let mut packer = crate::leaf::Packer::<1>::new(100);
    let entries = (0..5000).map(|k| entry(1_000_000 + k, k << 16 | 1));
    let mut leaves: Vec<_> = entries.filter_map(|e| packer.push(e)).collect();
    leaves.extend(packer.finish());
    let mut leaf = leaves.remove(0);
    leaf.high = Entry::MAX;
    let page = leaf.to_page().unwrap();
    let [(meta_block, meta), _] = empty_index::<1>(90, [0; 8]);
    let run = 80;
    let mut stopped = 0;
    for (byte, bit) in (run..run + 48).flat_map(|b| (0..8).map(move |i| (b, 1 << i))) {
        let mem = Mem::from_blocks([(meta_block, meta.clone()), (1, page.clone())]);
        mem.damage(1, |page| page[byte] ^= bit);
        let tree = Tree::<_, 1>::new(&mem);
        for forward in [true, false] {
            let mut cursor = Cursor::default();
            cursor.reset(Range::ALL);
            let mut rows = 0;
            while rows < 100_000 {
                if cursor.step(forward).is_some() {
                    rows += 1;
                } else if !cursor.has_more(forward) {
                    break;
                } else if let Err(error) = cursor.load(&tree, forward) {
                    stopped += u32::from(error.to_string().contains("not in order"));
                    break;
                }
            }
            assert!(rows < 100_000, "byte {byte}, bit {bit}, forward {forward}");
        }
    }
    assert!(stopped > 0);
}

/// Conditions on both words of a key, as ranges and as filters.
#[test]
fn searches_by_several_columns() {
    let mem = Mem::from_blocks(empty_index::<2>(90, [0; 8]));
    let tree = Tree::<_, 2>::new(&mem).with_inner_limit(4);
    let all: Vec<_> = (0..40u64)
        .flat_map(|a| (0..60).map(move |b| Entry::new([a, b * 7 % 60], a * 60 + b + 1)))
        .collect();
    for entry in &all {
        tree.insert(*entry, 90).unwrap();
    }
    let condition = |at: usize, spans: &[(u64, u64)]| Condition {
        field: Field {
            at,
            words: 1,
            has_null_bit: false,
        },
        spans: spans
            .iter()
            .map(|&(first, last)| {
                let mut span = Span {
                    first: Entry::MIN,
                    last: Entry::MIN,
                    sure: true,
                };
                (span.first.key[at], span.last.key[at]) = (first, last);
                span
            })
            .collect(),
    };
    let lists: [&[(u64, u64)]; 6] = [
        &[],
        &[(7, 7)],
        &[(3, 3), (5, 5), (39, 39), (99, 99)],
        &[(10, 20)],
        &[(0, 4), (6, 6), (30, 90)],
        &[(0, u64::MAX)],
    ];
    let mut cursor = Cursor::default();
    for a in [None, Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)] {
        for b in [None, Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)] {
            let spans = |list: Option<usize>| list.map(|i| lists[i]);
            let conditions: Vec<_> = [spans(a), spans(b)]
                .into_iter()
                .enumerate()
                .filter_map(|(at, spans)| Some(condition(at, spans?)))
                .collect();
            let within = |list: Option<usize>, v: u64| {
                spans(list).is_none_or(|spans| spans.iter().any(|s| s.0 <= v && v <= s.1))
            };
            let mut want: Vec<_> = all
                .iter()
                .copied()
                .filter(|e| within(a, e.key[0]) && within(b, e.key[1]))
                .collect();
            want.sort();
            for forward in [true, false] {
                cursor.search(&conditions);
                let mut got = Vec::new();
                loop {
                    if let Some(entry) = cursor.step(forward) {
                        got.push(entry);
                    } else if cursor.has_more(forward) {
                        drop(cursor.load(&tree, forward).unwrap());
                    } else {
                        break;
                    }
                }
                if !forward {
                    got.reverse();
                }
                assert_eq!(got, want, "{a:?} {b:?} {forward}");
            }
        }
    }
}

/// A condition on the second column alone reads a few pages for each group, not all pages.
#[test]
fn groups_are_skipped() {
    const GROUPS: u64 = 20;
    // Hard to compress, so that a group has many leaves.
    let second = |b: u64| b << 32 | b.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let rows = (0..GROUPS).flat_map(|a| (0..10_000).map(move |b| (a << 20, b)));
    let set: BTreeSet<_> = rows
        .map(|(a, b)| Entry::new([a, second(b)], b + 1))
        .collect();
    let mut pages = Pages::default();
    let mut builder = Builder::<_, 2>::new(&mut pages, 90, [0; 8]);
    set.iter().for_each(|entry| builder.push(*entry).unwrap());
    let built = builder.finish(0).unwrap();
    let mem = Mem::new(pages.0);
    let plain = Tree::<_, 2>::new(&mem);
    let bytes = plain.load_model().unwrap().unwrap();
    let tree = Tree::<_, 2>::with_model(&mem, &bytes);
    let value = |b: u64| {
        let value = Entry::new([0, second(b)], 0);
        let sure = true;
        Span {
            first: value,
            last: value,
            sure,
        }
    };
    let condition = Condition {
        field: Field {
            at: 1,
            words: 1,
            has_null_bit: false,
        },
        spans: [9, 2000, 10_000].map(value).into_iter().collect(),
    };
    for forward in [true, false] {
        let before = mem.reads();
        let mut cursor = Cursor::default();
        cursor.search(std::slice::from_ref(&condition));
        let mut found = 0;
        while cursor.has_more(forward) {
            drop(cursor.load(&tree, forward).unwrap());
            found += cursor.batch().len() as u64;
        }
        assert_eq!(found, 2 * GROUPS);
        let pages = mem.reads() - before;
        println!("{pages} of {} pages", built.leaves);
        assert!(
            pages <= 5 * GROUPS && pages < built.leaves / 2,
            "{pages} of {}",
            built.leaves
        );
    }
}

/// Cursors that share a scan and take turns at random read together what a single one reads, each
/// of them in order.
#[test]
fn several_cursors_share_a_scan() {
    let mem = index((0..4000).map(|k| entry(k / 3, k + 1)));
    let tree = Tree::<_, 1>::new(&mem);
    let span = |first: u64, last: u64| Span {
        first: entry(first, 0),
        last: entry(last, 0),
        sure: true,
    };
    let field = Field {
        at: 0,
        words: 1,
        has_null_bit: false,
    };
    for spans in [
        vec![span(0, 5000)],
        vec![span(700, 701)],
        vec![span(3, 3), span(5, 900), span(901, 901), span(1200, 1210)],
        vec![],
    ] {
        let condition = Condition {
            field,
            spans: spans.into(),
        };
        for (forward, seed) in [(true, 1u64), (false, 2), (true, 3)] {
            let mut alone = Cursor::default();
            alone.search(std::slice::from_ref(&condition));
            let expected: Vec<E> =
                std::iter::from_fn(|| next(&mut alone, &tree, forward)).collect();
            let mut cursors: Vec<Cursor<1>> = (0..3).map(|_| Cursor::default()).collect();
            cursors
                .iter_mut()
                .for_each(|c| c.search(std::slice::from_ref(&condition)));
            let (mut shared, mut found) = (None, vec![]);
            let mut rng = Rng::new(seed);
            if cursors[0].has_more(forward) {
                loop {
                    let cursor = &mut cursors[rng.below(3) as usize];
                    if let Some(from) = &shared {
                        cursor.continue_from(from, forward);
                    }
                    drop(cursor.load(&tree, forward).unwrap());
                    found.extend(std::iter::from_fn(|| cursor.step(forward)));
                    shared = cursor.shared_position(forward);
                    if shared.is_none() {
                        break;
                    }
                }
            }
            assert!(
                found == expected,
                "{} and {} entries",
                found.len(),
                expected.len()
            );
        }
    }
}

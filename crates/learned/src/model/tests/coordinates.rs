//! The coordinate never falls while the key rises, and distinguishes what it can.

use proptest::prelude::*;

use crate::model::coordinate::{AXIS, Axis, axes, coordinate, is_unique, key_at};

fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0..10u64,
        Just(u64::MAX),
        (1 << 50)..(1u64 << 50) + 1000,
        (0..64u32).prop_map(|s| 1 << s)
    ]
}

/// A key comes back from its coordinate where it shares it with no other one.
fn invertible<const W: usize>(axes: &[Axis], keys: &[[u64; W]]) {
    for key in keys.iter().filter(|key| is_unique(axes, key)) {
        let x = coordinate(axes.iter().copied(), key);
        assert_eq!(key_at(axes.iter().copied(), x), *key, "{x:x} {axes:?}");
    }
}

fn monotone<const W: usize>(observed: &[[u64; W]], mut keys: Vec<[u64; W]>) {
    let axes = axes(observed.iter());
    keys.extend(observed);
    keys.sort_unstable();
    invertible(&axes, &keys);
    let x = |k| coordinate(axes.iter().copied(), k);
    for pair in keys.windows(2) {
        let [a, b] = pair else { continue };
        assert!(x(a) <= x(b), "{a:x?} {b:x?} {axes:?}");
        if a != b && (is_unique(&axes, a) || is_unique(&axes, b)) {
            assert!(x(a) < x(b), "{a:x?} {b:x?} {axes:?}");
        }
    }
}

proptest! {
    #[test]
    fn never_falls_with_two_words(
        observed in prop::collection::vec(prop::array::uniform2(word()), 0..20),
        keys in prop::collection::vec(prop::array::uniform2(word()), 2..60),
    ) {
        monotone(&observed, keys);
    }

    #[test]
    fn never_falls_with_four_words(
        observed in prop::collection::vec(prop::array::uniform4(0..3u64), 0..20),
        wide in prop::collection::vec(prop::array::uniform4(word()), 0..3),
        keys in prop::collection::vec(prop::array::uniform4(prop_oneof![0..4u64, word()]), 2..60),
    ) {
        monotone(&[observed, wide].concat(), keys);
    }

    #[test]
    fn axes_survive_their_bytes(min: u64, max: u64, scale: u64, tail: u64, shift: u32) {
        let axis = Axis { min, max, scale, tail, shift };
        let bytes: [u8; AXIS] = axis.bytes();
        prop_assert_eq!(Axis::read(&bytes), axis);
    }
}

#[test]
fn small_ranges_are_distinguished() {
    let keys = [[1 << 40, 5, 77], [(1 << 40) + 1000, 9, 1 << 50]];
    let axes = axes(keys.iter());
    invertible(&axes, &keys);
    invertible(&axes, &[[(1 << 40) + 3, 7, 12345]]);
    assert!(is_unique(&axes, &[(1 << 40) + 3, 7, 12345]));
    assert!(!is_unique(&axes, &[(1 << 40) + 3, 4, 12345]));
    let x = |k: [u64; 3]| coordinate(axes.iter().copied(), &k);
    assert_eq!(x([1 << 40, 5, 78]), x([1 << 40, 5, 77]) + 1);
    // One step of the middle word is worth all values of the last, and one outside at either end.
    assert_eq!(
        x([1 << 40, 6, 77]) - x([1 << 40, 5, 77]),
        (1 << 50) - 77 + 3
    );
}

#[test]
fn extreme_words_do_not_stretch_the_range() {
    let keys = [[1, 100], [2, u64::MAX], [0, 120]];
    let axes = axes(keys.iter());
    // Here 0 is close to the rest.
    assert_eq!((axes[0].min, axes[0].max), (0, 2));
    assert_eq!((axes[1].min, axes[1].max), (100, 120));
}

#[test]
fn full_words_lose_low_bits_of_the_last_only() {
    let keys = [[1000, 1], [1255, u64::MAX - 1]];
    let axes = axes(keys.iter());
    assert_eq!(axes[0].shift, 0);
    assert_eq!(axes[1].shift, 9);
}

use proptest::prelude::*;

use super::*;
use crate::Entry;
use crate::key::tie_of;
use crate::leaf::Packer;
use crate::rng::Rng;

/// Integers at and beside powers of two, and any.
fn integers() -> impl Strategy<Value = i64> {
    let beside =
        |(bit, off, sign): (u32, i64, i64)| (1i64 << bit).wrapping_mul(sign).wrapping_add(off);
    prop_oneof![
        any::<i64>(),
        (0u32..64, -2i64..3, prop_oneof![Just(1i64), Just(-1)]).prop_map(beside)
    ]
}

/// Bits of double precision numbers: any, small ones (zeros, denormals), decimals, whole numbers.
fn doubles() -> impl Strategy<Value = u64> {
    let decimal = |(n, places): (i64, u32)| (n as f64 / 10f64.powi(places as i32)).to_bits();
    let small = |(n, sign): (u64, u64)| n | sign << 63;
    prop_oneof![
        any::<u64>(),
        (
            prop_oneof![0u64..5, (1u64 << 51) - 3..(1 << 51) + 3],
            0u64..2
        )
            .prop_map(small),
        (integers(), 0u32..7).prop_map(decimal),
        (-100_000i64..100_000, 0u32..7).prop_map(decimal),
    ]
}

/// Bits of single precision numbers: the same kinds.
fn singles() -> impl Strategy<Value = u32> {
    let decimal =
        |(n, places): (i64, u32)| ((n as f64 / 10f64.powi(places as i32)) as f32).to_bits();
    let small = |(n, sign): (u32, u32)| n | sign << 31;
    prop_oneof![
        any::<u32>(),
        (
            prop_oneof![0u32..5, (1u32 << 19) - 3..(1 << 19) + 3],
            0u32..2
        )
            .prop_map(small),
        (-100_000i64..100_000, 0u32..7).prop_map(decimal),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 20 } else { 5000 }))]
    /// Each value comes back with all its bits, and none is taken for NULL.
    #[test]
    fn values_come_back(
        integer_value in integers(),
        double_bits in doubles(),
        single_bits in singles(),
    ) {
        let code = integer(integer_value);
        prop_assert_eq!(to_integer(code.word), integer_value);
        prop_assert!(code.marked || code.word != NULL);
        let code = double(double_bits);
        prop_assert_eq!(to_double(code), double_bits, "{:x}", double_bits);
        prop_assert!(code.marked || code.word != NULL);
        let code = single(single_bits);
        prop_assert_eq!(to_single(code), single_bits, "{:x}", single_bits);
        prop_assert!(code.marked || code.word != NULL);
    }

    /// Common values need no mark, which would begin a run of its own.
    #[test]
    fn common_values_are_not_marked(n in -1_000_000_000i64..1_000_000_000, places in 0i32..5) {
        let value = n as f64 / 10f64.powi(places);
        prop_assert!(!integer(n).marked);
        prop_assert!(!double(value.to_bits()).marked);
        prop_assert!(!single((value as f32).to_bits()).marked);
    }

    /// Any word decodes to some value, so that damaged bytes do no harm.
    #[test]
    fn any_word_is_a_value(word: u64, marked: bool) {
        to_integer(word);
        to_double(Code { word, marked });
        to_single(Code { word, marked });
    }
}

#[test]
fn special_values_come_back() {
    for bits in [
        0.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        -f64::NAN,
        f64::MIN_POSITIVE,
        5e-324,
        -5e-324,
        f64::MAX,
        1e-4,
        1e15,
    ]
    .map(f64::to_bits)
    {
        assert_eq!(to_double(double(bits)), bits);
    }
    for bits in [
        0.0,
        -0.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        -f32::NAN,
        f32::MIN_POSITIVE,
        1e-45,
        -1e-45,
        f32::MAX,
        1e-4,
    ]
    .map(f32::to_bits)
    {
        assert_eq!(to_single(single(bits)), bits);
    }
    // Signalling NaNs, which conversions would make quiet.
    assert_eq!(
        to_double(double(0x7FF0_0000_0000_0001)),
        0x7FF0_0000_0000_0001
    );
    assert_eq!(to_single(single(0x7F80_0001)), 0x7F80_0001);
}

/// The number of bits that an entry of `(time) INCLUDE (value)` takes, in rows ten seconds apart.
fn packed(values: impl Iterator<Item = Code>) -> usize {
    let mut packer = Packer::<2>::new(100);
    let (mut pages, mut entries) = (0, 0);
    for (i, code) in (0..20_000u32).zip(values) {
        let time = u64::from(i) * 10_000_000;
        let entry = Entry::new([time, code.word], tie_of(i / 100, 1 + (i % 100) as u16));
        pages += usize::from(packer.push(entry).is_some());
        entries += 1;
    }
    8192 * 8 * (pages + packer.finish().len()) / entries
}

/// Decimals take no more room than the integers that they are: those of two places from 0 to 100
/// about 14 bits.
#[test]
fn decimals_pack_like_integers() {
    /// With room for a tombstone, headers, and the TIDs.
    const MAX_BITS: usize = 17;
    let hundredths = || {
        let mut rng = Rng(1);
        std::iter::repeat_with(move || rng.below(10_000))
    };
    assert!(packed(hundredths().map(|n| integer(n as i64))) <= MAX_BITS);
    assert!(packed(hundredths().map(|n| double((n as f64 / 100.0).to_bits()))) <= MAX_BITS);
    assert!(packed(hundredths().map(|n| single((n as f32 / 100.0).to_bits()))) <= MAX_BITS);
}

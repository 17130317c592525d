//! Words for values that are kept beside a key (`INCLUDE`). All bits of a value come back. The
//! order of the words is not that of the values: it is the one that packs well.
//!
//! A leaf codes a column of words as distances from a line, in steps of a common divisor. So each
//! value becomes a number such that values which often stand side by side have small distances and
//! large divisors:
//!
//! - An integer is doubled. Where that loses the first bit, the last bit tells.
//! - A floating-point number that is a decimal of at most four places becomes four times the number
//!   of its ten-thousandths. This is the pseudo-decimal of ALP (Afroozeh, Kuffo, Boncz: ALP:
//!   Adaptive Lossless floating-Point Compression, SIGMOD 2023) with a fixed exponent, since the
//!   divisor makes up for places that are not used.
//! - Any other floating-point number is its bits, in order.
//!
//! NULL is an odd number among them. A few values have the number of another value. They are
//! **marked**, outside of the word.

/// The word of NULL.
pub const NULL: u64 = word(1);

/// The word of a value. Decoded with the same mark, it gives the value back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The word that is stored in the column.
    pub word: u64,
    /// Whether the word, without a mark, means another value. This is rare.
    pub marked: bool,
}

/// Number of ten-thousandths in 1.
const TEN_THOUSANDTHS: f64 = 1e4;
/// The powers of ten up to that.
const POWERS_OF_TEN: [f64; 5] = [1.0, 1e1, 1e2, 1e3, TEN_THOUSANDTHS];
/// Numbers nearer to zero than this are those of decimals, of -0, or of NULL. The bits of other
/// values are so near to zero only where these are denormal numbers.
const DECIMALS_END: u64 = 1 << 51;
/// The number of -0.
const MINUS_ZERO: i64 = 2;

/// The word of an integer.
#[inline(always)]
pub const fn integer(value: i64) -> Code {
    let twice = value << 1;
    let word = word(twice ^ ((value ^ twice) as u64 >> 63) as i64);
    Code {
        word,
        marked: word == NULL,
    }
}

/// The integer with this word, marked or not.
#[inline(always)]
pub const fn to_integer(word: u64) -> i64 {
    let number = number(word);
    number >> 1 ^ number << 63
}

/// The word of a double precision number, given by its bits.
#[inline]
pub fn double(bits: u64) -> Code {
    let same = |decimal: f64| decimal.to_bits() == bits;
    float(f64::from_bits(bits), &[TEN_THOUSANDTHS], same, bits)
}

/// The bits of the double precision number with this word.
#[inline(always)]
pub fn to_double(code: Code) -> u64 {
    match decode_float(code) {
        Ok(decimal) => decimal.to_bits(),
        Err(bits) => bits,
    }
}

/// The word of a single precision number, given by its bits.
#[inline]
pub fn single(bits: u32) -> Code {
    let same = |decimal: f64| (decimal as f32).to_bits() == bits;
    // Many decimals may be nearest to the same number. The one of the fewest places has the largest
    // divisor.
    let places = &POWERS_OF_TEN;
    float(
        f32::from_bits(bits).into(),
        places,
        same,
        u64::from(bits) << 32,
    )
}

/// The bits of the single precision number with this word.
#[inline(always)]
pub fn to_single(code: Code) -> u32 {
    match decode_float(code) {
        Ok(decimal) => (decimal as f32).to_bits(),
        Err(bits) => (bits >> 32) as u32,
    }
}

/// The word of the decimal that is nearest to `value`, with the places of one of `places`, if it is
/// the `same` as the value; else the word of `bits`.
#[inline(always)]
fn float(value: f64, places: &[f64], same: impl Fn(f64) -> bool, bits: u64) -> Code {
    for place in places {
        let decimal =
            ((value * place).round() as i64).saturating_mul((TEN_THOUSANDTHS / place) as i64);
        if decimal.unsigned_abs() < DECIMALS_END / 4 && same(decimal as f64 / TEN_THOUSANDTHS) {
            return unmarked(4 * decimal);
        }
    }
    if value == 0.0 {
        return unmarked(MINUS_ZERO);
    }
    let number = ordered(bits as i64);
    Code {
        word: word(number),
        marked: number.unsigned_abs() < DECIMALS_END,
    }
}

/// The decimal with this word, or the bits.
#[inline(always)]
fn decode_float(code: Code) -> Result<f64, u64> {
    match number(code.word) {
        number if code.marked || number.unsigned_abs() >= DECIMALS_END => {
            Err(ordered(number) as u64)
        }
        MINUS_ZERO => Ok(-0.0),
        number => Ok((number >> 2) as f64 / TEN_THOUSANDTHS),
    }
}

/// The code of a number that no other value has.
const fn unmarked(number: i64) -> Code {
    Code {
        word: word(number),
        marked: false,
    }
}

/// An order-preserving map of signed integers to words.
#[inline(always)]
pub const fn word(number: i64) -> u64 {
    number as u64 ^ 1 << 63
}

/// The integer with this word.
#[inline(always)]
const fn number(word: u64) -> i64 {
    (word ^ 1 << 63) as i64
}

/// Turns the sign and the magnitude of a floating-point number into two's complement, but for the
/// order of the zeros. The same function turns them back.
#[inline(always)]
pub const fn ordered(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

#[cfg(test)]
mod tests;

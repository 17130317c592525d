//! Common divisors, and divisions by them.

/// The greatest common divisor (Stein's binary algorithm). It is the other number where one of them
/// is 0.
pub(in crate::leaf) fn gcd(mut a: u64, mut b: u64) -> u64 {
    if a == 0 || b == 0 {
        return a | b;
    }
    let twos = (a | b).trailing_zeros();
    a >>= a.trailing_zeros();
    loop {
        b >>= b.trailing_zeros();
        (a, b) = (a.min(b), a.abs_diff(b));
        if b == 0 {
            return a << twos;
        }
    }
}

/// Number of bits of `v`, without leading zeros.
#[inline(always)]
pub(in crate::leaf) fn bits_of(v: u64) -> u32 {
    64 - v.leading_zeros()
}

/// Division of multiples of a number by it, as a shift and a multiplication (Granlund and
/// Montgomery: Division by Invariant Integers using Multiplication, PLDI 1994).
#[derive(Debug, Clone, Copy)]
pub(in crate::leaf) struct ExactDivisor {
    shift: u32,
    /// The inverse of the divisor's odd part, modulo 2^64.
    inverse: u64,
    /// The largest quotient.
    most: u64,
}

impl ExactDivisor {
    /// Division by `d`, which is not 0.
    pub(in crate::leaf) fn by(d: u64) -> Self {
        let shift = d.trailing_zeros() & 63;
        let odd = d >> shift;
        // Newton's iteration doubles the valid bits. An odd number is its own inverse in 3 bits.
        let mut inverse = odd;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        }
        Self {
            shift,
            inverse,
            most: u64::MAX.checked_div(d).unwrap_or(0),
        }
    }

    /// Whether `v` is a multiple of the divisor.
    #[inline(always)]
    fn divides(&self, v: u64) -> bool {
        v.wrapping_mul(self.inverse).rotate_right(self.shift) <= self.most
    }

    /// The quotient of a multiple.
    #[inline(always)]
    pub(in crate::leaf) fn unsigned(&self, v: u64) -> u64 {
        (v >> self.shift).wrapping_mul(self.inverse)
    }

    /// The quotient of a multiple in two's complement.
    #[inline(always)]
    pub(in crate::leaf) fn signed(&self, v: u64) -> u64 {
        ((v as i64 >> self.shift) as u64).wrapping_mul(self.inverse)
    }
}

/// The greatest common divisor of the distances of `values` from `first`.
pub(in crate::leaf) fn common_divisor_of(values: &[u64], first: u64) -> u64 {
    let mut common = 0;
    let mut exact = ExactDivisor::by(1 << 63);
    for &v in values {
        let d = v.abs_diff(first);
        if !exact.divides(d) || common == 0 {
            common = gcd(d, common);
            if common == 1 {
                break;
            }
            if common != 0 {
                exact = ExactDivisor::by(common);
            }
        }
    }
    common
}

//! From a key of several words to one 64-bit coordinate that never falls while the key rises.
//!
//! A mixed radix number over the observed range of each word: `(device, time)` becomes `device *
//! times + time`, which is close to a straight line over the leaves. `device << 64 | time` would be
//! a staircase with a step for each device. Each word has one more value at either end, for words
//! outside the observed range, so that these share no coordinate with a word inside. When 64 bits
//! are used up, the low bits of the last words are dropped.

use super::layout::{u32_of, u64_of};

/// Bytes of an axis: min u64, max u64, scale u64, tail u64, shift u32, reserved u32.
pub const AXIS: usize = 40;

/// How one word enters the coordinate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Least word observed.
    pub min: u64,
    /// Greatest word observed.
    pub max: u64,
    /// The weight of one step of the word; 0: the word does not count.
    pub scale: u64,
    /// The greatest contribution of this word and all words after it.
    pub tail: u64,
    /// Low bits dropped.
    pub shift: u32,
}

impl Axis {
    /// Reads an axis.
    #[inline(always)]
    pub fn read(b: &[u8; AXIS]) -> Self {
        Self {
            min: u64_of(b, 0),
            max: u64_of(b, 8),
            scale: u64_of(b, 16),
            tail: u64_of(b, 24),
            shift: u32_of(b, 32),
        }
    }

    /// The axis's bytes.
    pub fn bytes(&self) -> [u8; AXIS] {
        let mut b = [0; AXIS];
        let words = [self.min, self.max, self.scale, self.tail, self.shift.into()];
        for (to, word) in b.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        b
    }

    /// Whether keys with different words here have different coordinates.
    fn distinguishes(&self) -> bool {
        self.scale > 0 && self.shift == 0
    }
}

/// The axes for these keys; none for keys of one word, which are coordinates themselves.
pub fn axes<'k, const W: usize>(keys: impl Iterator<Item = &'k [u64; W]> + Clone) -> Vec<Axis> {
    if W == 1 {
        return Vec::new();
    }
    let mut room = 1u128 << 64;
    let mut exhausted = false;
    let mut axes: Vec<Axis> = (0..W)
        .map(|i| {
            let (min, max) = range(keys.clone().map(|k| k[i]));
            // The values inside, and one value at either end.
            let values = |shift: u32| u128::from((max - min) >> shift) + 3;
            let shift = (0..=63).find(|&s| values(s) <= room).filter(|_| !exhausted);
            let Some(shift) = shift else {
                exhausted = true;
                return Axis {
                    min,
                    max,
                    scale: 0,
                    tail: 0,
                    shift: 0,
                };
            };
            // A word that has lost bits must be the last one that counts, or the order breaks.
            exhausted = shift > 0;
            room /= values(shift);
            Axis {
                min,
                max,
                scale: 1,
                tail: 0,
                shift,
            }
        })
        .collect();
    let mut scale = 1u64;
    let mut tail = 0u64;
    for axis in axes.iter_mut().rev().filter(|a| a.scale > 0) {
        axis.scale = scale;
        let top = ((axis.max - axis.min) >> axis.shift).saturating_add(2);
        tail = tail.wrapping_add(top.wrapping_mul(scale));
        axis.tail = tail;
        scale = scale.wrapping_mul(top.wrapping_add(1));
    }
    axes
}

/// The least and the greatest word. The extreme words may stand for NULLs and infinities. If they
/// would more than double the range, they are left out: a few of them must not compress all other
/// words into one point.
fn range(words: impl Iterator<Item = u64> + Clone) -> (u64, u64) {
    let inner = words.clone().filter(|&w| w != 0 && w != u64::MAX);
    let (Some(min), Some(max)) = (inner.clone().min(), inner.max()) else {
        return (
            words.clone().min().unwrap_or(0),
            words.max().unwrap_or(u64::MAX),
        );
    };
    let span = (max - min).max(1);
    let least = if min <= span {
        words.clone().min()
    } else {
        None
    };
    let most = if u64::MAX - max <= span {
        words.max()
    } else {
        None
    };
    (least.unwrap_or(min), most.unwrap_or(max))
}

/// The coordinate of `key`. If an axis is missing, the rest of the key is ignored, so that damaged
/// bytes do no harm.
#[inline(always)]
pub fn coordinate<const W: usize>(axes: impl Iterator<Item = Axis>, key: &[u64; W]) -> u64 {
    if W == 1 {
        return key[0];
    }
    let mut x = 0u64;
    for (axis, &word) in axes.zip(key) {
        if word < axis.min {
            return x;
        }
        if word > axis.max {
            return x.wrapping_add(axis.tail);
        }
        let steps = ((word - axis.min) >> (axis.shift & 63)).wrapping_add(1);
        x = x.wrapping_add(steps.wrapping_mul(axis.scale));
    }
    x
}

/// The least key with a coordinate of at least `x`, as far as the axes tell: a word outside the
/// observed range becomes the nearest word inside.
pub fn key_at<const W: usize>(axes: impl Iterator<Item = Axis>, mut x: u64) -> [u64; W] {
    if W == 1 {
        return [x; W];
    }
    let mut key = [0; W];
    for (axis, word) in axes.zip(&mut key) {
        let steps = x.checked_div(axis.scale).unwrap_or(0);
        x = x.wrapping_sub(steps.wrapping_mul(axis.scale));
        let above = steps.saturating_sub(1) << (axis.shift & 63);
        *word = axis.min.saturating_add(above).min(axis.max);
    }
    key
}

/// Whether no other key has the coordinate of `key`.
pub fn is_unique<const W: usize>(axes: &[Axis], key: &[u64; W]) -> bool {
    axes.iter()
        .zip(key)
        .all(|(a, w)| a.distinguishes() && (a.min..=a.max).contains(w))
}

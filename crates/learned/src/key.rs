//! Entries: a normalized key of `W` words and a tie-breaker that makes every entry distinct.
//!
//! A key is `W` unsigned 64-bit words that are compared word by word. The encodings that make this
//! order equal to the order of the SQL types are on the PostgreSQL side.
//!
//! The tie-breaker (short: tie) is one more word:
//!
//! ```text
//!  bit 63    62 .. 48         47 ............ 16   15 ............ 0
//! +--------+----------------+--------------------+-------------------+
//! | NULL   | the caller's   | heap block         | heap offset       |
//! +--------+----------------+--------------------+-------------------+
//! ```
//!
//! Bit 63 ([`NULL_BIT`]) separates NULLs of the last column from a value with the same word. NULLs
//! that sort last are `(MAX.., NULL_BIT | tid)`, after a value `(MAX.., tid)`. NULLs that sort
//! first are `(0.., tid)`, before a value `(0.., NULL_BIT | tid)`. So no key needs a word of its
//! own for NULL. The caller uses its bits to mark included values, for example.

/// The numbers of words for which code that is generic over `W` is compiled, in ascending order.
/// A key of another number of words is stored with unused words at its end ([`word_count_for`]);
/// a word that never changes takes no room in a leaf.
pub const WORD_COUNTS: [usize; 5] = [1, 2, 3, 4, 8];

/// Words of the longest key.
pub const MAX_WORDS: usize = 8;

const _: () = assert!(WORD_COUNTS[WORD_COUNTS.len() - 1] == MAX_WORDS);

/// The least of [`WORD_COUNTS`] that holds a key of `words` words. None: the key is too long.
pub const fn word_count_for(words: usize) -> Option<usize> {
    let mut i = 0;
    while i < WORD_COUNTS.len() {
        if words <= WORD_COUNTS[i] {
            return Some(WORD_COUNTS[i]);
        }
        i += 1;
    }
    None
}

/// Evaluates an expression in which the constant `$w` is the number of words `$words`.
/// `$otherwise` is the value for a number that is not in [`WORD_COUNTS`].
///
/// ```
/// use learned::{key::Entry, with_word_count};
/// let bytes = |words| with_word_count!(words, W => Some(Entry::<W>::BYTES), else None);
/// assert_eq!((bytes(2), bytes(5)), (Some(24), None));
/// ```
#[macro_export]
macro_rules! with_word_count {
    ($words:expr, $w:ident => $value:expr, else $otherwise:expr) => {
        match $words {
            1 => {
                const $w: usize = 1;
                $value
            }
            2 => {
                const $w: usize = 2;
                $value
            }
            3 => {
                const $w: usize = 3;
                $value
            }
            4 => {
                const $w: usize = 4;
                $value
            }
            8 => {
                const $w: usize = 8;
                $value
            }
            _ => $otherwise,
        }
    };
}

/// Set in the tie of NULLs that sort last, and of values with word 0 where NULLs sort first.
pub const NULL_BIT: u64 = 1 << 63;

/// The low 48 bits of a tie: heap block and offset number.
pub const TID_MASK: u64 = (1 << 48) - 1;

/// One index entry, or a fence or bound between entries. Ordered by key, then tie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry<const W: usize> {
    /// The normalized key.
    pub key: [u64; W],
    /// Heap TID (48 bits), the caller's bits, [`NULL_BIT`].
    pub tie: u64,
}

impl<const W: usize> Entry<W> {
    /// Not above any entry: the low fence of the leftmost page.
    pub const MIN: Self = Self {
        key: [0; W],
        tie: 0,
    };
    /// Above every entry, since no entry has this tie: the high fence of the rightmost page.
    pub const MAX: Self = Self {
        key: [u64::MAX; W],
        tie: u64::MAX,
    };
    /// Bytes of an entry that is stored without compression: words, then tie, little-endian.
    pub const BYTES: usize = 8 * (W + 1);

    /// An entry from its key and tie.
    pub const fn new(key: [u64; W], tie: u64) -> Self {
        Self { key, tie }
    }

    /// The lowest entry that can have `key`.
    pub const fn floor(key: [u64; W]) -> Self {
        Self { key, tie: 0 }
    }

    /// The fence between `left` and `self`, for `left < self`. Where the keys differ, the fence is
    /// the bare key, so that a search for the key goes right of the fence at once.
    #[must_use]
    pub fn fence_after(&self, left: &Self) -> Self {
        if left.key < self.key {
            Self::floor(self.key)
        } else {
            *self
        }
    }

    /// Heap TID as `block << 16 | offset`.
    pub const fn tid(&self) -> u64 {
        self.tie & TID_MASK
    }
}

/// The tie of a heap TID.
pub const fn tie_of(block: u32, offset: u16) -> u64 {
    (block as u64) << 16 | offset as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The macro's list, the constant and the rounding agree, and no other number is accepted.
    #[test]
    fn word_counts_agree() {
        for words in 0..=MAX_WORDS + 2 {
            let compiled = with_word_count!(words, W => Some(W), else None);
            let listed = WORD_COUNTS.contains(&words).then_some(words);
            assert_eq!(compiled, listed, "{words}");
            let least = WORD_COUNTS.into_iter().find(|count| words <= *count);
            assert_eq!(word_count_for(words), least, "{words}");
        }
    }
}

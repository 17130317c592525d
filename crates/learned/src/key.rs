//! Entries: a normalized key of `W` words and a tie-breaker that makes every entry distinct.
//!
//! A key is `W` unsigned 64-bit words compared word by word; the encodings that make this equal to
//! the order of the SQL types live on the PostgreSQL side. The tie-breaker holds the heap TID as
//! `block << 16 | offset` in its low 48 bits. Bit 63 ([`NULL_BIT`]) separates NULLs of the last
//! column from a real value with the same word: NULLs that sort last are `(MAX.., NULL_BIT | tid)`,
//! after a value `(MAX.., tid)`; NULLs that sort first are `(0.., tid)`, before a value
//! `(0.., NULL_BIT | tid)`. So no key needs a word of its own for NULL.
//! The bits between are the caller's: marks of included values, say.

/// Set in the tie of NULLs that sort last, and of values with word 0 where NULLs sort first.
pub const NULL_BIT: u64 = 1 << 63;

/// The low 48 bits of a tie: heap block and offset number.
pub const TID_MASK: u64 = (1 << 48) - 1;

/// One index entry, or a fence or bound between entries. Ordered by key, then tie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry<const W: usize> {
    /// The normalized key.
    pub key: [u64; W],
    /// Heap TID (48 bits), marks, [`NULL_BIT`].
    pub tie: u64,
}

impl<const W: usize> Entry<W> {
    /// At or below every entry: the low fence of the leftmost page.
    pub const MIN: Self = Self {
        key: [0; W],
        tie: 0,
    };
    /// Above every entry (no entry has this tie): the high fence of the rightmost page.
    pub const MAX: Self = Self {
        key: [u64::MAX; W],
        tie: u64::MAX,
    };
    /// Bytes of an entry, stored plainly: words then tie, little-endian.
    pub const BYTES: usize = 8 * (W + 1);

    /// An entry from its key and tie.
    pub const fn new(key: [u64; W], tie: u64) -> Self {
        Self { key, tie }
    }

    /// The lowest entry that can have `key`.
    pub const fn floor(key: [u64; W]) -> Self {
        Self { key, tie: 0 }
    }

    /// The shortest fence that separates `left` from `self`, for `left < self`: the bare key
    /// where the keys differ, so that a search for the key lands right of the fence at once.
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

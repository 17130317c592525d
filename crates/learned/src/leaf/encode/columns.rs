//! Entries column by column, and where a unit of a partition ends.

use crate::key::Entry;
use crate::policy::leaf::MIN_GROUP_BEHIND_BORDER;

/// How TIDs become ordinals. All runs that are encoded together count alike, so that they can be
/// united.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::leaf) struct TieCode {
    /// Number of ordinals of a heap block.
    pub per_block: u64,
    /// Lowest offset number.
    pub first: u64,
}

/// Largest number of line pointers of a heap page (PostgreSQL's MaxHeapTuplesPerPage).
const MAX_HEAP_OFFSET: u64 = 291;

impl TieCode {
    /// The ordinal of a tie.
    #[inline(always)]
    pub(in crate::leaf) fn ordinal(&self, tie: u64) -> u64 {
        (tie >> 16 & 0xFFFF_FFFF) * self.per_block + (tie & 0xFFFF).wrapping_sub(self.first)
    }
}

/// Entries column by column.
#[derive(Debug)]
pub(in crate::leaf) struct ColumnBuffers<const W: usize> {
    /// The words of the keys.
    pub words: [Vec<u64>; W],
    /// The ordinals of the TIDs.
    pub ordinals: Vec<u64>,
    /// How the ordinals are counted.
    pub tie_code: TieCode,
    /// Bits 48 to 63 of the ties, in place, if they are the same in all of them.
    high: Option<u64>,
    /// Whether the first words ascend. They do unless a page is damaged.
    pub ascends: bool,
}

impl<const W: usize> ColumnBuffers<W> {
    pub(in crate::leaf) fn new() -> Self {
        Self {
            words: std::array::from_fn(|_| Vec::new()),
            ordinals: Vec::new(),
            tie_code: TieCode {
                per_block: 1,
                first: 1,
            },
            high: None,
            ascends: true,
        }
    }

    /// Replaces the entries.
    pub(in crate::leaf) fn load(&mut self, entries: &[Entry<W>]) {
        let one = entries.first().map_or(0, |e| e.tie);
        let (mut most, mut least, mut varying) = (1, 1, 0);
        for e in entries {
            let offset = e.tie as u16;
            most = offset.max(most);
            least = offset.min(least);
            varying |= e.tie ^ one;
        }
        let (mut most, least) = (u64::from(most), u64::from(least));
        if varying >> 16 & 0xFFFF_FFFF == 0 {
            // All rows are in one block. Its later offsets should not need another code.
            most = MAX_HEAP_OFFSET.max(most);
        }
        let tie_code = TieCode {
            per_block: most - least + 1,
            first: least,
        };
        self.tie_code = tie_code;
        self.high = (varying >> 48 == 0).then_some(one & 0xFFFF << 48);
        self.ordinals.clear();
        self.ordinals
            .extend(entries.iter().map(|e| tie_code.ordinal(e.tie)));
        for (i, word) in self.words.iter_mut().enumerate() {
            word.clear();
            word.extend(entries.iter().map(|e| e.key.get(i).copied().unwrap_or(0)));
        }
        self.ascends = self.words.first().is_some_and(|word| word.is_sorted());
    }

    /// Length of the unit that starts with entry `from`, at most `most`.
    pub(in crate::leaf) fn unit_length(
        &self,
        entries: &[Entry<W>],
        from: usize,
        most: usize,
    ) -> usize {
        let end = entries.len().min(from + most);
        let same = match self.high {
            Some(_) => end,
            None => {
                let high = |i: usize| entries.get(i).map(|e| e.tie >> 48);
                let first = high(from);
                (from + 1..end).find(|&i| high(i) != first).unwrap_or(end)
            }
        };
        let same = match self.words.first() {
            // Each longer group of composite keys with the same first word is a line of its own.
            Some(word) if W > 1 => {
                let word = |i: usize| word.get(i);
                let starts = |i: usize| {
                    word(i - 1) != word(i) && word(i + MIN_GROUP_BEHIND_BORDER) == word(i)
                };
                (from + 1..same).find(|&i| starts(i)).unwrap_or(same)
            }
            _ => same,
        };
        self.first_of_heap_page(from, same).unwrap_or(same) - from
    }

    /// The first entry behind `from` and before `end` from which on TIDs follow one another, while
    /// the one before does not precede it. Such entries arise where sessions that write at the same
    /// time fill heap pages of their own.
    fn first_of_heap_page(&self, from: usize, end: usize) -> Option<usize> {
        const GROUP: usize = MIN_GROUP_BEHIND_BORDER;
        let some = self.ordinals.get(from..)?;
        let is_next = |pair: &[u64]| matches!(pair, [a, b] if b.wrapping_sub(*a) == 1);
        let later = some.get(1 + GROUP..)?;
        let pairs = some.windows(2).zip(later).take(end - from - 1);
        pairs
            .enumerate()
            .find(|(_, (pair, later))| {
                !is_next(pair) && matches!(pair, [_, at] if later.wrapping_sub(*at) == GROUP as u64)
            })
            .map(|(i, _)| from + 1 + i)
    }
}

//! The row of an index-only scan: an index tuple made from an entry.

use learned::Entry;
use pgrx::pg_sys;

use super::column::Direct;
use super::columns::{Columns, MOST_COLUMNS};

/// Where values begin, in the body: right away, or behind the bitmap of NULLs (32 bits, rounded up).
const WITH_NULLS: usize = 8;
/// Room for the bitmap and for values of at most 16 bytes.
const BODY: usize = WITH_NULLS + 16 * MOST_COLUMNS;

/// `IndexTupleData`, then the bitmap if a column is NULL, then the values, each aligned.
#[repr(C, align(8))]
pub struct Tuple {
    head: pg_sys::IndexTupleData,
    body: [u8; BODY],
    short: Short,
}

/// The short way to the tuple of an entry without NULLs, where there is one for each column.
struct Short {
    /// Of each column, and where its value goes in the body.
    columns: [(Direct, u8); MOST_COLUMNS],
    /// Number of columns; 0 where there is no short way.
    count: u8,
    /// The tuple's `t_info`.
    info: u16,
}

const HEAD: usize = size_of::<pg_sys::IndexTupleData>();
const _: () = assert!(HEAD == 8 && std::mem::offset_of!(Tuple, body) == HEAD);

impl Short {
    const NONE: Self = Self {
        columns: [(Direct::NONE, 0); MOST_COLUMNS],
        count: 0,
        info: 0,
    };

    fn new(columns: &Columns) -> Self {
        let mut short = Self::NONE;
        let mut end = 0usize;
        for (to, column) in short.columns.iter_mut().zip(columns.list()) {
            let Some(direct) = column.direct() else {
                return Self::NONE;
            };
            let (length, align) = column.key_type.layout();
            let at = end.next_multiple_of(align);
            end = at + length;
            *to = (direct, at as u8);
            short.count += 1;
        }
        short.info = (HEAD + end.next_multiple_of(8)) as u16;
        short
    }
}

impl Tuple {
    /// For entries of an index with these columns.
    pub fn new(columns: &Columns) -> Self {
        Self {
            short: Short::new(columns),
            head: pg_sys::IndexTupleData {
                t_tid: pg_sys::ItemPointerData::default(),
                t_info: 0,
            },
            body: [0; BODY],
        }
    }

    /// The tuple of an entry, until the next one is made.
    #[inline(always)]
    pub fn of<const W: usize>(
        &mut self,
        columns: &Columns,
        entry: &Entry<W>,
    ) -> pg_sys::IndexTuple {
        if !self.set_shortly(entry) {
            self.set(columns, entry);
        }
        &raw mut self.head
    }

    /// Makes the tuple the short way; false if that does not do.
    #[inline(always)]
    fn set_shortly<const W: usize>(&mut self, entry: &Entry<W>) -> bool {
        // One word is one column.
        let most = if W == 1 { 1 } else { MOST_COLUMNS };
        let count = usize::from(self.short.count).min(most);
        for (direct, at) in self.short.columns.iter().take(count) {
            // Each value's bytes are followed by zeroes up to eight; the next value overwrites them.
            let to = self.body.get_mut(usize::from(*at)..);
            let (Some(bytes), Some(to)) = (
                direct.bytes(entry),
                to.and_then(|to| to.first_chunk_mut::<8>()),
            ) else {
                return false;
            };
            *to = bytes;
        }
        self.head.t_info = self.short.info;
        count > 0
    }

    /// Makes the tuple of any entry.
    #[inline(never)]
    fn set<const W: usize>(&mut self, columns: &Columns, entry: &Entry<W>) {
        let mut values = [None; MOST_COLUMNS];
        // A bit says that the column is not NULL.
        let (mut bits, mut nulls) = (0u8, false);
        for (i, (value, column)) in values.iter_mut().zip(columns.list()).enumerate() {
            *value = column.bytes(entry);
            bits |= u8::from(value.is_some()) << i;
            nulls |= value.is_none();
        }
        let mut end = 0;
        if nulls {
            self.body.fill(0);
            self.body[0] = bits;
            end = WITH_NULLS;
        }
        for (value, column) in values.iter().zip(columns.list()) {
            let Some(bytes) = value else { continue };
            let (length, align) = column.key_type.layout();
            let at = end.next_multiple_of(align);
            end = at + length;
            if let (Some(to), Some(from)) = (self.body.get_mut(at..end), bytes.get(..length)) {
                to.copy_from_slice(from);
            }
        }
        let null = if nulls {
            pg_sys::INDEX_NULL_MASK as u16
        } else {
            0
        };
        self.head.t_info = (HEAD + end.next_multiple_of(8)) as u16 | null;
    }
}

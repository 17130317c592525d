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
    /// The short way for an index of one column.
    direct: Option<Direct>,
}

const HEAD: usize = size_of::<pg_sys::IndexTupleData>();
const _: () = assert!(HEAD == 8 && std::mem::offset_of!(Tuple, body) == HEAD);

impl Tuple {
    /// For entries of an index with these columns.
    pub fn new(columns: &Columns) -> Self {
        Self {
            direct: columns.direct(),
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
        let direct = self.direct.and_then(|direct| direct.bytes(entry));
        if W == 1
            && let (Some(bytes), Some(to)) = (direct, self.body.first_chunk_mut::<8>())
        {
            *to = bytes;
            self.head.t_info = (HEAD + 8) as u16;
        } else {
            self.set(columns, entry);
        }
        &raw mut self.head
    }

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

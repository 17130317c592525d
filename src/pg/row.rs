//! A row of a table, as the server passes it to an index.

use learned::Entry;
use pgrx::pg_sys;

use super::codec::EntryCodec;

/// A row's TID and its values of an index's columns.
#[derive(Clone, Copy)]
pub struct IndexRow<'a> {
    codec: &'a EntryCodec,
    values: *const pg_sys::Datum,
    isnull: *const bool,
    tid: pg_sys::ItemPointerData,
}

impl<'a> IndexRow<'a> {
    /// # Safety
    /// The arrays are valid as long as the row is used. They have an element for each column of the
    /// index that `codec` belongs to, and the values have the columns' types.
    #[inline(always)]
    pub unsafe fn new(
        codec: &'a EntryCodec,
        values: *const pg_sys::Datum,
        isnull: *const bool,
        tid: pg_sys::ItemPointerData,
    ) -> Self {
        Self {
            codec,
            values,
            isnull,
            tid,
        }
    }

    #[inline(always)]
    pub fn codec(&self) -> &'a EntryCodec {
        self.codec
    }

    #[inline(always)]
    pub fn tid(&self) -> pg_sys::ItemPointerData {
        self.tid
    }

    /// The row's entry in the index.
    #[inline(always)]
    pub fn entry<const W: usize>(&self) -> Entry<W> {
        // SAFETY: new() demands what the codec does of the arrays.
        unsafe {
            self.codec
                .entry(self.values, self.isnull, &raw const self.tid)
        }
    }

    /// Whether a key column is NULL.
    pub fn has_null_key(&self) -> bool {
        // SAFETY: the array has an element for each column, and key columns come first.
        (0..self.codec.keys().len()).any(|i| unsafe { *self.isnull.add(i) })
    }
}

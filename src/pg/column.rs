//! The key column of an open index, and its entries from what the server passes.

use pgrx::pg_sys;

use crate::error::unsupported;
use crate::pg::key::{Key, KeyColumn, KeyType};

/// How the index's column is coded. Raises an error for an index that is none of ours to support.
///
/// # Safety
/// `index` is an open index.
pub unsafe fn column(index: pg_sys::Relation) -> KeyColumn {
    // SAFETY: the relcache entry of an index has rd_index, and these arrays have an element for
    // each key column, of which there is at least one.
    let (columns, input, option) = unsafe {
        let columns = (*(*index).rd_index).indnatts;
        (columns, *(*index).rd_opcintype, *(*index).rd_indoption)
    };
    if columns != 1 {
        unsupported(
            format!("access method \"learned\" does not support {columns} columns yet"),
            "Create a btree index, or a learned index on the first column.",
        );
    }
    match KeyType::of(input) {
        Some(key_type) => KeyColumn::new(key_type, option),
        None => unsupported(
            "access method \"learned\" does not support this operator class's type",
            "Create a btree index instead.",
        ),
    }
}

/// What the meta page remembers of the column.
pub fn descriptor(column: &KeyColumn) -> [u8; 8] {
    let [reversed, nulls_first] = [column.reversed, column.nulls_first].map(u8::from);
    [column.key_type as u8, reversed, nulls_first, 0, 0, 0, 0, 0]
}

/// The entry that the server describes by arrays of one value and one null flag, and a heap TID.
///
/// # Safety
/// The pointers are valid.
#[inline(always)]
pub unsafe fn entry(
    column: &KeyColumn,
    values: *const pg_sys::Datum,
    isnull: *const bool,
    tid: *const pg_sys::ItemPointerData,
) -> Key {
    // SAFETY: the caller's contract.
    unsafe {
        let value = (!*isnull).then(|| *values);
        let block = u32::from((*tid).ip_blkid.bi_hi) << 16 | u32::from((*tid).ip_blkid.bi_lo);
        column.entry(value, block, (*tid).ip_posid)
    }
}

/// The heap TID in an entry's tie.
#[inline(always)]
pub fn item_pointer(tie: u64) -> pg_sys::ItemPointerData {
    pg_sys::ItemPointerData {
        ip_blkid: pg_sys::BlockIdData {
            bi_hi: (tie >> 32) as u16,
            bi_lo: (tie >> 16) as u16,
        },
        ip_posid: tie as u16,
    }
}

//! Keys as text, a string a column, through the input and output functions of their types.

use std::ffi::{CStr, CString};

use learned::Entry;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::columns::{Columns, MOST_COLUMNS};
use crate::error::raise;

/// The values of an entry's key columns; None is NULL. Of words that no value of the type has the nearest value.
///
/// # Safety
/// `index` is open and `columns` are its columns.
pub unsafe fn of_entry<const W: usize>(
    index: pg_sys::Relation,
    columns: &Columns,
    entry: &Entry<W>,
) -> Vec<Option<String>> {
    let columns = columns.keys().iter().enumerate();
    let text = columns.map(|(i, column)| {
        let bytes = column.nearest_bytes(entry)?;
        // SAFETY: the type's output function gets a value of the type: by value the bytes themselves,
        // which a datum holds in the machine's order, else their address. It returns a C string.
        unsafe {
            let type_oid = *(*index).rd_opcintype.add(i);
            let (mut function, mut varlena) = (pg_sys::InvalidOid, false);
            pg_sys::getTypeOutputInfo(type_oid, &raw mut function, &raw mut varlena);
            let datum = match pg_sys::get_typbyval(type_oid) {
                true => {
                    let low = bytes.first_chunk().copied().unwrap_or_default();
                    pg_sys::Datum::from(u64::from_le_bytes(low))
                }
                false => pg_sys::Datum::from(bytes.as_ptr()),
            };
            let text = pg_sys::OidOutputFunctionCall(function, datum);
            Some(CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    });
    text.collect()
}

/// The least entry of a key whose values are given as text, as many as there are key columns; None is NULL.
///
/// # Safety
/// As for [`of_entry`].
pub unsafe fn to_entry<'a, const W: usize>(
    index: pg_sys::Relation,
    columns: &Columns,
    texts: impl Iterator<Item = Option<&'a str>>,
) -> Entry<W> {
    let mut values = [pg_sys::Datum::null(); MOST_COLUMNS];
    let mut nulls = [true; MOST_COLUMNS];
    for (i, ((value, null), text)) in values.iter_mut().zip(&mut nulls).zip(texts).enumerate() {
        let Some(text) = text else { continue };
        let Ok(text) = CString::new(text) else {
            // The server's texts have no zero bytes.
            let code = PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION;
            raise(code, "invalid byte in a key", None);
        };
        // SAFETY: the type's input function gets a C string and returns a value of the type.
        unsafe {
            let type_oid = *(*index).rd_opcintype.add(i);
            let (mut function, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            pg_sys::getTypeInputInfo(type_oid, &raw mut function, &raw mut parameter);
            *value =
                pg_sys::OidInputFunctionCall(function, text.as_ptr().cast_mut(), parameter, -1);
        }
        *null = false;
    }
    // SAFETY: the arrays have an element for each column.
    let entry = unsafe {
        let tid = pg_sys::ItemPointerData::default();
        columns.entry(values.as_ptr(), nulls.as_ptr(), &raw const tid)
    };
    columns.same_key(&entry).from
}

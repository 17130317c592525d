//! Keys as text: a string for each column, by the input and output functions of its type.

use std::ffi::{CStr, CString};

use learned::Entry;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::entry::{EntryCodec, MAX_COLUMNS};
use super::index_tuple::IndexTupleBuilder;
use crate::error::raise;
use crate::pg::index::Index;

/// The values of an entry's key columns. None is NULL. If no value has an entry's words, the
/// nearest value is returned.
pub fn of_entry<const W: usize>(index: Index, entry: &Entry<W>) -> Vec<Option<String>> {
    let codec = EntryCodec::of(index);
    let columns = codec.keys().iter().enumerate();
    let text = columns.map(|(i, column)| {
        let bytes = column.nearest_bytes(entry)?;
        // SAFETY: the output function of the column's type gets a value of that type. The datum of
        // a type passed by value holds the bytes, in the machine's order, which is little-endian;
        // else it is their address, and `bytes` outlives the call. The function returns a C string.
        unsafe {
            let type_oid = *(*index.raw()).rd_opcintype.add(i);
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

/// The key columns and values of an entry, as in `(a, b)=(1, 2)`. None if the current user must not
/// see them.
pub fn describe_key<const W: usize>(index: Index, entry: &Entry<W>) -> Option<String> {
    let codec = EntryCodec::of(index);
    let mut values = [pg_sys::Datum::null(); MAX_COLUMNS];
    let mut isnull = [false; MAX_COLUMNS];
    let mut tuple = IndexTupleBuilder::new(&codec);
    // SAFETY: the tuple is one of this index, which has at most MAX_COLUMNS columns. The result is
    // null or a C string.
    unsafe {
        let tuple = tuple.build(&codec, entry);
        let (values, isnull) = (values.as_mut_ptr(), isnull.as_mut_ptr());
        pg_sys::index_deform_tuple(tuple, index.tuple_descriptor(), values, isnull);
        let key = pg_sys::BuildIndexValueDescription(index.raw(), values, isnull);
        (!key.is_null()).then(|| CStr::from_ptr(key).to_string_lossy().into_owned())
    }
}

/// The least entry with the key whose values are given as text, one for each key column. None is
/// NULL. Raises the errors of the types' input functions.
pub fn to_entry<'a, const W: usize>(
    index: Index,
    texts: impl Iterator<Item = Option<&'a str>>,
) -> Entry<W> {
    let codec = EntryCodec::of(index);
    let texts = texts.take(codec.keys().len());
    let mut values = [pg_sys::Datum::null(); MAX_COLUMNS];
    let mut nulls = [true; MAX_COLUMNS];
    for (i, ((value, null), text)) in values.iter_mut().zip(&mut nulls).zip(texts).enumerate() {
        let Some(text) = text else { continue };
        let Ok(text) = CString::new(text) else {
            // Values of type text have no zero bytes, so this does not happen.
            let code = PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION;
            raise(code, "key contains a zero byte", None);
        };
        // SAFETY: `i` counts key columns, for which rd_opcintype has elements. The input function
        // of the column's type gets a C string and returns a value of that type.
        unsafe {
            let type_oid = *(*index.raw()).rd_opcintype.add(i);
            let (mut function, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            pg_sys::getTypeInputInfo(type_oid, &raw mut function, &raw mut parameter);
            *value =
                pg_sys::OidInputFunctionCall(function, text.as_ptr().cast_mut(), parameter, -1);
        }
        *null = false;
    }
    // SAFETY: the arrays have an element for each of the at most MAX_COLUMNS columns. The values of
    // included columns are NULL.
    let entry = unsafe {
        let tid = pg_sys::ItemPointerData::default();
        codec.entry(values.as_ptr(), nulls.as_ptr(), &raw const tid)
    };
    codec.same_key(&entry).from
}

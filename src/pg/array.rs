//! The elements of SQL arrays.

use pgrx::pg_sys;

/// Calls `visit` for each element that is not NULL. An element that is passed by reference is valid
/// until `visit` returns.
///
/// # Safety
/// `array` is a varlena array, not NULL.
pub unsafe fn for_each(array: pg_sys::Datum, mut visit: impl FnMut(pg_sys::Datum)) {
    // SAFETY: detoasting returns an array that can be read directly: the given one or a copy. The
    // two lists of deconstruct_array have `count` elements each. The lists and the copy are freed
    // here, or with the memory context if `visit` raises an error.
    unsafe {
        let given = array.cast_mut_ptr::<pg_sys::varlena>();
        let plain = pg_sys::pg_detoast_datum(given).cast::<pg_sys::ArrayType>();
        let (mut length, mut by_value, mut align) = (0, false, 0);
        pg_sys::get_typlenbyvalalign((*plain).elemtype, &mut length, &mut by_value, &mut align);
        let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        pg_sys::deconstruct_array(
            plain,
            (*plain).elemtype,
            i32::from(length),
            by_value,
            align,
            &mut values,
            &mut nulls,
            &mut count,
        );
        for i in 0..usize::try_from(count).unwrap_or(0) {
            if !*nulls.add(i) {
                visit(*values.add(i));
            }
        }
        if count > 0 {
            pg_sys::pfree(values.cast());
            pg_sys::pfree(nulls.cast());
        }
        if plain.cast() != given {
            pg_sys::pfree(plain.cast());
        }
    }
}

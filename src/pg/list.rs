//! The server's lists of pointers.

use std::marker::PhantomData;

use pgrx::pg_sys;

/// A list whose elements point to `T`. The empty list is a null pointer.
pub struct PointerList<'a, T> {
    list: *const pg_sys::List,
    elements: PhantomData<&'a T>,
}

impl<T> Clone for PointerList<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for PointerList<'_, T> {}

impl<'a, T> PointerList<'a, T> {
    /// # Safety
    /// `list` is null or a list of pointers to `T`, which live and do not change for `'a`.
    pub unsafe fn from_raw(list: *const pg_sys::List) -> Self {
        Self {
            list,
            elements: PhantomData,
        }
    }

    pub fn len(self) -> usize {
        // SAFETY: null or a list, as from_raw() demands.
        let list = unsafe { self.list.as_ref() };
        list.map_or(0, |list| usize::try_from(list.length).unwrap_or(0))
    }

    /// The element at a place counted from 0.
    pub fn get(self, at: usize) -> Option<&'a T> {
        if at >= self.len() {
            return None;
        }
        // SAFETY: the list has more than `at` elements, and each points to a `T`.
        unsafe {
            (*(*self.list).elements.add(at))
                .ptr_value
                .cast::<T>()
                .as_ref()
        }
    }

    pub fn iter(self) -> impl Iterator<Item = &'a T> {
        (0..self.len()).filter_map(move |at| self.get(at))
    }
}

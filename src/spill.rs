//! Entries too many for memory: the server's tuplesort.

use pgrx::pg_sys;

use crate::pg::key::{Key, WORDS};

/// Entries are sorted as values of type uuid: 16 bytes in the order of their bytes. That is the
/// most compact form tuplesort has for them, and its abbreviated keys are just the key word.
const BYTES: usize = 16;
const _: () = assert!(Key::BYTES == BYTES && WORDS == 1);

/// A sort in progress. After an ERROR the server frees its memory and files itself, so there is
/// no destructor.
pub struct Spill(*mut pg_sys::Tuplesortstate);

impl Spill {
    /// Starts a sort with so much memory.
    pub fn new(kilobytes: usize) -> Self {
        // SAFETY: the type cache knows the order of a built-in type, and tuplesort allocates in
        // contexts of its own below the current one.
        unsafe {
            let uuid = pg_sys::lookup_type_cache(pg_sys::UUIDOID, pg_sys::TYPECACHE_LT_OPR as i32);
            Self(pg_sys::tuplesort_begin_datum(
                pg_sys::UUIDOID,
                (*uuid).lt_opr,
                pg_sys::InvalidOid,
                false,
                kilobytes as i32,
                std::ptr::null_mut(),
                pg_sys::TUPLESORT_NONE as i32,
            ))
        }
    }

    /// Adds an entry.
    pub fn put(&mut self, entry: &Key) {
        let [key] = entry.key;
        let bytes = (u128::from(key) << 64 | u128::from(entry.tie)).to_be_bytes();
        // SAFETY: the sort copies the value.
        unsafe { pg_sys::tuplesort_putdatum(self.0, bytes.as_ptr().into(), false) };
    }

    /// Sorts. No entry can be added any more.
    pub fn sort(&mut self) {
        // SAFETY: called once, after the last put.
        unsafe { pg_sys::tuplesort_performsort(self.0) };
    }

    /// The next entry in order.
    pub fn next(&mut self) -> Option<Key> {
        let mut value = pg_sys::Datum::from(0usize);
        let mut isnull = false;
        // SAFETY: called after sort(). The value is a uuid: a pointer to 16 bytes, which in 15
        // are a copy of ours to free, later the sort's own.
        unsafe {
            let found = pg_sys::tuplesort_getdatum(
                self.0,
                true,
                #[cfg(not(feature = "pg15"))]
                false,
                &raw mut value,
                &raw mut isnull,
                std::ptr::null_mut(),
            );
            if !found || isnull {
                return None;
            }
            let bytes = value.cast_mut_ptr::<[u8; BYTES]>();
            let all = u128::from_be_bytes(*bytes);
            #[cfg(feature = "pg15")]
            pg_sys::pfree(bytes.cast());
            Some(Key::new([(all >> 64) as u64], all as u64))
        }
    }

    /// Frees memory and files.
    pub fn end(self) {
        // SAFETY: the sort exists, and nobody uses it any more.
        unsafe { pg_sys::tuplesort_end(self.0) };
    }
}

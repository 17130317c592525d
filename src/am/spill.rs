//! Entries too many for memory: the server's tuplesort.

use learned::Entry;
use pgrx::pg_sys;

/// Bytes of an entry of one word: as many as a uuid has.
const UUID: usize = 16;
/// Bytes of the longest entry.
const MOST: usize = Entry::<8>::BYTES;
/// Bytes before the value: those of a varlena's length.
const LENGTH: usize = size_of::<i32>();

/// A sort of entries in progress. They are sorted as values whose order is that of their bytes: as uuids if they have
/// 16 bytes, which is the most compact form tuplesort has for them, with abbreviated keys that are just the key
/// word; else as bytea.
///
/// After an ERROR the server frees its memory and files itself, so there is no destructor.
pub struct Spill<const W: usize>(*mut pg_sys::Tuplesortstate);

impl<const W: usize> Spill<W> {
    const BYTES: usize = {
        assert!(Entry::<W>::BYTES <= MOST);
        Entry::<W>::BYTES
    };
    const IS_UUID: bool = Self::BYTES == UUID;

    /// Starts a sort with so much memory.
    pub fn new(kilobytes: usize) -> Self {
        let as_type = if Self::IS_UUID {
            pg_sys::UUIDOID
        } else {
            pg_sys::BYTEAOID
        };
        // SAFETY: the type cache knows the order of a built-in type, and tuplesort allocates in
        // contexts of its own below the current one.
        unsafe {
            let known = pg_sys::lookup_type_cache(as_type, pg_sys::TYPECACHE_LT_OPR as i32);
            Self(pg_sys::tuplesort_begin_datum(
                as_type,
                (*known).lt_opr,
                pg_sys::InvalidOid,
                false,
                kilobytes as i32,
                std::ptr::null_mut(),
                pg_sys::TUPLESORT_NONE as i32,
            ))
        }
    }

    /// Adds an entry.
    pub fn put(&mut self, entry: &Entry<W>) {
        // Aligned for the length. A varlena's length stands two bits to the left.
        let mut value = [0u32; (LENGTH + MOST) / 4];
        value[0] = ((LENGTH + Self::BYTES) as u32) << 2;
        let words = entry.key.iter().chain(std::iter::once(&entry.tie));
        for (to, word) in value[1..].as_chunks_mut::<2>().0.iter_mut().zip(words) {
            *to = [(word >> 32) as u32, *word as u32].map(u32::to_be);
        }
        let from = if Self::IS_UUID { 1 } else { 0 };
        // SAFETY: the sort copies the value, which is one of the sort's type.
        unsafe {
            let value = value.as_ptr().add(from);
            pg_sys::tuplesort_putdatum(self.0, value.into(), false);
        }
    }

    /// Sorts. No entry can be added any more.
    pub fn sort(&mut self) {
        // SAFETY: called once, after the last put.
        unsafe { pg_sys::tuplesort_performsort(self.0) };
    }

    /// The next entry in order.
    pub fn next(&mut self) -> Option<Entry<W>> {
        let mut value = pg_sys::Datum::from(0usize);
        let mut isnull = false;
        // SAFETY: called after sort(). The value is a pointer to what put() was given, which in 15
        // is a copy of ours to free, later the sort's own.
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
            let start = value.cast_mut_ptr::<u8>();
            let skip = if Self::IS_UUID { 0 } else { LENGTH };
            let word = |i: usize| {
                let bytes = start.add(skip + 8 * i).cast::<[u8; 8]>();
                u64::from_be_bytes(*bytes)
            };
            let entry = Entry::new(std::array::from_fn(word), word(W));
            #[cfg(feature = "pg15")]
            pg_sys::pfree(start.cast());
            Some(entry)
        }
    }

    /// Frees memory and files.
    pub fn end(self) {
        // SAFETY: the sort exists, and nobody uses it any more.
        unsafe { pg_sys::tuplesort_end(self.0) };
    }
}

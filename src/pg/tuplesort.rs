//! The server's tuplesort, for entries that do not fit into memory.

use learned::Entry;
use pgrx::pg_sys;

/// The size of a uuid in bytes, which is that of an entry of one word.
const UUID_BYTES: usize = 16;
/// The size of the longest entry in bytes.
const MAX_BYTES: usize = Entry::<8>::BYTES;
/// The size in bytes of a varlena's length, which stands before its value.
const LENGTH_BYTES: usize = size_of::<i32>();

/// A sort of entries.
///
/// Entries are sorted as values whose order is that of their bytes. An entry of 16 bytes is sorted
/// as a uuid: this is the most compact form that tuplesort has for it, and the abbreviated key of
/// such a value is just the key word. Longer entries are sorted as bytea.
///
/// There is no destructor: after an ERROR the server frees the memory and the files.
pub struct EntrySort<const W: usize>(*mut pg_sys::Tuplesortstate);

impl<const W: usize> EntrySort<W> {
    const BYTES: usize = {
        assert!(Entry::<W>::BYTES <= MAX_BYTES);
        Entry::<W>::BYTES
    };
    const IS_UUID: bool = Self::BYTES == UUID_BYTES;

    /// Starts a sort that takes this much memory before it writes files.
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
    pub fn add(&mut self, entry: &Entry<W>) {
        // The array is aligned for the length. A varlena's length is shifted left by two bits.
        let mut value = [0u32; (LENGTH_BYTES + MAX_BYTES) / 4];
        value[0] = ((LENGTH_BYTES + Self::BYTES) as u32) << 2;
        let words = entry.key.iter().chain(std::iter::once(&entry.tie));
        for (to, word) in value[1..].as_chunks_mut::<2>().0.iter_mut().zip(words) {
            *to = [(word >> 32) as u32, *word as u32].map(u32::to_be);
        }
        let from = if Self::IS_UUID { 1 } else { 0 };
        // SAFETY: the value has the sort's type and lives until tuplesort has copied it.
        unsafe {
            let value = value.as_ptr().add(from);
            pg_sys::tuplesort_putdatum(self.0, value.into(), false);
        }
    }

    /// Sorts. No entry can be added after this.
    pub fn sort(&mut self) {
        // SAFETY: the sort exists until end(). tuplesort raises an ERROR for a second call.
        unsafe { pg_sys::tuplesort_performsort(self.0) };
    }

    /// The next entry in order.
    pub fn next(&mut self) -> Option<Entry<W>> {
        let mut value = pg_sys::Datum::from(0usize);
        let mut isnull = false;
        // SAFETY: the value is a pointer to what add() was given. In PostgreSQL 15 it is a copy
        // that the caller frees, in later versions it belongs to the sort.
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
            let skip = if Self::IS_UUID { 0 } else { LENGTH_BYTES };
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

    /// Frees the sort's memory and files.
    pub fn end(self) {
        // SAFETY: `self` is consumed, so the sort is not used after this.
        unsafe { pg_sys::tuplesort_end(self.0) };
    }
}

//! An open index as the core's storage.

use pgrx::pg_sys;

use crate::pg::ffi;
use crate::pg::index::Index;
use crate::pg::vacuum::BufferRing;

/// The pages of one fork of an open index.
pub struct IndexStore {
    pub(super) rel: pg_sys::Relation,
    /// The number of words of a key.
    pub(super) words: usize,
    pub(super) fork: pg_sys::ForkNumber::Type,
    pub(super) strategy: pg_sys::BufferAccessStrategy,
    /// Whether VACUUM uses the store.
    pub(super) vacuum: bool,
}

impl IndexStore {
    /// The main fork of an index whose keys have `words` words.
    #[inline(always)]
    pub fn new(index: Index, words: usize) -> Self {
        Self {
            rel: index.raw(),
            words,
            fork: pg_sys::ForkNumber::MAIN_FORKNUM,
            strategy: std::ptr::null_mut(),
            vacuum: false,
        }
    }

    /// The init fork of an unlogged index, from which recovery restores its main fork. It is always
    /// logged, although the main fork is not.
    pub fn init_fork(index: Index, words: usize) -> Self {
        Self {
            fork: pg_sys::ForkNumber::INIT_FORKNUM,
            ..Self::new(index, words)
        }
    }

    /// The main fork as VACUUM reads it: through its ring of buffers, and with its cost delay.
    pub fn vacuum(index: Index, words: usize, ring: BufferRing) -> Self {
        Self {
            strategy: ring.raw(),
            vacuum: true,
            ..Self::new(index, words)
        }
    }

    /// The main fork of the table whose indexes VACUUM passes.
    ///
    /// # Safety
    /// `heap` is a heap, open and locked for as long as the store and its guards live.
    pub(super) unsafe fn vacuum_heap(heap: pg_sys::Relation, ring: BufferRing) -> Self {
        Self {
            rel: heap,
            words: 0,
            fork: pg_sys::ForkNumber::MAIN_FORKNUM,
            strategy: ring.raw(),
            vacuum: true,
        }
    }

    /// The server's handle.
    pub(super) fn raw(&self) -> pg_sys::Relation {
        self.rel
    }

    /// The index whose pages these are.
    #[inline(always)]
    pub fn index(&self) -> Index {
        // SAFETY: the relation is the index given to new(), except in the store of a heap, which
        // dead_line_pointers.rs uses for reading pages only.
        unsafe { Index::from_raw(self.rel) }
    }

    /// The number of words of a key.
    #[inline(always)]
    pub fn words(&self) -> usize {
        self.words
    }

    /// Whether changes are logged.
    pub(super) fn is_logged(&self) -> bool {
        // SAFETY: the relation is open as long as the store lives.
        let needs_wal = unsafe { ffi::relation_needs_wal(self.rel) };
        needs_wal || self.fork == pg_sys::ForkNumber::INIT_FORKNUM
    }
}

//! An open index as the core's storage.

use pgrx::pg_sys;

use crate::pg::ffi;

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
    ///
    /// # Safety
    /// `rel` is an index, open and locked for as long as the store and its guards live.
    pub unsafe fn new(rel: pg_sys::Relation, words: usize) -> Self {
        Self {
            rel,
            words,
            fork: pg_sys::ForkNumber::MAIN_FORKNUM,
            strategy: std::ptr::null_mut(),
            vacuum: false,
        }
    }

    /// The init fork of an unlogged index, from which recovery restores its main fork. It is always
    /// logged, although the main fork is not.
    ///
    /// # Safety
    /// As for [`IndexStore::new`].
    pub unsafe fn init_fork(rel: pg_sys::Relation, words: usize) -> Self {
        Self {
            fork: pg_sys::ForkNumber::INIT_FORKNUM,
            // SAFETY: all forks belong to the same open relation.
            ..unsafe { Self::new(rel, words) }
        }
    }

    /// The main fork as VACUUM reads it: through its ring of buffers, and with its cost delay.
    ///
    /// # Safety
    /// As for [`IndexStore::new`]; `strategy` is null or lives as long as the store.
    pub unsafe fn vacuum(
        rel: pg_sys::Relation,
        words: usize,
        strategy: pg_sys::BufferAccessStrategy,
    ) -> Self {
        Self {
            strategy,
            vacuum: true,
            // SAFETY: the relation is open for as long as the store lives.
            ..unsafe { Self::new(rel, words) }
        }
    }

    /// The server's handle.
    pub fn raw(&self) -> pg_sys::Relation {
        self.rel
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

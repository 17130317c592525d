//! What a backend remembers of an index from one call to the next: the model and the root.
//!
//! It lives in `rd_amcache`, which the server frees whenever the index's relcache entry is
//! invalidated. So it must be one chunk of memory, and no reference to it may outlive a callback.
//! All of it is advice: the pages themselves are checked.

use learned::page::NO_BLOCK;
use learned::{Block, Tree};
use pgrx::pg_sys;

use crate::error::OrRaise;
use crate::storage::Relation;

/// A larger model is not kept.
const LIMIT: usize = 1 << 20;
const MAGIC: u32 = 0x4F6D_4C63;
/// So many searches in vain, and more of them than `1 / MISSES` of all, discard the model.
const ENOUGH: u64 = 1000;
const MISSES: u64 = 4;

/// The chunk's header; the model's bytes follow.
#[repr(C)]
struct Header {
    magic: u32,
    /// Bytes of the model; 0: there is none worth keeping.
    length: u32,
    predicted: u64,
    missed: u64,
    root: u32,
    level: i32,
    /// The leaf of the last insert, and whether the one before went there, too.
    leaf: u32,
    again: bool,
}

/// The tree of an index with what this backend remembers of it.
///
/// To be used within one callback: no catalog may be looked at and no lock on a relation taken
/// while the tree is in use, since these may discard the cache.
pub fn tree<const W: usize>(store: &Relation) -> Tree<'_, Relation, W> {
    let rel = store.raw();
    // SAFETY: the relation is open, and rd_amcache is null or what load() put there.
    unsafe {
        let mut cached = (*rel).rd_amcache.cast::<Header>();
        if cached.is_null() {
            cached = load::<W>(store);
        }
        let (header, bytes) = (&*cached, cached.add(1).cast::<u8>());
        let length = if header.magic == MAGIC {
            header.length as usize
        } else {
            0
        };
        let hint = u8::try_from(header.level)
            .ok()
            .map(|level| (header.root, level));
        let tree = if length == 0 {
            Tree::new(store)
        } else {
            Tree::with_model(store, std::slice::from_raw_parts(bytes, length))
        };
        tree.with_root_hint(hint)
    }
}

/// Remembers what the callback learned about the root and the model's worth.
pub fn remember<const W: usize>(tree: &Tree<'_, Relation, W>) {
    let rel = tree.store.raw();
    // SAFETY: as in tree(); the model's bytes, which the tree refers to, are not touched.
    unsafe {
        let Some(header) = (*rel).rd_amcache.cast::<Header>().as_mut() else {
            return;
        };
        (header.root, header.level) = match tree.root_hint() {
            Some((block, level)) => (block, i32::from(level)),
            None => (0, -1),
        };
        header.predicted = header.predicted.wrapping_add(tree.predicted.get());
        header.missed = header.missed.wrapping_add(tree.missed.get());
    }
}

/// The leaf where the last inserts went, if more than one did in a row: the next one's likely place.
pub fn near(rel: pg_sys::Relation) -> Option<Block> {
    // SAFETY: as in tree().
    let header = unsafe { (*rel).rd_amcache.cast::<Header>().as_ref() }?;
    header.again.then_some(header.leaf)
}

/// Remembers the leaf of an insert.
pub fn inserted(rel: pg_sys::Relation, leaf: Block) {
    // SAFETY: as in tree().
    if let Some(header) = unsafe { (*rel).rd_amcache.cast::<Header>().as_mut() } {
        header.again = header.leaf == leaf;
        header.leaf = leaf;
    }
}

/// Discards a model that misses too often; the next callback loads the current one.
/// Called at the end of a callback, when nothing refers to the cache any more.
pub fn review(rel: pg_sys::Relation) {
    // SAFETY: as in tree(); freeing it is what the server does, too.
    unsafe {
        let cached = (*rel).rd_amcache.cast::<Header>();
        let stale = cached.as_ref().is_some_and(|header| {
            header.missed > ENOUGH && header.missed > header.predicted / MISSES
        });
        if stale {
            (*rel).rd_amcache = std::ptr::null_mut();
            pg_sys::pfree(cached.cast());
        }
    }
}

/// Loads the model into the cache.
///
/// # Safety
/// The relation has no cache.
#[cold]
unsafe fn load<const W: usize>(store: &Relation) -> *mut Header {
    let rel = store.raw();
    let model = Tree::<_, W>::new(store).load_model().or_raise(rel);
    let model = model
        .filter(|bytes| bytes.len() <= LIMIT)
        .unwrap_or_default();
    // SAFETY: the chunk has room for header and bytes and is aligned for any type; an index's
    // relcache entry has a context of its own for such things.
    unsafe {
        let size = size_of::<Header>() + model.len();
        let chunk = pg_sys::MemoryContextAlloc((*rel).rd_indexcxt, size).cast::<Header>();
        chunk.write(Header {
            magic: MAGIC,
            length: model.len() as u32,
            predicted: 0,
            missed: 0,
            root: 0,
            level: -1,
            leaf: NO_BLOCK,
            again: false,
        });
        let bytes = chunk.add(1).cast::<u8>();
        bytes.copy_from_nonoverlapping(model.as_ptr(), model.len());
        (*rel).rd_amcache = chunk.cast();
        chunk
    }
}

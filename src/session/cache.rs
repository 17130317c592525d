//! What a backend remembers of an index from one call to the next: the model, the root, and leaves
//! that the model does not know.
//!
//! It lives in `rd_amcache`, which the server frees whenever the index's relcache entry is
//! invalidated. So it must be one chunk of memory, and no reference to it may outlive a callback.
//! All of it is advice: the pages themselves are checked.

use std::cell::Cell;

use learned::meta::{Meta, ModelLocation};
use learned::page::{META, NO_BLOCK};
use learned::tree::{RecentLeaves, has_grown};
use learned::{Block, Tree};
use pgrx::pg_sys;

use crate::error::{OrRaise, corrupted};
use crate::options;
use crate::pg::columns::{Columns, for_words};
use crate::session::counters::{self, Counters};
use crate::storage::IndexStore;

const MAGIC: u32 = 0x4F6D_4C64;
/// After so many searches that a better model might have made shorter the meta page is asked
/// whether there is one; after twice as many each time that there is none, up to the most.
const PATIENCE: u64 = 32;
const MOST_PATIENCE: u64 = 4096;
/// So many leaves in a row may be asked about in vain before the next ones are split unasked: among leaves that inserts have cleared of their dead
/// entries, and filled again, others still have theirs.
const FEW_FRUITLESS: u8 = 8;
/// A leaf is asked about before every 2^5th split at least.
const MOST_FRUITLESS: u8 = FEW_FRUITLESS + 5;

/// The chunk, whose begin does not depend on the number of words; the model's bytes follow.
#[repr(C)]
struct Chunk<const W: usize> {
    header: Header,
    recent: RecentLeaves<W>,
}

/// The chunk's header.
#[repr(C)]
struct Header {
    magic: u32,
    /// Bytes of the model; 0: there is none worth keeping.
    length: u32,
    root: Cell<u32>,
    level: Cell<i32>,
    counters: &'static Counters,
    /// Searches that went astray since the meta page was last asked.
    astray: Cell<u64>,
    patience: Cell<u64>,
    /// The leaf of the last insert, and whether the one before went there, too.
    leaf: Cell<u32>,
    again: Cell<bool>,
    /// Splits by this backend since the model was loaded.
    splits: Cell<u32>,
    /// How many times in a row a full leaf had few dead entries, and splits left until the next one is asked about.
    fruitless: Cell<u8>,
    splits_left: Cell<u8>,
    /// What the meta page said of the model.
    place: Cell<ModelLocation>,
    columns: Columns,
}

/// The tree of an index with what this backend remembers of it.
///
/// To be used within one callback: no catalog may be looked at and no lock on a relation taken
/// while the tree is in use, since these may discard the cache.
pub fn tree<const W: usize>(store: &IndexStore) -> Tree<'_, IndexStore, W> {
    let rel = store.raw();
    // SAFETY: the relation is open, and rd_amcache is null or what load() put there.
    unsafe {
        let mut cached = (*rel).rd_amcache.cast::<Chunk<W>>();
        if cached.is_null() {
            cached = load::<W>(store);
        }
        let Chunk { header, recent } = &*cached;
        let hint = u8::try_from(header.level.get())
            .ok()
            .map(|level| (header.root.get(), level));
        let tree = match model_bytes(cached) {
            [] => Tree::new(store),
            bytes => Tree::with_model(store, bytes).with_recent_leaves(recent),
        };
        tree.with_root_hint(hint)
    }
}

/// The model's bytes in the cache.
///
/// # Safety
/// `cached` is a chunk that load() made, and lives for `'a`.
#[inline(always)]
unsafe fn model_bytes<'a, const W: usize>(cached: *mut Chunk<W>) -> &'a [u8] {
    // SAFETY: behind the chunk there are as many bytes as its header says.
    unsafe {
        let header = &(*cached).header;
        let length = match header.magic {
            MAGIC => header.length as usize,
            _ => 0,
        };
        std::slice::from_raw_parts(cached.add(1).cast::<u8>(), length)
    }
}

/// The header of an open index's cache, if it has one.
#[inline(always)]
fn header<'a>(rel: pg_sys::Relation) -> Option<&'a Header> {
    // SAFETY: as in tree(); the callers do not keep it.
    unsafe { (*rel).rd_amcache.cast::<Header>().as_ref() }
}

/// The columns of an open index.
#[inline]
pub fn columns(rel: pg_sys::Relation) -> Columns {
    match header(rel) {
        Some(header) => header.columns,
        // SAFETY: the index is open.
        None => unsafe { Columns::of(rel) },
    }
}

/// Remembers what the callback learned about the root and the model's worth.
pub fn remember<const W: usize>(tree: &Tree<'_, IndexStore, W>) {
    let Some(header) = header(tree.store.raw()) else {
        return;
    };
    match tree.root_hint() {
        Some((block, level)) => {
            header.root.set(block);
            header.level.set(i32::from(level));
        }
        None => header.level.set(-1),
    }
    header.counters.add(&tree.counts);
    let astray = header.astray.get() + tree.counts.improvable();
    header.astray.set(astray);
}

/// The leaf where the last inserts went, if more than one did in a row: the next one's likely place.
pub fn near(rel: pg_sys::Relation) -> Option<Block> {
    let header = header(rel)?;
    header.again.get().then_some(header.leaf.get())
}

/// Remembers the leaf of an insert.
pub fn inserted(rel: pg_sys::Relation, leaf: Block) {
    if let Some(header) = header(rel) {
        header.again.set(header.leaf.get() == leaf);
        header.leaf.set(leaf);
    }
}

/// Whether the next leaf that is full should be asked about dead entries before it is split. Where they are few
/// again and again, that is done less and less often.
#[inline(always)]
pub fn may_purge(rel: pg_sys::Relation) -> bool {
    header(rel).is_none_or(|header| header.splits_left.get() == 0)
}

/// A full leaf was asked about: did it have many dead entries?
pub fn purged(rel: pg_sys::Relation, many: bool) {
    if let Some(header) = header(rel) {
        let fruitless = match many {
            true => 0,
            false => header.fruitless.get().min(MOST_FRUITLESS - 1) + 1,
        };
        header.fruitless.set(fruitless);
        let unasked = fruitless.saturating_sub(FEW_FRUITLESS);
        header.splits_left.set((1 << unasked) - 1);
    }
}

/// A leaf was split.
pub fn split(rel: pg_sys::Relation) {
    if let Some(header) = header(rel) {
        let left = header.splits_left.get();
        header.splits_left.set(left.saturating_sub(1));
    }
}

/// Counts a split. Some: the index, of so many blocks now, has grown enough for a new model; the
/// one known here is of this generation.
pub fn has_split(rel: pg_sys::Relation, blocks: Block) -> Option<u64> {
    let header = header(rel)?;
    header.splits.set(header.splits.get().saturating_add(1));
    let place = header.place.get();
    has_grown(&place, header.splits.get(), blocks).then_some(place.generation)
}

/// No new model could be had: there is time until the index, of so many blocks now, has grown as much again.
pub fn put_off(rel: pg_sys::Relation, blocks: Block) {
    if let Some(header) = header(rel) {
        let place = header.place.get();
        header.place.set(ModelLocation { blocks, ..place });
        header.splits.set(0);
    }
}

/// Discards the cache where the index may have a better model; the next callback loads it. Returns whether the
/// model errs and is the newest there is.
/// Called at the end of a callback, when nothing refers to the cache any more.
#[inline(always)]
pub fn review(store: &IndexStore) -> bool {
    header(store.raw()).is_some_and(|header| header.astray.get() >= header.patience.get())
        && ask(store)
}

/// Asks the meta page whether there is another model; returns whether there is none.
#[cold]
#[inline(never)]
fn ask(store: &IndexStore) -> bool {
    let rel = store.raw();
    let model = for_words!(store.words(), model_now(store)).or_raise(rel);
    let Some(header) = header(rel) else {
        return false;
    };
    if model.generation != header.place.get().generation {
        forget(rel);
        return false;
    }
    header.astray.set(0);
    let patience = header.patience.get() * 2;
    header.patience.set(patience.min(MOST_PATIENCE));
    true
}

/// What the meta page says of the model.
fn model_now<const W: usize>(store: &IndexStore) -> learned::Result<ModelLocation> {
    Ok(Tree::<_, W>::new(store).meta()?.model)
}

thread_local! {
    /// Of the index whose cache was discarded last: its number, and the header's `fruitless` and `splits_left`, which are not the model's.
    static LAST: Cell<(pg_sys::Oid, u8, u8)> = const { Cell::new((pg_sys::InvalidOid, 0, 0)) };
}

/// Discards the cache. Nothing may refer to it any more.
pub fn forget(rel: pg_sys::Relation) {
    if let Some(header) = header(rel) {
        // SAFETY: the index is open.
        let oid = unsafe { (*rel).rd_id };
        LAST.set((oid, header.fruitless.get(), header.splits_left.get()));
    }
    // SAFETY: as in tree(); freeing it is what the server does, too.
    unsafe {
        let cached = (*rel).rd_amcache;
        if !cached.is_null() {
            (*rel).rd_amcache = std::ptr::null_mut();
            pg_sys::pfree(cached);
        }
    }
}

/// Raises an error if the index was made for other columns than the catalogs have now: its entries would be taken for others.
pub fn check_descriptor(rel: pg_sys::Relation, columns: &Columns, meta: &Meta) {
    if meta.descriptor != columns.descriptor() {
        let fault = format!("block {META}: made for other types or orders of the columns");
        corrupted(rel, &fault);
    }
}

/// Loads the model into the cache.
///
/// # Safety
/// The relation has no cache.
#[cold]
unsafe fn load<const W: usize>(store: &IndexStore) -> *mut Chunk<W> {
    let rel = store.raw();
    let tree = Tree::<_, W>::new(store);
    let meta = tree.meta().or_raise(rel);
    // SAFETY: the index is open.
    let columns = unsafe { Columns::of(rel) };
    check_descriptor(rel, &columns, &meta);
    let place = meta.model;
    let model = tree.load_model_at(&place, options::model_cache());
    let model = model.or_raise(rel).unwrap_or_default();
    // SAFETY: the chunk has room for header and bytes and is aligned for any type; an index's
    // relcache entry has a context of its own for such things.
    unsafe {
        let (fruitless, splits_left) = match LAST.get() {
            (oid, fruitless, splits_left) if oid == (*rel).rd_id => (fruitless, splits_left),
            _ => (0, 0),
        };
        let size = size_of::<Chunk<W>>() + model.len();
        let chunk = pg_sys::MemoryContextAlloc((*rel).rd_indexcxt, size).cast::<Chunk<W>>();
        let header = Header {
            magic: MAGIC,
            length: model.len() as u32,
            root: Cell::new(0),
            level: Cell::new(-1),
            counters: counters::of(rel),
            astray: Cell::new(0),
            patience: Cell::new(PATIENCE),
            leaf: Cell::new(NO_BLOCK),
            again: Cell::new(false),
            splits: Cell::new(0),
            fruitless: Cell::new(fruitless),
            splits_left: Cell::new(splits_left),
            place: Cell::new(place),
            columns,
        };
        chunk.write(Chunk {
            header,
            recent: RecentLeaves::default(),
        });
        let bytes = chunk.add(1).cast::<u8>();
        bytes.copy_from_nonoverlapping(model.as_ptr(), model.len());
        (*rel).rd_amcache = chunk.cast();
        chunk
    }
}

//! What a backend remembers about an index from one call to the next: the model, the root, and
//! where inserts go.
//!
//! It is kept in `rd_amcache` of the relcache entry, which the server frees whenever it invalidates
//! the entry. So it must be one chunk of memory, and no reference to it may outlive a callback. All
//! of it is advice: the pages themselves are checked.

use std::cell::Cell;

use learned::meta::{Meta, ModelLocation};
use learned::page::{META, NO_BLOCK};
use learned::tree::{RecentLeaves, has_grown};
use learned::{Block, Tree};
use pgrx::pg_sys;

use crate::error::{OrRaise, corrupted};
use crate::options;
use crate::pg::codec::{EntryCodec, for_words};
use crate::pg::index::Index;
use crate::session::counters::{self, Counters};
use crate::storage::IndexStore;

const MAGIC: u32 = 0x4F6D_4C64;
/// The number of searches that a better model might have made shorter, after which the meta page is
/// asked whether there is one. Each time that there is none, the number is doubled, up to
/// [`MAX_PATIENCE`].
const INITIAL_PATIENCE: u64 = 32;
const MAX_PATIENCE: u64 = 4096;
/// The number of full leaves in a row in which few dead entries may be found, before leaves are
/// split without asking the table about them. Among leaves whose dead entries inserts have deleted,
/// and that were filled again, others still have theirs.
const FREE_FAILED_DELETIONS: u8 = 8;
/// The largest number of failed deletions that is remembered. With it, the table is asked before
/// every 2^5th split.
const MAX_FAILED_DELETIONS: u8 = FREE_FAILED_DELETIONS + 5;

/// The chunk of memory. Its header does not depend on the number of words. The model's bytes follow
/// the chunk.
#[repr(C)]
struct Chunk<const W: usize> {
    header: Header,
    recent: RecentLeaves<W>,
}

/// The chunk's header.
#[repr(C)]
struct Header {
    magic: u32,
    /// The length of the model in bytes; 0 if there is none that is worth keeping.
    length: u32,
    root: Cell<u32>,
    level: Cell<i32>,
    counters: &'static Counters,
    /// The number of searches that went astray since the meta page was last asked.
    astray: Cell<u64>,
    patience: Cell<u64>,
    /// The leaf of the last insert, and whether the insert before it went there, too.
    insert_leaf: Cell<u32>,
    is_insert_leaf_repeated: Cell<bool>,
    /// The number of splits by this backend since the model was loaded.
    splits: Cell<u32>,
    /// The number of full leaves in a row in which few dead entries were found, and the number of
    /// splits until the table is asked about a leaf again.
    failed_deletions: Cell<u8>,
    splits_until_deletion: Cell<u8>,
    /// What the meta page said about the model.
    model: Cell<ModelLocation>,
    codec: EntryCodec,
}

/// The tree of an index, with what this backend remembers about it.
///
/// It is used within one callback. While it is used, no catalog may be read and no relation locked,
/// since these may discard the cache.
pub fn tree<const W: usize>(store: &IndexStore) -> Tree<'_, IndexStore, W> {
    let index = store.index();
    let mut chunk = index.cached().cast::<Chunk<W>>();
    if chunk.is_null() {
        chunk = load::<W>(store);
    }
    // SAFETY: load() has made the chunk, and it stays as long as no catalog is read.
    let (Chunk { header, recent }, model) = unsafe { (&*chunk, model_bytes(chunk)) };
    let hint = u8::try_from(header.level.get())
        .ok()
        .map(|level| (header.root.get(), level));
    let tree = match model {
        [] => Tree::new(store),
        bytes => Tree::with_model(store, bytes).with_recent_leaves(recent),
    };
    tree.with_root_hint(hint)
}

/// The model's bytes in the cache.
///
/// # Safety
/// `chunk` is what load() has made, and lives for `'a`.
#[inline(always)]
unsafe fn model_bytes<'a, const W: usize>(chunk: *mut Chunk<W>) -> &'a [u8] {
    // SAFETY: as many bytes as the header says follow the chunk.
    unsafe {
        let header = &(*chunk).header;
        let length = match header.magic {
            MAGIC => header.length as usize,
            _ => 0,
        };
        std::slice::from_raw_parts(chunk.add(1).cast::<u8>(), length)
    }
}

/// The header of an index's cache, if it has one. The callers do not keep it.
#[inline(always)]
fn header<'a>(index: Index) -> Option<&'a Header> {
    // SAFETY: every chunk begins with a header. It stays as long as no catalog is read, which no
    // caller does while it uses the header.
    unsafe { index.cached().cast::<Header>().as_ref() }
}

/// How the columns of an open index are coded.
#[inline]
pub fn codec(index: Index) -> EntryCodec {
    match header(index) {
        Some(header) => header.codec,
        None => EntryCodec::of(index),
    }
}

/// Remembers what a callback has learned about the root, and about how good the model is.
pub fn remember<const W: usize>(tree: &Tree<'_, IndexStore, W>) {
    let Some(header) = header(tree.store.index()) else {
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

/// The leaf where the next insert is likely to go: that of the last inserts, if at least two in a
/// row went there.
pub fn insert_hint(index: Index) -> Option<Block> {
    let header = header(index)?;
    header
        .is_insert_leaf_repeated
        .get()
        .then_some(header.insert_leaf.get())
}

/// Remembers the leaf of an insert.
pub fn remember_insert(index: Index, leaf: Block) {
    if let Some(header) = header(index) {
        header
            .is_insert_leaf_repeated
            .set(header.insert_leaf.get() == leaf);
        header.insert_leaf.set(leaf);
    }
}

/// Whether the table should be asked about dead rows before the next full leaf is split. If few are
/// found again and again, this happens less and less often.
#[inline(always)]
pub fn is_deletion_due(index: Index) -> bool {
    header(index).is_none_or(|header| header.splits_until_deletion.get() == 0)
}

/// The table was asked about the rows of a full leaf. `are_many` says whether many were dead.
pub fn remember_deletion(index: Index, are_many: bool) {
    if let Some(header) = header(index) {
        let failed = match are_many {
            true => 0,
            false => header.failed_deletions.get().min(MAX_FAILED_DELETIONS - 1) + 1,
        };
        header.failed_deletions.set(failed);
        let doublings = failed.saturating_sub(FREE_FAILED_DELETIONS);
        header.splits_until_deletion.set((1 << doublings) - 1);
    }
}

/// Counts a split, or what takes the place of one, for [`is_deletion_due`].
pub fn count_split_without_deletion(index: Index) {
    if let Some(header) = header(index) {
        let left = header.splits_until_deletion.get();
        header.splits_until_deletion.set(left.saturating_sub(1));
    }
}

/// Counts a split for the training of the model. If the index, which has `blocks` blocks now, has
/// grown enough for a new model, returns the generation of the known one.
pub fn count_split(index: Index, blocks: Block) -> Option<u64> {
    let header = header(index)?;
    header.splits.set(header.splits.get().saturating_add(1));
    let model = header.model.get();
    has_grown(&model, header.splits.get(), blocks).then_some(model.generation)
}

/// No new model could be trained. The next attempt is made when the index, which has `blocks`
/// blocks now, has grown as much again.
pub fn postpone_training(index: Index, blocks: Block) {
    if let Some(header) = header(index) {
        let model = header.model.get();
        header.model.set(ModelLocation { blocks, ..model });
        header.splits.set(0);
    }
}

/// Discards the cache if the index may have a better model. The next callback loads it. Returns
/// whether the model errs although it is the newest one.
///
/// Called at the end of a callback, when nothing refers to the cache any more.
#[inline(always)]
pub fn discard_if_outdated(store: &IndexStore) -> bool {
    header(store.index()).is_some_and(|header| header.astray.get() >= header.patience.get())
        && check_for_new_model(store)
}

/// Asks the meta page whether there is another model. Discards the cache if there is one, and
/// returns whether there is none.
#[cold]
#[inline(never)]
fn check_for_new_model(store: &IndexStore) -> bool {
    let index = store.index();
    let newest = for_words!(store.words(), newest_model(store)).or_raise(index);
    let Some(header) = header(index) else {
        return false;
    };
    if newest.generation != header.model.get().generation {
        discard(index);
        return false;
    }
    header.astray.set(0);
    let patience = header.patience.get() * 2;
    header.patience.set(patience.min(MAX_PATIENCE));
    true
}

/// What the meta page says about the model.
fn newest_model<const W: usize>(store: &IndexStore) -> learned::Result<ModelLocation> {
    Ok(Tree::<_, W>::new(store).meta()?.model)
}

thread_local! {
    /// The index whose cache was discarded last, and its header's `failed_deletions` and
    /// `splits_until_deletion`, which have nothing to do with the model.
    static LAST_DISCARDED: Cell<(pg_sys::Oid, u8, u8)> =
        const { Cell::new((pg_sys::InvalidOid, 0, 0)) };
}

/// Discards the cache. Nothing refers to it any more.
pub fn discard(index: Index) {
    let Some(header) = header(index) else {
        return;
    };
    LAST_DISCARDED.set((
        index.oid(),
        header.failed_deletions.get(),
        header.splits_until_deletion.get(),
    ));
    // SAFETY: the chunk is one allocation of the server, and `header` is not used below.
    unsafe {
        let chunk = index.cached();
        index.set_cached(std::ptr::null_mut());
        pg_sys::pfree(chunk);
    }
}

/// Raises an ERROR if the index was made for other columns than the catalogs have now. Its entries
/// would be read as values of the wrong types.
pub fn check_descriptor(index: Index, codec: &EntryCodec, meta: &Meta) {
    if meta.descriptor != codec.descriptor() {
        let fault = format!("block {META}: made for other types or orders of the columns");
        corrupted(index, &fault);
    }
}

/// Loads the model into the cache of an index that has none.
#[cold]
fn load<const W: usize>(store: &IndexStore) -> *mut Chunk<W> {
    let index = store.index();
    let tree = Tree::<_, W>::new(store);
    let meta = tree.meta().or_raise(index);
    let codec = EntryCodec::of(index);
    check_descriptor(index, &codec, &meta);
    let model = tree.load_model_at(&meta.model, options::model_cache());
    let model = model.or_raise(index).unwrap_or_default();
    let (failed_deletions, splits_until_deletion) = match LAST_DISCARDED.get() {
        (oid, failed, splits) if oid == index.oid() => (failed, splits),
        _ => (0, 0),
    };
    let header = Header {
        magic: MAGIC,
        length: model.len() as u32,
        root: Cell::new(0),
        level: Cell::new(-1),
        counters: counters::for_index(index),
        astray: Cell::new(0),
        patience: Cell::new(INITIAL_PATIENCE),
        insert_leaf: Cell::new(NO_BLOCK),
        is_insert_leaf_repeated: Cell::new(false),
        splits: Cell::new(0),
        failed_deletions: Cell::new(failed_deletions),
        splits_until_deletion: Cell::new(splits_until_deletion),
        model: Cell::new(meta.model),
        codec,
    };
    // SAFETY: the chunk has room for the header and the bytes, and is aligned for any type. The
    // context is the one that the server frees together with the relcache entry.
    unsafe {
        let size = size_of::<Chunk<W>>() + model.len();
        let chunk = pg_sys::MemoryContextAlloc(index.cache_context(), size).cast::<Chunk<W>>();
        chunk.write(Chunk {
            header,
            recent: RecentLeaves::default(),
        });
        let bytes = chunk.add(1).cast::<u8>();
        bytes.copy_from_nonoverlapping(model.as_ptr(), model.len());
        index.set_cached(chunk.cast());
        chunk
    }
}

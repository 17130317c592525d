//! CREATE INDEX and REINDEX: rows to entries, entries to pages.

use std::collections::HashSet;
use std::ffi::{CStr, c_void};

use learned::Entry;
use learned::page::{Block, Page};
use learned::store::{Change, Guard, Store};
use learned::tree::{Builder, empty_index};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::am::spill::Spill;
use crate::am::unique;
use crate::error::{OrRaise, name, raise};
use crate::options;
use crate::pg::codec::{EntryCodec, for_words};
use crate::pg::ffi;
use crate::storage::{BulkWriter, IndexStore};
use crate::write::queue;

/// What [`ambuildphasename`] names, numbered on from the server's own first phase.
mod phase {
    pub const SCAN: i64 = 2;
    pub const SORT: i64 = 3;
    pub const LOAD: i64 = 4;
}

/// Entries in order that go to the builder at a time: few enough for the processor's cache.
const BATCH: usize = 4096;

/// Names the phases of a build in `pg_stat_progress_create_index`.
///
/// # Safety
/// Called by the server.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambuildphasename(number: i64) -> *mut std::ffi::c_char {
    let name: &CStr = match number {
        n if n == i64::from(pg_sys::PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE) => c"initializing",
        phase::SCAN => c"scanning table",
        phase::SORT => c"sorting live tuples",
        phase::LOAD => c"loading tuples in tree",
        _ => return std::ptr::null_mut(),
    };
    name.as_ptr().cast_mut()
}

fn progress(what: u32, value: i64) {
    // SAFETY: writes to this backend's status entry.
    unsafe { pg_sys::pgstat_progress_update_param(what as i32, value) };
}

/// The access method's `ambuild`.
///
/// # Safety
/// Called by the server with an open table, its new and empty index, and what to index.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambuild(
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
) -> *mut pg_sys::IndexBuildResult {
    // SAFETY: the arguments are the server's, and the relations stay open for the whole build.
    let (rows, count) = unsafe {
        unique::refuse_unless_allowed(index, info);
        queue::built((*index).rd_id);
        let columns = EntryCodec::of(index);
        for_words!(columns.words(), build(heap, index, info, columns))
    };
    // SAFETY: palloc returns memory for the result, or raises an error.
    unsafe {
        let result = pg_sys::palloc0(size_of::<pg_sys::IndexBuildResult>())
            .cast::<pg_sys::IndexBuildResult>();
        (*result).heap_tuples = rows;
        (*result).index_tuples = count as f64;
        result
    }
}

/// Builds an index; returns the numbers of rows and of entries.
///
/// # Safety
/// As for [`ambuild`]; `columns` are the index's, of `W` words.
unsafe fn build<const W: usize>(
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
    columns: EntryCodec,
) -> (f64, u64) {
    // SAFETY: the index is open, and `info` is its.
    let (fill, store, unique) = unsafe {
        let unique = (*info).ii_Unique.then(|| Unique::of(index));
        (
            options::fill_factor(index),
            IndexStore::new(index, W),
            unique,
        )
    };
    if store.blocks().or_raise(index) != 0 {
        not_empty(index, "index");
    }
    let mut bulk = BulkWriter::new(&store).or_raise(index);
    let mut build = Build::<W> {
        index,
        columns,
        store: &store,
        builder: Builder::new(&mut bulk, fill, columns.descriptor()),
        entries: Vec::new(),
        ordered: true,
        limit: memory() / size_of::<Entry<W>>() / 2,
        spill: None,
        unique,
        count: 0,
        pushed: 0,
    };
    progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, phase::SCAN);
    // SAFETY: `build` outlives the scan. In block order (no synchronized scan), so that a table
    // filled in key order is met in key order.
    let rows = unsafe {
        let state = (&raw mut build).cast();
        let no_scan = std::ptr::null_mut();
        ffi::table_index_build_scan(heap, index, info, true, Some(add_row::<W>), state, no_scan)
    };
    build.load();
    let count = build.count;
    let built = build.builder.finish(ffi::now_micros()).or_raise(index);
    bulk.finish(built.blocks, W).or_raise(index);
    (rows, count)
}

/// Takes one row of the table.
#[pg_guard]
unsafe extern "C-unwind" fn add_row<const W: usize>(
    _index: pg_sys::Relation,
    tid: pg_sys::ItemPointer,
    values: *mut pg_sys::Datum,
    isnull: *mut bool,
    alive: bool,
    state: *mut c_void,
) {
    // SAFETY: the scan passes on the state given to it, and each column's value.
    unsafe {
        let build = &mut *state.cast::<Build<'_, '_, W>>();
        let entry = build.columns.entry(values, isnull, tid);
        if !alive && let Some(unique) = &mut build.unique {
            unique.dead.insert(entry.tid());
        }
        build.add(entry);
    }
}

/// Bytes that maintenance_work_mem allows.
fn memory() -> usize {
    // SAFETY: a setting in kilobytes, always positive.
    unsafe { pg_sys::maintenance_work_mem as usize * 1024 }
}

/// The rows of a build on their way to the builder.
///
/// As long as they come in order, they go to the builder, a batch at a time. If they do not, they are collected and
/// sorted, together with what the builder has already written: in memory if they are few, else by the server's
/// tuplesort.
struct Build<'s, 'r, const W: usize> {
    index: pg_sys::Relation,
    columns: EntryCodec,
    store: &'r IndexStore,
    builder: Builder<'s, BulkWriter<'r>, W>,
    entries: Vec<Entry<W>>,
    /// `entries` ascend, and the builder accepts the first.
    ordered: bool,
    /// So many entries fit in half of the memory: sorting takes the other half.
    limit: usize,
    spill: Option<Spill<W>>,
    /// For a unique index.
    unique: Option<Unique<W>>,
    /// Rows met.
    count: u64,
    /// Rows that the builder has.
    pushed: u64,
}

impl<const W: usize> Build<'_, '_, W> {
    fn add(&mut self, entry: Entry<W>) {
        self.count += 1;
        let after = match self.entries.last() {
            Some(last) => *last < entry,
            None => self.builder.accepts(&entry),
        };
        self.ordered &= after;
        if self.entries.len() == self.entries.capacity() && self.entries.try_reserve(1).is_err() {
            out_of_memory();
        }
        self.entries.push(entry);
        if self.ordered {
            if self.entries.len() >= BATCH {
                self.push_all();
            }
        } else if self.pushed > 0 {
            self.take_back();
        } else if self.entries.len() >= self.limit {
            self.spill_all();
        }
    }

    /// Collects what the builder has, too, now that an entry comes out of order.
    fn take_back(&mut self) {
        if self.count >= self.limit as u64 {
            return self.spill_all();
        }
        let late = std::mem::take(&mut self.entries);
        if self.entries.try_reserve_exact(self.count as usize).is_err() {
            out_of_memory();
        }
        let mut entries = std::mem::take(&mut self.entries);
        self.restart(&mut |entry| entries.push(entry));
        entries.extend(late);
        self.entries = entries;
    }

    /// Brings all rows to the builder.
    fn load(&mut self) {
        if self.spill.is_some() {
            self.spill_entries();
            self.entries = Vec::new();
        }
        progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, phase::SORT);
        progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_TOTAL, self.count as i64);
        if let Some(spill) = &mut self.spill {
            spill.sort();
        } else if !self.ordered {
            self.sort_entries();
        }
        progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, phase::LOAD);
        match self.spill.take() {
            Some(mut spill) => {
                while let Some(entry) = spill.next() {
                    self.push(entry);
                }
                spill.end();
            }
            None => self.push_all(),
        }
        progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_DONE, self.count as i64);
    }

    fn push(&mut self, entry: Entry<W>) {
        if let Some(unique) = &mut self.unique
            && unique.is_duplicate(&entry, &self.columns)
        {
            // SAFETY: the index is open, and the columns are its.
            unsafe { unique::raise_not_unique(self.index, &self.columns, &entry) };
        }
        self.builder.push(entry).or_raise(self.index);
        self.pushed += 1;
        if self.pushed.is_multiple_of(0x1_0000) {
            progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_DONE, self.pushed as i64);
            self.store.interrupt();
        }
    }

    fn push_all(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        for entry in entries.drain(..) {
            self.push(entry);
        }
        self.entries = entries;
    }

    fn sort_entries(&mut self) {
        let interrupt = &mut || self.store.interrupt();
        if learned::sort::sort(&mut self.entries, interrupt).is_err() {
            out_of_memory();
        }
    }

    /// Hands the entries in memory to the server's sort, in order: its own sorting of what fits in
    /// its memory then only has to find that they are.
    fn spill_entries(&mut self) {
        self.sort_entries();
        if let Some(spill) = &mut self.spill {
            for entry in self.entries.drain(..) {
                spill.put(&entry);
            }
        }
        self.store.interrupt();
    }

    /// Goes over to the server's sort with all rows so far. It gets half of the memory, the
    /// entries collected for it and the room to sort them the other half.
    fn spill_all(&mut self) {
        if self.spill.is_none() {
            let mut spill = Spill::new(memory() / 2048);
            self.restart(&mut |entry| spill.put(&entry));
            self.spill = Some(spill);
            self.limit /= 2;
        }
        self.spill_entries();
        self.entries.shrink_to(self.limit);
    }

    /// Hands what the builder has to `visit`, in order, and starts it anew.
    fn restart(&mut self, visit: &mut dyn FnMut(Entry<W>)) {
        let store = self.store;
        let read = &mut |block: Block| -> learned::Result<Box<Page>> {
            store.interrupt();
            Ok(Box::new(*store.read(block)?))
        };
        let visit = &mut |entry: Entry<W>| {
            visit(entry);
            Ok(())
        };
        self.builder.restart(read, visit).or_raise(self.index);
        if let Some(unique) = &mut self.unique {
            unique.last = None;
        }
        self.pushed = 0;
    }
}

/// Finds rows with the same key, of those that are alive. Rows that are dead to some transactions only are indexed, too.
struct Unique<const W: usize> {
    nulls_are_equal: bool,
    /// TIDs of rows that are dead.
    dead: HashSet<u64>,
    /// Where the key of the last row begins that is alive.
    last: Option<Entry<W>>,
}

impl<const W: usize> Unique<W> {
    /// # Safety
    /// `index` is an open index.
    unsafe fn of(index: pg_sys::Relation) -> Self {
        Self {
            // SAFETY: the caller's contract.
            nulls_are_equal: unsafe { unique::nulls_are_equal(index) },
            dead: HashSet::new(),
            last: None,
        }
    }

    /// Whether the next entry in order has the key of one before it.
    fn is_duplicate(&mut self, entry: &Entry<W>, columns: &EntryCodec) -> bool {
        if self.dead.contains(&entry.tid()) {
            return false;
        }
        let key = columns.same_key(entry).from;
        let last = self.last.replace(key);
        let null = || columns.keys().iter().any(|c| c.bytes(entry).is_none());
        last == Some(key) && (self.nulls_are_equal || !null())
    }
}

#[cold]
fn out_of_memory() -> ! {
    raise(
        PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY,
        "out of memory while building an index",
        Some("Lower maintenance_work_mem."),
    )
}

/// Raises an ERROR for an index, or a fork of one, that is built although it has pages.
#[cold]
fn not_empty(index: pg_sys::Relation, what: &str) -> ! {
    let message = format!("{what} \"{}\" already contains data", name(index));
    raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, message, None)
}

/// The access method's `ambuildempty`: the INIT fork of an unlogged index.
///
/// # Safety
/// Called by the server with an open index whose INIT fork is empty.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambuildempty(index: pg_sys::Relation) {
    // SAFETY: the index stays open.
    unsafe {
        let columns = EntryCodec::of(index);
        for_words!(columns.words(), build_empty(index, &columns));
    }
}

/// Writes the pages of an index without entries.
///
/// # Safety
/// As for [`ambuildempty`]; `columns` are the index's, of `W` words.
unsafe fn build_empty<const W: usize>(index: pg_sys::Relation, columns: &EntryCodec) {
    // SAFETY: the index stays open.
    let (fill, store) = unsafe { (options::fill_factor(index), IndexStore::init_fork(index, W)) };
    for (block, page) in empty_index::<W>(fill, columns.descriptor()) {
        let mut write = store.extend();
        if write.block() != block {
            not_empty(index, "init fork of index");
        }
        store
            .commit(&mut [(&mut write, Change::Image(page))])
            .or_raise(index);
    }
}

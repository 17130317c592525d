//! CREATE INDEX and REINDEX: rows to entries, entries to pages.

use std::collections::HashSet;
use std::ffi::CStr;

use learned::Entry;
use learned::page::{Block, Page};
use learned::store::{Change, Guard, Store};
use learned::tree::{Builder, empty_index};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::am::unique;
use crate::error::{OrRaise, raise};
use crate::options;
use crate::pg::build::{BuildInfo, build_result, scan_for_build};
use crate::pg::codec::{EntryCodec, for_words};
use crate::pg::ffi::now_micros;
use crate::pg::index::Index;
use crate::pg::server::{self, report_progress};
use crate::pg::table::Table;
use crate::pg::tuplesort::EntrySort;
use crate::storage::{BulkWriter, IndexStore};
use crate::write::queue;

/// The phases that [`ambuildphasename`] names. The server's own first phase has number 1.
mod phase {
    pub const SCAN: i64 = 2;
    pub const SORT: i64 = 3;
    pub const LOAD: i64 = 4;
}

/// The number of sorted entries that go to the builder at a time: few enough for the processor's
/// cache.
const ENTRIES_PER_PUSH: usize = 4096;

/// The access method's `ambuildphasename`: names of phases for `pg_stat_progress_create_index`.
#[pg_guard]
pub extern "C-unwind" fn ambuildphasename(number: i64) -> *mut std::ffi::c_char {
    let name: &CStr = match number {
        n if n == i64::from(pg_sys::PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE) => c"initializing",
        phase::SCAN => c"scanning table",
        phase::SORT => c"sorting live tuples",
        phase::LOAD => c"loading tuples in tree",
        _ => return std::ptr::null_mut(),
    };
    name.as_ptr().cast_mut()
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
    // SAFETY: the server has both relations open and locked for the whole build, and the info is
    // that of the index.
    let (table, index, info) = unsafe {
        (
            Table::from_raw(heap),
            Index::from_raw(index),
            BuildInfo::from_raw(info),
        )
    };
    unique::refuse_unless_allowed(index, info);
    queue::discard_for_build(index.oid());
    let codec = EntryCodec::of(index);
    let (rows, entries) = for_words!(codec.words(), build(table, index, info, codec));
    build_result(rows, entries)
}

/// Builds an index with keys of `W` words. Returns the numbers of rows and of entries.
fn build<const W: usize>(
    table: Table,
    index: Index,
    info: BuildInfo,
    codec: EntryCodec,
) -> (f64, u64) {
    let store = IndexStore::new(index, W);
    if store.blocks().or_raise(index) != 0 {
        raise_not_empty(&format!("index \"{}\"", index.name()));
    }
    let mut bulk = BulkWriter::new(&store).or_raise(index);
    let fill = options::fill_factor(index);
    let mut build = Build::<W> {
        index,
        codec,
        store: &store,
        builder: Builder::new(&mut bulk, fill, codec.descriptor()),
        entries: Vec::new(),
        ordered: true,
        max_entries: server::maintenance_memory() / size_of::<Entry<W>>() / 2,
        sort: None,
        unique: info
            .is_unique()
            .then(|| DuplicateCheck::new(index.has_equal_nulls())),
        count: 0,
        pushed: 0,
    };
    report_progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, phase::SCAN);
    let rows = scan_for_build(table, index, info, &codec, |row, alive| {
        let entry = row.entry();
        if !alive && let Some(unique) = &mut build.unique {
            unique.dead.insert(entry.tid());
        }
        build.add(entry);
    });
    build.load();
    let count = build.count;
    let built = build.builder.finish(now_micros()).or_raise(index);
    bulk.finish(built.blocks, W).or_raise(index);
    (rows, count)
}

/// The entries of a build on their way to the builder.
///
/// As long as they come in order, they go to the builder, a batch at a time. Otherwise they are
/// collected and sorted, together with those that the builder has already written: in memory if
/// they fit, else by the server's tuplesort.
struct Build<'s, 'r, const W: usize> {
    index: Index,
    codec: EntryCodec,
    store: &'r IndexStore,
    builder: Builder<'s, BulkWriter<'r>, W>,
    entries: Vec<Entry<W>>,
    /// Whether `entries` ascend, and the builder accepts the first of them.
    ordered: bool,
    /// The number of entries that fit into half of the memory. Sorting takes the other half.
    max_entries: usize,
    sort: Option<EntrySort<W>>,
    /// None if the index is not unique.
    unique: Option<DuplicateCheck<W>>,
    /// The number of rows so far.
    count: u64,
    /// The number of rows that the builder has.
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
            if self.entries.len() >= ENTRIES_PER_PUSH {
                self.push_all();
            }
        } else if self.pushed > 0 {
            self.take_back();
        } else if self.entries.len() >= self.max_entries {
            self.sort_externally();
        }
    }

    /// Collects the entries that the builder has, too, since an entry has come out of order.
    fn take_back(&mut self) {
        if self.count >= self.max_entries as u64 {
            return self.sort_externally();
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

    /// Hands all entries to the builder.
    fn load(&mut self) {
        if self.sort.is_some() {
            self.add_to_sort();
            self.entries = Vec::new();
        }
        report_progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, phase::SORT);
        report_progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_TOTAL, self.count as i64);
        if let Some(sort) = &mut self.sort {
            sort.sort();
        } else if !self.ordered {
            self.sort_entries();
        }
        report_progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, phase::LOAD);
        match self.sort.take() {
            Some(mut sort) => {
                while let Some(entry) = sort.next() {
                    self.push(entry);
                }
                sort.end();
            }
            None => self.push_all(),
        }
        report_progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_DONE, self.count as i64);
    }

    fn push(&mut self, entry: Entry<W>) {
        if let Some(unique) = &mut self.unique
            && unique.is_duplicate(&entry, &self.codec)
        {
            unique::raise_not_unique(self.index, &entry);
        }
        self.builder.push(entry).or_raise(self.index);
        self.pushed += 1;
        if self.pushed.is_multiple_of(0x1_0000) {
            report_progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_DONE, self.pushed as i64);
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

    /// Hands the entries in memory to the server's sort. They are sorted first: tuplesort then only
    /// has to notice that what fits into its memory is sorted already.
    fn add_to_sort(&mut self) {
        self.sort_entries();
        if let Some(sort) = &mut self.sort {
            for entry in self.entries.drain(..) {
                sort.add(&entry);
            }
        }
        self.store.interrupt();
    }

    /// Switches to the server's sort, with all rows so far. The sort gets half of the memory. The
    /// other half is for the entries that are collected for it, and for sorting them.
    fn sort_externally(&mut self) {
        if self.sort.is_none() {
            let mut sort = EntrySort::new(server::maintenance_memory() / 2048);
            self.restart(&mut |entry| sort.add(&entry));
            self.sort = Some(sort);
            self.max_entries /= 2;
        }
        self.add_to_sort();
        self.entries.shrink_to(self.max_entries);
    }

    /// Hands the entries that the builder has to `visit`, in order, and restarts the builder.
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

/// Finds live rows with the same key. Rows that are dead to some transactions only are indexed,
/// too, and are no duplicates.
struct DuplicateCheck<const W: usize> {
    has_equal_nulls: bool,
    /// The TIDs of rows that are dead.
    dead: HashSet<u64>,
    /// The first possible entry with the key of the last live row.
    last: Option<Entry<W>>,
}

impl<const W: usize> DuplicateCheck<W> {
    fn new(has_equal_nulls: bool) -> Self {
        Self {
            has_equal_nulls,
            dead: HashSet::new(),
            last: None,
        }
    }

    /// Whether an entry has the key of an earlier one. Entries come in order.
    fn is_duplicate(&mut self, entry: &Entry<W>, codec: &EntryCodec) -> bool {
        if self.dead.contains(&entry.tid()) {
            return false;
        }
        let key = codec.same_key(entry).from;
        let last = self.last.replace(key);
        let has_null = || codec.keys().iter().any(|c| c.bytes(entry).is_none());
        last == Some(key) && (self.has_equal_nulls || !has_null())
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

/// Raises an ERROR for a file that should be empty. `what` names it.
#[cold]
fn raise_not_empty(what: &str) -> ! {
    let code = PgSqlErrorCode::ERRCODE_INTERNAL_ERROR;
    raise(code, format!("{what} already contains data"), None)
}

/// The access method's `ambuildempty`: writes the init fork of an unlogged index.
///
/// # Safety
/// Called by the server with an open index whose init fork is empty.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambuildempty(index: pg_sys::Relation) {
    // SAFETY: the server has the index open and locked.
    let index = unsafe { Index::from_raw(index) };
    let codec = EntryCodec::of(index);
    for_words!(codec.words(), build_empty(index, &codec));
}

/// Writes the pages of an index without entries, with keys of `W` words.
fn build_empty<const W: usize>(index: Index, codec: &EntryCodec) {
    let store = IndexStore::init_fork(index, W);
    for (block, page) in empty_index::<W>(options::fill_factor(index), codec.descriptor()) {
        let mut write = store.extend();
        if write.block() != block {
            raise_not_empty(&format!("init fork of index \"{}\"", index.name()));
        }
        store
            .commit(&mut [(&mut write, Change::Image(page))])
            .or_raise(index);
    }
}

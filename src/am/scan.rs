//! Index scans: the access method's callbacks around [`learned::cursor::Cursor`].
//!
//! A rescan with a first row is the unit of work of a nested loop, so nothing here allocates after
//! `ambeginscan`, and a row that the batch already has costs no call into the server.
//!
//! Pins: a plain scan with an MVCC snapshot gives up each leaf as soon as its entries are copied.
//! An index-only scan trusts the visibility map, and other kinds of snapshot cannot tell a recycled heap
//! slot; both keep the pin of the batch's leaf, which holds off VACUUM. So do scans of indexes without WAL,
//! as in nbtree.

use learned::Entry;
use learned::cursor::{Cursor, Mark};
use learned::store::{Guard, Store};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::am::parallel::Common;
use crate::error::OrRaise;
use crate::pg::column::Column;
use crate::pg::columns::{Columns, item_pointer, unknown_word_count};
use crate::pg::tuple::Tuple;
use crate::pg::{bounds, ffi, query};
use crate::reclaim::kill::DeadRows;
use crate::session::cache;
use crate::storage::{Ahead, IndexStore, Pinned};
use crate::write::queue;

/// What `scan->opaque` points to: a scan of keys of so many words. It has a memory context of its own, with
/// whose deletion (by `amendscan`, or when a query fails) it is dropped.
// Allocated once a scan, and never moved.
#[allow(clippy::large_enum_variant)]
enum State {
    One(Scan<1>),
    Two(Scan<2>),
    Three(Scan<3>),
    Four(Scan<4>),
    Eight(Scan<8>),
}

/// Evaluates an expression with the scan, whatever its number of words.
macro_rules! with_scan {
    ($state:expr, $scan:ident => $result:expr) => {
        match $state {
            State::One($scan) => $result,
            State::Two($scan) => $result,
            State::Three($scan) => $result,
            State::Four($scan) => $result,
            State::Eight($scan) => $result,
        }
    };
}

struct Scan<const W: usize> {
    columns: Columns,
    cursor: Cursor<W>,
    /// Whether the pin of a batch's leaf is kept.
    keep_pin: bool,
    /// Leaves read are noted for serializable transactions.
    note_reads: bool,
    pinned: Option<Pinned>,
    mark: Option<Mark<W>>,
    dead: DeadRows<W>,
    ahead: Ahead,
    /// The row of an index-only scan.
    tuple: Tuple,
    /// TIDs on their way into a bitmap.
    tids: Vec<pg_sys::ItemPointerData>,
    context: pg_sys::MemoryContext,
    at_end: pg_sys::MemoryContextCallback,
}

impl State {
    fn new(
        columns: Columns,
        context: pg_sys::MemoryContext,
        at_end: pg_sys::MemoryContextCallback,
    ) -> Self {
        match columns.words() {
            1 => Self::One(Scan::new(columns, context, at_end)),
            2 => Self::Two(Scan::new(columns, context, at_end)),
            3 => Self::Three(Scan::new(columns, context, at_end)),
            4 => Self::Four(Scan::new(columns, context, at_end)),
            8 => Self::Eight(Scan::new(columns, context, at_end)),
            words => unknown_word_count(words),
        }
    }
}

impl<const W: usize> Scan<W> {
    fn new(
        columns: Columns,
        context: pg_sys::MemoryContext,
        at_end: pg_sys::MemoryContextCallback,
    ) -> Self {
        Self {
            cursor: Cursor::default(),
            keep_pin: true,
            note_reads: false,
            pinned: None,
            mark: None,
            dead: DeadRows::new(),
            ahead: Ahead::default(),
            tuple: Tuple::new(&columns),
            tids: Vec::new(),
            columns,
            context,
            at_end,
        }
    }

    /// Sets the range.
    ///
    /// # Safety
    /// `scan` is the server's of this state, and `keys` are for its index.
    #[inline(always)]
    unsafe fn begin(&mut self, scan: &pg_sys::IndexScanDescData, keys: &[pg_sys::ScanKeyData]) {
        // SAFETY: the scan's index and table are open.
        unsafe { self.dead.remove(scan) };
        self.release();
        self.mark = None;
        bounds::apply(&self.columns, keys, &mut self.cursor);
        // SAFETY: snapshot and index live as long as the scan.
        unsafe {
            self.keep_pin = scan.xs_want_itup
                || !query::is_mvcc_snapshot(scan.xs_snapshot)
                || !ffi::relation_needs_wal(scan.indexRelation);
        }
        self.note_reads = query::is_serializable();
    }

    /// Gives back the pin of the batch's leaf.
    #[inline(always)]
    fn release(&mut self) {
        if let Some(pinned) = self.pinned.take() {
            pinned.release();
        }
    }

    /// Puts the next row into the server's scan, if the batch has it, and it is not time to look ahead. Nothing here can panic or raise an error.
    #[inline(always)]
    fn next_of_batch(&mut self, scan: &mut pg_sys::IndexScanDescData, backward: bool) -> bool {
        if !self.ahead.count() {
            return false;
        }
        let forward = backward == self.columns.reversed;
        match self.cursor.step(forward) {
            Some(entry) => self.put(scan, &entry),
            None => return false,
        }
        true
    }

    /// Puts the next row into the server's scan; false at the end.
    fn next(&mut self, scan: &mut pg_sys::IndexScanDescData, backward: bool) -> bool {
        if scan.kill_prior_tuple {
            self.dead.note(&self.cursor);
        }
        let forward = backward == self.columns.reversed;
        let (next, rows) = self.cursor.upcoming(forward);
        // SAFETY: the scan's table is open.
        unsafe { self.ahead.look(scan, next, rows) };
        if self.next_of_batch(scan, backward) {
            return true;
        }
        match self.fill(scan, forward) {
            Some(entry) => self.put(scan, &entry),
            None => return false,
        }
        true
    }

    /// Puts an entry's row into the server's scan.
    #[inline(always)]
    fn put(&mut self, scan: &mut pg_sys::IndexScanDescData, entry: &Entry<W>) {
        scan.xs_heaptid = item_pointer(entry.tie);
        scan.xs_recheck = !self.cursor.is_sure(entry);
        if scan.xs_want_itup {
            scan.xs_itup = self.tuple.of(&self.columns, entry);
        }
    }

    /// Reads the next batch and returns its first entry; None at the end of the range.
    #[inline(never)]
    fn fill(&mut self, scan: &pg_sys::IndexScanDescData, forward: bool) -> Option<Entry<W>> {
        // Rows of this statement are to be found by what it calls.
        queue::settle();
        // SAFETY: the scan's index and table are open.
        unsafe { self.dead.remove(scan) };
        if !self.cursor.has_more(forward) {
            self.cursor.finish(forward);
            self.release();
            return None;
        }
        self.count_search(scan);
        let first = !self.cursor.is_started();
        let index = scan.indexRelation;
        self.release();
        // SAFETY: the scan's index is open, and stays so.
        let store = unsafe { IndexStore::new(index, W) };
        // SAFETY: the scan is the server's.
        let common = unsafe { Common::of(scan) };
        let entry = loop {
            // SAFETY: the keys of the scan have W words; nothing is locked.
            if common.is_some_and(|c| unsafe { !Common::take(c, &mut self.cursor, forward) }) {
                self.cursor.finish(forward);
                break None;
            }
            // Made anew for each leaf: the model may be discarded when interrupts are served.
            let tree = cache::tree(&store);
            let leaf = self.cursor.load(&tree, forward).or_raise(index);
            self.note_read(scan, &leaf);
            if let Some(common) = common {
                // SAFETY: this process's turn.
                unsafe { Common::give(common, &self.cursor, forward) };
            }
            let entry = self.cursor.step(forward);
            if self.keep_pin && entry.is_some() {
                self.pinned = Some(leaf.unlock());
            } else {
                drop(leaf);
            }
            cache::remember(&tree);
            if entry.is_some() {
                break entry;
            }
            if !self.cursor.has_more(forward) {
                self.cursor.finish(forward);
                break None;
            }
            pgrx::check_for_interrupts!();
        };
        self.ahead.restart(first, scan.xs_want_itup);
        cache::review(&store);
        entry
    }

    /// Adds all rows of the range to a bitmap and returns their number.
    ///
    /// # Safety
    /// `bitmap` is one of the server's.
    unsafe fn all(
        &mut self,
        scan: &pg_sys::IndexScanDescData,
        bitmap: *mut pg_sys::TIDBitmap,
    ) -> i64 {
        if !self.cursor.has_more(true) {
            return 0;
        }
        self.count_search(scan);
        let index = scan.indexRelation;
        let mut count = 0;
        // SAFETY: the scan's index is open, and stays so.
        let store = unsafe { IndexStore::new(index, W) };
        self.cursor.read_whole_range();
        while self.cursor.has_more(true) {
            // As in fill().
            let tree = cache::tree(&store);
            let leaf = self.cursor.load(&tree, true).or_raise(index);
            self.note_read(scan, &leaf);
            drop(leaf);
            cache::remember(&tree);
            let sure = |entry: &Entry<W>| self.cursor.is_sure(entry);
            for same in self.cursor.batch().chunk_by(|a, b| sure(a) == sure(b)) {
                let recheck = !same.first().is_some_and(sure);
                self.tids.clear();
                let tids = same.iter().map(|entry| item_pointer(entry.tie));
                self.tids.extend(tids);
                // SAFETY: a bitmap, and as many TIDs as it is told.
                unsafe {
                    let tids = self.tids.as_mut_ptr();
                    pg_sys::tbm_add_tuples(bitmap, tids, same.len() as i32, recheck);
                }
                count += same.len() as i64;
            }
            pgrx::check_for_interrupts!();
        }
        self.cursor.finish(true);
        cache::review(&store);
        count
    }

    /// Judges and notes the read of a leaf while it is still locked: for snapshots that may be too old,
    /// for serializable transactions.
    #[inline(always)]
    fn note_read(&self, scan: &pg_sys::IndexScanDescData, leaf: &<IndexStore as Store>::Read) {
        // SAFETY: index and snapshot are the scan's.
        unsafe { query::check_snapshot_age(scan.indexRelation, scan.xs_snapshot, leaf) };
        if self.note_reads {
            // SAFETY: index and snapshot are the scan's.
            unsafe {
                query::PredicateLockPage(scan.indexRelation, leaf.block(), scan.xs_snapshot);
            }
        }
    }

    /// Statistics: one more search, if this is the range's first batch.
    #[inline]
    fn count_search(&self, scan: &pg_sys::IndexScanDescData) {
        if self.cursor.is_started() {
            return;
        }
        // SAFETY: the scan's index is open; `instrument` is null or the executor's.
        unsafe {
            ffi::count_index_scan(scan.indexRelation);
            #[cfg(feature = "pg18")]
            if let Some(instrument) = scan.instrument.as_mut() {
                instrument.nsearches += 1;
            }
        }
    }
}

/// Starts a scan without a range yet.
///
/// # Safety
/// Called by the server with an open index.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambeginscan(
    index: pg_sys::Relation,
    nkeys: i32,
    norderbys: i32,
) -> pg_sys::IndexScanDesc {
    // SAFETY: the index is open. The state is written in full before anything looks at it, and
    // the callback's argument lives as long as the context that calls back.
    unsafe {
        let columns = cache::columns(index);
        let scan = pg_sys::RelationGetIndexScan(index, nkeys, norderbys);
        let context = pg_sys::AllocSetContextCreateInternal(
            pg_sys::CurrentMemoryContext,
            c"learned scan".as_ptr(),
            pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
            pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
            pg_sys::ALLOCSET_SMALL_MAXSIZE as usize,
        );
        let state = pg_sys::MemoryContextAlloc(context, size_of::<State>()).cast::<State>();
        let at_end = pg_sys::MemoryContextCallback {
            func: Some(drop_state),
            arg: state.cast(),
            next: std::ptr::null_mut(),
        };
        state.write(State::new(columns, context, at_end));
        with_scan!(&mut *state, of => {
            pg_sys::MemoryContextRegisterResetCallback(context, &raw mut of.at_end);
        });
        (*scan).opaque = state.cast();
        (*scan).xs_itupdesc = (*index).rd_att;
        scan
    }
}

/// Frees what the state has outside of its memory context. Its pin, if any, is the transaction's.
unsafe extern "C-unwind" fn drop_state(state: *mut std::ffi::c_void) {
    // SAFETY: called once, by the context in which ambeginscan wrote the state.
    unsafe { state.cast::<State>().drop_in_place() };
}

/// Sets the range.
///
/// # Safety
/// Called by the server with a scan of ours. `keys` may be null: the same keys again.
#[pg_guard]
pub unsafe extern "C-unwind" fn amrescan(
    scan: pg_sys::IndexScanDesc,
    keys: pg_sys::ScanKey,
    nkeys: i32,
    _orderbys: pg_sys::ScanKey,
    _norderbys: i32,
) {
    // SAFETY: the scan has room for `numberOfKeys` keys, which is what `nkeys` says, too, and its
    // snapshot and index live as long as itself. keyData is null where there are no keys.
    unsafe {
        let scan = &mut *scan;
        let state = &mut *scan.opaque.cast::<State>();
        let count = usize::try_from(scan.numberOfKeys).unwrap_or(0);
        if !keys.is_null() && nkeys == scan.numberOfKeys && count > 0 {
            std::ptr::copy(keys, scan.keyData, count);
        }
        let keys = if count == 0 || scan.keyData.is_null() {
            &[]
        } else {
            std::slice::from_raw_parts(scan.keyData, count)
        };
        with_scan!(state, of => of.begin(scan, keys));
    }
}

/// The next row in a direction. What a batch has is returned without pgrx's guard.
///
/// # Safety
/// Called by the server with a scan of ours that has a range.
pub unsafe extern "C-unwind" fn amgettuple(
    scan: pg_sys::IndexScanDesc,
    direction: pg_sys::ScanDirection::Type,
) -> bool {
    let backward = direction == pg_sys::ScanDirection::BackwardScanDirection;
    // SAFETY: opaque is what ambeginscan put there; nothing else refers to scan or state now.
    let (of, state) = unsafe { (&mut *scan, &mut *(*scan).opaque.cast::<State>()) };
    let found = !of.kill_prior_tuple
        && match state {
            // Most indexes; a jump through a table would wait for what it loads.
            State::One(state) => state.next_of_batch(of, backward),
            _ => next_of_several(state, of, backward),
        };
    // SAFETY: likewise.
    found || unsafe { next(scan, backward) }
}

/// The next row of the batch, by a key of any number of words.
#[inline(never)]
fn next_of_several(
    state: &mut State,
    scan: &mut pg_sys::IndexScanDescData,
    backward: bool,
) -> bool {
    with_scan!(state, of => of.next_of_batch(scan, backward))
}

/// The next row.
///
/// # Safety
/// As for [`amgettuple`].
#[inline(never)]
#[pg_guard]
unsafe extern "C-unwind" fn next(scan: pg_sys::IndexScanDesc, backward: bool) -> bool {
    // SAFETY: opaque is what ambeginscan put there; nothing else refers to scan or state now.
    let (scan, state) = unsafe { (&mut *scan, &mut *(*scan).opaque.cast::<State>()) };
    with_scan!(state, of => of.next(scan, backward))
}

/// Adds all rows of the range to a bitmap.
///
/// # Safety
/// Called by the server with a scan of ours that has a range, and a bitmap.
#[pg_guard]
pub unsafe extern "C-unwind" fn amgetbitmap(
    scan: pg_sys::IndexScanDesc,
    bitmap: *mut pg_sys::TIDBitmap,
) -> i64 {
    queue::settle();
    // SAFETY: opaque is what ambeginscan put there; nothing else refers to scan or state now.
    let (scan, state) = unsafe {
        let scan = &*scan;
        (scan, &mut *scan.opaque.cast::<State>())
    };
    // SAFETY: the bitmap is the server's.
    unsafe { with_scan!(state, of => of.all(scan, bitmap)) }
}

/// Ends a scan.
///
/// # Safety
/// Called by the server, once, with a scan of ours.
#[pg_guard]
pub unsafe extern "C-unwind" fn amendscan(scan: pg_sys::IndexScanDesc) {
    // SAFETY: opaque is what ambeginscan put there; with its context the state goes, too.
    unsafe {
        let state = (*scan).opaque.cast::<State>();
        let context = with_scan!(&mut *state, of => {
            of.dead.remove(&*scan);
            of.release();
            of.context
        });
        (*scan).opaque = std::ptr::null_mut();
        pg_sys::MemoryContextDelete(context);
    }
}

/// Remembers the current row.
///
/// # Safety
/// Called by the server with a scan of ours that has a range.
#[pg_guard]
pub unsafe extern "C-unwind" fn ammarkpos(scan: pg_sys::IndexScanDesc) {
    // SAFETY: opaque is what ambeginscan put there.
    let state = unsafe { &mut *(*scan).opaque.cast::<State>() };
    with_scan!(state, of => of.mark = Some(of.cursor.mark()));
}

/// Goes back to the row remembered. Rows of the batch in memory need no pin: the marked row itself
/// is not returned again, those after it are read anew.
///
/// # Safety
/// Called by the server with a scan of ours that has a mark.
#[pg_guard]
pub unsafe extern "C-unwind" fn amrestrpos(scan: pg_sys::IndexScanDesc) {
    // SAFETY: opaque is what ambeginscan put there.
    let state = unsafe { &mut *(*scan).opaque.cast::<State>() };
    with_scan!(state, of => {
        if let Some(mark) = &of.mark {
            of.cursor.restore(mark);
        }
    });
}

/// Whether an index-only scan may read a column, counted from 1, from the index. Not on a standby: replay takes no
/// cleanup locks, so a pin there does not keep heap slots from being used again. And not where the
/// key does not tell -0 from 0.
///
/// # Safety
/// Called by the server with an open index.
#[pg_guard]
pub unsafe extern "C-unwind" fn amcanreturn(index: pg_sys::Relation, column: i32) -> bool {
    // SAFETY: the index is open; the rest may be asked at any time.
    let (columns, recovery) = unsafe { (Columns::of(index), pg_sys::RecoveryInProgress()) };
    let at = usize::try_from(column).unwrap_or(0).checked_sub(1);
    let column = at.and_then(|at| columns.list().get(at));
    !recovery && column.is_some_and(Column::is_exact)
}

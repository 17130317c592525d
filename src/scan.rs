//! Index scans: the access method's callbacks around [`learned::cursor::Cursor`].
//!
//! A rescan with a first row is the unit of work of a nested loop, so nothing here allocates after
//! `ambeginscan`, and a row that the batch already has costs no call into the server.
//!
//! Pins: a plain scan with an MVCC snapshot gives up each leaf as soon as its entries are copied.
//! An index-only scan trusts the visibility map, and other kinds of snapshot cannot tell a recycled heap
//! slot; both keep the pin of the batch's leaf, which holds off VACUUM. So do scans of indexes without WAL,
//! as in nbtree.

use learned::cursor::{Cursor, Mark};
use learned::key::TID_MASK;
use learned::store::{Guard, Store};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::cache;
use crate::error::OrRaise;
use crate::pg::key::{Key, KeyColumn, WORDS};
use crate::pg::{bounds, column, ffi, query};
use crate::storage::{Pinned, Relation};

/// What `scan->opaque` points to. It has a memory context of its own, with whose deletion (by
/// `amendscan`, or when a query fails) it is dropped.
struct State {
    column: KeyColumn,
    cursor: Cursor<WORDS>,
    /// Whether the pin of a batch's leaf is kept.
    keep_pin: bool,
    /// Leaves read are noted for serializable transactions.
    note_reads: bool,
    pinned: Option<Pinned>,
    mark: Option<Mark<WORDS>>,
    /// The row of an index-only scan.
    tuple: Tuple,
    /// TIDs on their way into a bitmap.
    tids: Vec<pg_sys::ItemPointerData>,
    context: pg_sys::MemoryContext,
    at_end: pg_sys::MemoryContextCallback,
}

/// An index tuple with one column: `IndexTupleData`, then the value, or the bitmap that says NULL.
#[repr(C, align(8))]
struct Tuple {
    head: pg_sys::IndexTupleData,
    body: [u8; 8],
}

/// Both forms have this size: a value, or a null bitmap of four bytes, each rounded up to eight.
const TUPLE_BYTES: u16 = 16;
const _: () = assert!(size_of::<Tuple>() == TUPLE_BYTES as usize);

impl Tuple {
    fn new() -> Self {
        Self {
            head: pg_sys::IndexTupleData {
                t_tid: pg_sys::ItemPointerData::default(),
                t_info: TUPLE_BYTES,
            },
            body: [0; 8],
        }
    }

    #[inline(always)]
    fn set(&mut self, column: &KeyColumn, entry: &Key) {
        (self.head.t_info, self.body) = match column.bytes(entry) {
            Some(bytes) => (TUPLE_BYTES, bytes),
            None => (TUPLE_BYTES | pg_sys::INDEX_NULL_MASK as u16, [0; 8]),
        };
    }
}

/// The heap TID of an entry.
#[inline(always)]
fn item_pointer(entry: &Key) -> pg_sys::ItemPointerData {
    let tid = entry.tie & TID_MASK;
    pg_sys::ItemPointerData {
        ip_blkid: pg_sys::BlockIdData {
            bi_hi: (tid >> 32) as u16,
            bi_lo: (tid >> 16) as u16,
        },
        ip_posid: tid as u16,
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
        let column = column::column(index);
        let scan = pg_sys::RelationGetIndexScan(index, nkeys, norderbys);
        let context = pg_sys::AllocSetContextCreateInternal(
            pg_sys::CurrentMemoryContext,
            c"learned scan".as_ptr(),
            pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
            pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
            pg_sys::ALLOCSET_SMALL_MAXSIZE as usize,
        );
        let state = pg_sys::MemoryContextAlloc(context, size_of::<State>()).cast::<State>();
        state.write(State {
            column,
            cursor: Cursor::default(),
            keep_pin: true,
            note_reads: false,
            pinned: None,
            mark: None,
            tuple: Tuple::new(),
            tids: Vec::new(),
            context,
            at_end: pg_sys::MemoryContextCallback {
                func: Some(drop_state),
                arg: state.cast(),
                next: std::ptr::null_mut(),
            },
        });
        pg_sys::MemoryContextRegisterResetCallback(context, &raw mut (*state).at_end);
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
        release(state);
        state.mark = None;
        bounds::apply(&state.column, keys, &mut state.cursor);
        state.keep_pin = scan.xs_want_itup
            || !query::is_mvcc_snapshot(scan.xs_snapshot)
            || !ffi::relation_needs_wal(scan.indexRelation);
        state.note_reads = pg_sys::XactIsoLevel == pg_sys::XACT_SERIALIZABLE as i32
            && (*(*scan.indexRelation).rd_indam).ampredlocks;
    }
}

/// Gives back the pin of the batch's leaf.
#[inline(always)]
fn release(state: &mut State) {
    if let Some(pinned) = state.pinned.take() {
        pinned.release();
    }
}

/// The next row in a direction.
///
/// # Safety
/// Called by the server with a scan of ours that has a range.
#[pg_guard]
pub unsafe extern "C-unwind" fn amgettuple(
    scan: pg_sys::IndexScanDesc,
    direction: pg_sys::ScanDirection::Type,
) -> bool {
    // SAFETY: opaque is what ambeginscan put there; nothing else refers to scan or state now.
    let (scan, state) = unsafe {
        let scan = &mut *scan;
        let state = &mut *scan.opaque.cast::<State>();
        (scan, state)
    };
    let backward = direction == pg_sys::ScanDirection::BackwardScanDirection;
    let forward = backward == state.column.reversed;
    let entry = match state.cursor.step(forward) {
        Some(entry) => entry,
        None => match fill(scan, state, forward) {
            Some(entry) => entry,
            None => return false,
        },
    };
    scan.xs_heaptid = item_pointer(&entry);
    scan.xs_recheck = !state.cursor.is_sure(&entry);
    if scan.xs_want_itup {
        state.tuple.set(&state.column, &entry);
        scan.xs_itup = &raw mut state.tuple.head;
    }
    true
}

/// Reads the next batch and returns its first entry; None at the end of the range.
#[inline(never)]
fn fill(scan: &pg_sys::IndexScanDescData, state: &mut State, forward: bool) -> Option<Key> {
    if !state.cursor.has_more(forward) {
        state.cursor.finish(forward);
        release(state);
        return None;
    }
    count_search(scan, state);
    let index = scan.indexRelation;
    release(state);
    // SAFETY: the scan's index is open, and stays so.
    let store = unsafe { Relation::new(index) };
    let entry = loop {
        // Made anew for each leaf: the model may be discarded when interrupts are served.
        let tree = cache::tree(&store);
        let leaf = state.cursor.load(&tree, forward).or_raise(index);
        note_read(scan, state, &leaf);
        let entry = state.cursor.step(forward);
        if state.keep_pin && entry.is_some() {
            state.pinned = Some(leaf.unlock());
        } else {
            drop(leaf);
        }
        cache::remember(&tree);
        if entry.is_some() {
            break entry;
        }
        if !state.cursor.has_more(forward) {
            state.cursor.finish(forward);
            break None;
        }
        pgrx::check_for_interrupts!();
    };
    cache::review(&store);
    entry
}

/// Judges and notes the read of a leaf while it is still locked: for snapshots that may be too old,
/// for serializable transactions.
#[inline(always)]
fn note_read(scan: &pg_sys::IndexScanDescData, state: &State, leaf: &<Relation as Store>::Read) {
    // SAFETY: index and snapshot are the scan's.
    unsafe { query::check_snapshot_age(scan.indexRelation, scan.xs_snapshot, leaf) };
    if state.note_reads {
        // SAFETY: index and snapshot are the scan's.
        unsafe {
            query::PredicateLockPage(scan.indexRelation, leaf.block(), scan.xs_snapshot);
        }
    }
}

/// Statistics: one more search, if this is the range's first batch.
#[inline]
fn count_search(scan: &pg_sys::IndexScanDescData, state: &State) {
    if state.cursor.is_started() {
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

/// Adds all rows of the range to a bitmap.
///
/// # Safety
/// Called by the server with a scan of ours that has a range, and a bitmap.
#[pg_guard]
pub unsafe extern "C-unwind" fn amgetbitmap(
    scan: pg_sys::IndexScanDesc,
    bitmap: *mut pg_sys::TIDBitmap,
) -> i64 {
    // SAFETY: opaque is what ambeginscan put there; nothing else refers to scan or state now.
    let (scan, state) = unsafe {
        let scan = &*scan;
        (scan, &mut *scan.opaque.cast::<State>())
    };
    if !state.cursor.has_more(true) {
        return 0;
    }
    count_search(scan, state);
    let index = scan.indexRelation;
    let mut count = 0;
    // SAFETY: the scan's index is open, and stays so.
    let store = unsafe { Relation::new(index) };
    state.cursor.read_far();
    while state.cursor.has_more(true) {
        // As in fill().
        let tree = cache::tree(&store);
        let leaf = state.cursor.load(&tree, true).or_raise(index);
        note_read(scan, state, &leaf);
        drop(leaf);
        cache::remember(&tree);
        let sure = |entry: &Key| state.cursor.is_sure(entry);
        for same in state.cursor.batch().chunk_by(|a, b| sure(a) == sure(b)) {
            let recheck = !same.first().is_some_and(sure);
            state.tids.clear();
            state.tids.extend(same.iter().map(item_pointer));
            // SAFETY: a bitmap, and as many TIDs as it is told.
            unsafe {
                pg_sys::tbm_add_tuples(bitmap, state.tids.as_mut_ptr(), same.len() as i32, recheck);
            }
            count += same.len() as i64;
        }
        pgrx::check_for_interrupts!();
    }
    state.cursor.finish(true);
    cache::review(&store);
    count
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
        release(&mut *state);
        let context = (*state).context;
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
    state.mark = Some(state.cursor.mark());
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
    if let Some(mark) = &state.mark {
        state.cursor.restore(mark);
    }
}

/// Whether an index-only scan may read a column from the index. Not on a standby: replay takes no
/// cleanup locks, so a pin there does not keep heap slots from being used again. And not where the
/// entry does not tell -0 from 0.
///
/// # Safety
/// Called by the server with an open index.
#[pg_guard]
pub unsafe extern "C-unwind" fn amcanreturn(index: pg_sys::Relation, _column: i32) -> bool {
    // SAFETY: the index is open; the rest may be asked at any time.
    unsafe { column::column(index).key_type.is_exact() && !pg_sys::RecoveryInProgress() }
}

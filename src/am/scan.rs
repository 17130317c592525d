//! Index scans: the access method's callbacks. `range_scan.rs` does their work.

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::am::range_scan::RangeScan;
use crate::pg::codec::{ColumnCodec, EntryCodec, unknown_word_count};
use crate::pg::index::Index;
use crate::pg::scan_desc::ScanDesc;
use crate::pg::server;
use crate::session::cache;
use crate::write::queue;

/// The state of a scan, by the number of words of its keys.
// Allocated once for each scan, and never moved.
#[allow(clippy::large_enum_variant)]
enum State {
    One(RangeScan<1>),
    Two(RangeScan<2>),
    Three(RangeScan<3>),
    Four(RangeScan<4>),
    Eight(RangeScan<8>),
}

/// Evaluates an expression with the scan of any number of words.
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

impl State {
    fn new(codec: EntryCodec) -> Self {
        match codec.words() {
            1 => Self::One(RangeScan::new(codec)),
            2 => Self::Two(RangeScan::new(codec)),
            3 => Self::Three(RangeScan::new(codec)),
            4 => Self::Four(RangeScan::new(codec)),
            8 => Self::Eight(RangeScan::new(codec)),
            words => unknown_word_count(words),
        }
    }
}

/// The access method's `ambeginscan`: starts a scan that has no range yet.
///
/// # Safety
/// Called by the server with an open index.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambeginscan(
    index: pg_sys::Relation,
    nkeys: i32,
    norderbys: i32,
) -> pg_sys::IndexScanDesc {
    // SAFETY: the server has the index open until the scan ends.
    let index = unsafe { Index::from_raw(index) };
    let codec = cache::codec(index);
    let scan = ScanDesc::new(index, nkeys, norderbys);
    scan.set_state(|| State::new(codec));
    scan.raw()
}

/// The access method's `amrescan`: sets the range of a scan.
///
/// # Safety
/// Called by the server with a scan of ours, and its search keys or null.
#[pg_guard]
pub unsafe extern "C-unwind" fn amrescan(
    scan: pg_sys::IndexScanDesc,
    keys: pg_sys::ScanKey,
    nkeys: i32,
    _orderbys: pg_sys::ScanKey,
    _norderbys: i32,
) {
    // SAFETY: ambeginscan has given the scan this state, and the executor makes one call at a time.
    // The keys are as many as the scan was made for.
    let (scan, state) = unsafe {
        let (scan, state) = ScanDesc::with_state::<State>(scan);
        scan.set_keys(keys, nkeys);
        (scan, state)
    };
    with_scan!(state, range => range.start(scan));
}

/// The access method's `amgettuple`: the next row in a direction. A row that the batch has is
/// returned without pgrx's guard.
///
/// # Safety
/// Called by the server with a scan of ours that has a range.
pub unsafe extern "C-unwind" fn amgettuple(
    scan: pg_sys::IndexScanDesc,
    direction: pg_sys::ScanDirection::Type,
) -> bool {
    let backward = direction == pg_sys::ScanDirection::BackwardScanDirection;
    // SAFETY: ambeginscan has given the scan this state, and the executor makes one call at a time.
    let (desc, state) = unsafe { ScanDesc::with_state::<State>(scan) };
    let found = !desc.is_prior_row_dead()
        && match state {
            // Most indexes. A jump through a table would wait for what it loads.
            State::One(range) => range.next_of_batch(desc, backward),
            _ => next_of_several_words(state, desc, backward),
        };
    // SAFETY: the two references above are not used any more.
    found || unsafe { next(scan, backward) }
}

/// The next row of the batch, for keys of any number of words.
#[inline(never)]
fn next_of_several_words(state: &mut State, scan: &mut ScanDesc, backward: bool) -> bool {
    with_scan!(state, range => range.next_of_batch(scan, backward))
}

/// The next row.
///
/// # Safety
/// As for [`amgettuple`].
#[inline(never)]
#[pg_guard]
unsafe extern "C-unwind" fn next(scan: pg_sys::IndexScanDesc, backward: bool) -> bool {
    // SAFETY: amgettuple has no reference to the scan or its state while it calls this.
    let (scan, state) = unsafe { ScanDesc::with_state::<State>(scan) };
    with_scan!(state, range => range.next(scan, backward))
}

/// The access method's `amgetbitmap`: adds all rows of the range to a bitmap.
///
/// # Safety
/// Called by the server with a scan of ours that has a range, and with a bitmap.
#[pg_guard]
pub unsafe extern "C-unwind" fn amgetbitmap(
    scan: pg_sys::IndexScanDesc,
    bitmap: *mut pg_sys::TIDBitmap,
) -> i64 {
    queue::flush();
    // SAFETY: ambeginscan has given the scan this state, and the executor makes one call at a time.
    let (scan, state) = unsafe { ScanDesc::with_state::<State>(scan) };
    let add = |tids: &mut [pg_sys::ItemPointerData], recheck| {
        // SAFETY: the server's bitmap for this call, and an array with its length.
        unsafe { pg_sys::tbm_add_tuples(bitmap, tids.as_mut_ptr(), tids.len() as i32, recheck) };
    };
    with_scan!(state, range => range.visit_all(scan, add))
}

/// The access method's `amendscan`.
///
/// # Safety
/// Called by the server, once for each scan of ours.
#[pg_guard]
pub unsafe extern "C-unwind" fn amendscan(scan: pg_sys::IndexScanDesc) {
    // SAFETY: ambeginscan has given the scan this state. The references are not used after it is
    // freed.
    unsafe {
        let (desc, state) = ScanDesc::with_state::<State>(scan);
        with_scan!(state, range => range.end(desc));
        ScanDesc::end::<State>(scan);
    }
}

/// The access method's `ammarkpos`: remembers the current row.
///
/// # Safety
/// Called by the server with a scan of ours that has a range.
#[pg_guard]
pub unsafe extern "C-unwind" fn ammarkpos(scan: pg_sys::IndexScanDesc) {
    // SAFETY: ambeginscan has given the scan this state, and the executor makes one call at a time.
    let (_, state) = unsafe { ScanDesc::with_state::<State>(scan) };
    with_scan!(state, range => range.mark());
}

/// The access method's `amrestrpos`: returns to the row that was remembered.
///
/// # Safety
/// Called by the server with a scan of ours that has a range.
#[pg_guard]
pub unsafe extern "C-unwind" fn amrestrpos(scan: pg_sys::IndexScanDesc) {
    // SAFETY: ambeginscan has given the scan this state, and the executor makes one call at a time.
    let (_, state) = unsafe { ScanDesc::with_state::<State>(scan) };
    with_scan!(state, range => range.restore());
}

/// The access method's `amcanreturn`: whether an index-only scan can return a column, counted from
/// 1.
///
/// On a standby it cannot return any: replay takes no cleanup locks, so a pin does not keep heap
/// slots from being reused. Nor can it return a column whose key does not distinguish -0 from 0.
///
/// # Safety
/// Called by the server with an open index.
#[pg_guard]
pub unsafe extern "C-unwind" fn amcanreturn(index: pg_sys::Relation, column: i32) -> bool {
    // SAFETY: the planner has the index open.
    let codec = EntryCodec::of(unsafe { Index::from_raw(index) });
    let at = usize::try_from(column).unwrap_or(0).checked_sub(1);
    let column = at.and_then(|at| codec.columns().get(at));
    !server::is_in_recovery() && column.is_some_and(ColumnCodec::is_exact)
}

//! Parallel scans: the processes take turns to read the next batch.
//!
//! Whose turn it is reads one leaf, and leaves behind where the next one goes on, an entry as ever. All processes have the same keys, hence the
//! same ranges.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};

use learned::cursor::{Cursor, SharedPosition};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// Nobody has begun.
const NEW: u32 = 0;
/// Somebody is reading.
const BUSY: u32 = 1;
/// There is more where [`Common::go_on`] says.
const MORE: u32 = 2;
/// Nothing is left.
const DONE: u32 = 3;

/// What the processes share, in shared memory.
#[repr(C)]
pub struct Common {
    wake: pg_sys::ConditionVariable,
    state: AtomicU32,
    /// A `SharedPosition<W>`. Only who has set the state to [`BUSY`] looks at it.
    go_on: [u64; size_of::<SharedPosition<8>>().div_ceil(8)],
}

impl Common {
    /// What the processes of this scan share; None: it is not a parallel scan.
    ///
    /// # Safety
    /// `scan` is the server's.
    #[inline(always)]
    pub unsafe fn of(scan: &pg_sys::IndexScanDescData) -> Option<*mut Self> {
        if scan.parallel_scan.is_null() {
            return None;
        }
        // SAFETY: the server has reserved what estimate() said, aligned, at this offset.
        unsafe {
            #[cfg(not(feature = "pg18"))]
            let at = (*scan.parallel_scan).ps_offset;
            #[cfg(feature = "pg18")]
            let at = (*scan.parallel_scan).ps_offset_am;
            Some(scan.parallel_scan.cast::<u8>().add(at).cast())
        }
    }

    /// Waits for this process's turn and sets the cursor to where it is to go on; false at the end.
    ///
    /// # Safety
    /// `this` is from [`Common::of`], of a scan of keys of `W` words. No lock is held.
    pub unsafe fn take<const W: usize>(
        this: *mut Self,
        cursor: &mut Cursor<W>,
        forward: bool,
    ) -> bool {
        const { assert!(W <= 8) };
        // SAFETY: the memory lives as long as the scan. The cell is ours once the exchange succeeds, and in the state
        // MORE somebody has written it. No process has anything but the same scan there.
        unsafe {
            let state = &(*this).state;
            let taken = loop {
                let taken = [NEW, MORE].into_iter().find(|from| {
                    state
                        .compare_exchange(*from, BUSY, Ordering::Acquire, Ordering::Relaxed)
                        .is_ok()
                });
                if taken.is_some() || state.load(Ordering::Acquire) == DONE {
                    break taken;
                }
                pg_sys::ConditionVariableSleep(&raw mut (*this).wake, pg_sys::PG_WAIT_EXTENSION);
            };
            pg_sys::ConditionVariableCancelSleep();
            if taken == Some(MORE) {
                cursor.continue_from(
                    &*(&raw const (*this).go_on).cast::<SharedPosition<W>>(),
                    forward,
                );
            }
            taken.is_some()
        }
    }

    /// Lets others go on behind the batch that the cursor has just loaded.
    ///
    /// # Safety
    /// After [`Common::take`].
    pub unsafe fn give<const W: usize>(this: *mut Self, cursor: &Cursor<W>, forward: bool) {
        // SAFETY: as there; the cell has room for a SharedPosition<8>, hence for this.
        unsafe {
            let state = &(*this).state;
            match cursor.shared_position(forward) {
                Some(shared) => {
                    (&raw mut (*this).go_on)
                        .cast::<SharedPosition<W>>()
                        .write(shared);
                    state.store(MORE, Ordering::Release);
                    pg_sys::ConditionVariableSignal(&raw mut (*this).wake);
                }
                None => {
                    state.store(DONE, Ordering::Release);
                    pg_sys::ConditionVariableBroadcast(&raw mut (*this).wake);
                }
            }
        }
    }
}

/// Bytes that the processes of a scan share.
#[cfg(any(feature = "pg15", feature = "pg16"))]
#[pg_guard]
pub unsafe extern "C-unwind" fn amestimateparallelscan() -> pg_sys::Size {
    size_of::<Common>()
}

/// Bytes that the processes of a scan share.
#[cfg(feature = "pg17")]
#[pg_guard]
pub unsafe extern "C-unwind" fn amestimateparallelscan(_keys: i32, _orderbys: i32) -> pg_sys::Size {
    size_of::<Common>()
}

/// Bytes that the processes of a scan share.
#[cfg(feature = "pg18")]
#[pg_guard]
pub unsafe extern "C-unwind" fn amestimateparallelscan(
    _index: pg_sys::Relation,
    _keys: i32,
    _orderbys: i32,
) -> pg_sys::Size {
    size_of::<Common>()
}

/// Prepares what the processes share.
///
/// # Safety
/// Called by the server with so many bytes of shared memory.
#[pg_guard]
pub unsafe extern "C-unwind" fn aminitparallelscan(target: *mut c_void) {
    let common = target.cast::<Common>();
    // SAFETY: the memory is there, aligned for any type; zeroes are a valid value of all fields.
    unsafe {
        common.write_bytes(0, 1);
        pg_sys::ConditionVariableInit(&raw mut (*common).wake);
    }
}

/// Begins anew.
///
/// # Safety
/// Called by the server with a parallel scan, whose processes have ended.
#[pg_guard]
pub unsafe extern "C-unwind" fn amparallelrescan(scan: pg_sys::IndexScanDesc) {
    // SAFETY: the scan is the server's.
    unsafe {
        if let Some(common) = Common::of(&*scan) {
            (*common).state.store(NEW, Ordering::Release);
        }
    }
}

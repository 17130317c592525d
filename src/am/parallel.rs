//! Parallel scans: the processes take turns at reading the next batch.
//!
//! The process whose turn it is reads one leaf. It leaves behind where the next process continues:
//! at an entry, as every scan does. All processes have the same search keys, hence the same ranges.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use learned::cursor::{Cursor, SharedPosition};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::pg::scan_desc::ScanDesc;

/// No process has begun.
const NEW: u32 = 0;
/// A process is reading.
const BUSY: u32 = 1;
/// There is more, from [`SharedScan::position`] on.
const MORE: u32 = 2;
/// Nothing is left.
const DONE: u32 = 3;

/// What the processes have in shared memory.
#[repr(C)]
struct SharedScan {
    wake: pg_sys::ConditionVariable,
    state: AtomicU32,
    /// A `SharedPosition<W>`. Only the process that has set the state to [`BUSY`] uses it.
    position: [u64; size_of::<SharedPosition<8>>().div_ceil(8)],
}

/// A process's part in a parallel scan with keys of `W` words.
#[derive(Clone, Copy)]
pub struct ParallelScan<const W: usize>(NonNull<SharedScan>);

/// The turn of this process.
pub struct Turn<const W: usize>(NonNull<SharedScan>);

impl<const W: usize> ParallelScan<W> {
    /// None if the scan is not parallel.
    ///
    /// # Safety
    /// The keys of the scan's index have `W` words.
    #[inline(always)]
    pub unsafe fn of(scan: &ScanDesc) -> Option<Self> {
        const { assert!(size_of::<SharedPosition<W>>() <= size_of::<SharedPosition<8>>()) };
        scan.shared()
            .and_then(|shared| NonNull::new(shared.cast()))
            .map(Self)
    }

    /// Waits for this process's turn, and sets the cursor to where the scan continues. None at the
    /// end of the scan. No page is locked.
    pub fn wait_for_turn(self, cursor: &mut Cursor<W>, forward: bool) -> Option<Turn<W>> {
        let shared = self.0.as_ptr();
        // SAFETY: aminitparallelscan has initialized the memory, which lives as long as the scan.
        // The position is this process's alone once the exchange has succeeded. In the state MORE a
        // process of the same scan has written it.
        unsafe {
            let state = &(*shared).state;
            let taken = loop {
                let taken = [NEW, MORE].into_iter().find(|from| {
                    state
                        .compare_exchange(*from, BUSY, Ordering::Acquire, Ordering::Relaxed)
                        .is_ok()
                });
                if taken.is_some() || state.load(Ordering::Acquire) == DONE {
                    break taken;
                }
                let wake = &raw mut (*shared).wake;
                pg_sys::ConditionVariableSleep(wake, pg_sys::PG_WAIT_EXTENSION);
            };
            pg_sys::ConditionVariableCancelSleep();
            if taken == Some(MORE) {
                let position = (&raw const (*shared).position).cast::<SharedPosition<W>>();
                cursor.continue_from(&*position, forward);
            }
            taken.map(|_| Turn(self.0))
        }
    }
}

impl<const W: usize> Turn<W> {
    /// Lets the other processes continue behind the batch that the cursor has just loaded.
    pub fn pass_on(self, cursor: &Cursor<W>, forward: bool) {
        let shared = self.0.as_ptr();
        // SAFETY: it is this process's turn, so the position is its own until the state changes. It
        // has room for a SharedPosition<8>, which is the largest.
        unsafe {
            let state = &(*shared).state;
            match cursor.shared_position(forward) {
                Some(position) => {
                    (&raw mut (*shared).position)
                        .cast::<SharedPosition<W>>()
                        .write(position);
                    state.store(MORE, Ordering::Release);
                    pg_sys::ConditionVariableSignal(&raw mut (*shared).wake);
                }
                None => {
                    state.store(DONE, Ordering::Release);
                    pg_sys::ConditionVariableBroadcast(&raw mut (*shared).wake);
                }
            }
        }
    }
}

/// The access method's `amestimateparallelscan`: bytes of shared memory of a scan.
#[cfg(any(feature = "pg15", feature = "pg16"))]
#[pg_guard]
pub extern "C-unwind" fn amestimateparallelscan() -> pg_sys::Size {
    size_of::<SharedScan>()
}

/// The access method's `amestimateparallelscan`: bytes of shared memory of a scan.
#[cfg(feature = "pg17")]
#[pg_guard]
pub extern "C-unwind" fn amestimateparallelscan(_keys: i32, _orderbys: i32) -> pg_sys::Size {
    size_of::<SharedScan>()
}

/// The access method's `amestimateparallelscan`: bytes of shared memory of a scan.
#[cfg(feature = "pg18")]
#[pg_guard]
pub extern "C-unwind" fn amestimateparallelscan(
    _index: pg_sys::Relation,
    _keys: i32,
    _orderbys: i32,
) -> pg_sys::Size {
    size_of::<SharedScan>()
}

/// The access method's `aminitparallelscan`: initializes the shared memory of a scan.
///
/// # Safety
/// Called by the server with as many bytes as `amestimateparallelscan` has returned.
#[pg_guard]
pub unsafe extern "C-unwind" fn aminitparallelscan(target: *mut c_void) {
    let shared = target.cast::<SharedScan>();
    // SAFETY: the memory is aligned for any type. Zeros are valid values of all fields.
    unsafe {
        shared.write_bytes(0, 1);
        pg_sys::ConditionVariableInit(&raw mut (*shared).wake);
    }
}

/// The access method's `amparallelrescan`: the scan starts again.
///
/// # Safety
/// Called by the server with a parallel scan of ours, whose processes have ended.
#[pg_guard]
pub unsafe extern "C-unwind" fn amparallelrescan(scan: pg_sys::IndexScanDesc) {
    // SAFETY: the scan's shared memory is a SharedScan, and no process uses it now.
    unsafe {
        if let Some(shared) = ScanDesc::from_raw(scan).shared() {
            let shared = shared.cast::<SharedScan>();
            (*shared).state.store(NEW, Ordering::Release);
        }
    }
}

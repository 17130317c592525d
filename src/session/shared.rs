//! Memory that all sessions share: where the server gives it on demand (PostgreSQL 17 and later), or where the library is
//! in `shared_preload_libraries`.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use learned::tree::SharedSearchCounts;
use pgrx::prelude::*;
use pgrx::shmem::AssertPGRXSharedMemory;
use pgrx::{PgAtomic, pg_shmem_init, pg_sys};

use crate::options;

static PRELOADED: PgAtomic<AssertPGRXSharedMemory<SharedSearchCounts>> = {
    // SAFETY: the name is this extension's.
    unsafe { PgAtomic::new(c"omendb counters") }
};
static IS_PRELOADED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// None: not looked for yet.
    static TALLY: Cell<Option<Option<&'static SharedSearchCounts>>> = const { Cell::new(None) };
}

fn empty() -> AssertPGRXSharedMemory<SharedSearchCounts> {
    // SAFETY: it consists of atomic integers, without references.
    unsafe { AssertPGRXSharedMemory::new(SharedSearchCounts::default()) }
}

/// Asks for the memory. Called when the library is loaded.
// The macro knows servers that are not supported here.
#[allow(unexpected_cfgs)]
pub fn register() {
    // SAFETY: a variable of the server.
    if unsafe { pg_sys::process_shared_preload_libraries_in_progress } {
        pg_shmem_init!(PRELOADED = empty());
        IS_PRELOADED.store(true, Relaxed);
    }
}

/// The counters of all sessions, if there is memory for them. Called when nothing is locked.
#[inline]
pub fn tally() -> Option<&'static SharedSearchCounts> {
    TALLY.get().unwrap_or_else(look)
}

#[cold]
fn look() -> Option<&'static SharedSearchCounts> {
    // The memory that is had on demand is not to be what a query fails of: workers do without it, and so may sessions.
    // SAFETY: a variable of the server.
    let worker = unsafe { pg_sys::ParallelWorkerNumber } >= 0;
    if !IS_PRELOADED.load(Relaxed) && (worker || !options::shared_counters()) {
        return None;
    }
    // Where the server raises an error for want of memory, it is not asked again.
    TALLY.set(Some(None));
    let tally = if IS_PRELOADED.load(Relaxed) {
        let tally: &'static AssertPGRXSharedMemory<SharedSearchCounts> = PRELOADED.get();
        Some(&**tally)
    } else {
        on_demand()
    };
    TALLY.set(Some(tally));
    tally
}

#[cfg(any(feature = "pg15", feature = "pg16"))]
const fn on_demand() -> Option<&'static SharedSearchCounts> {
    None
}

#[cfg(not(any(feature = "pg15", feature = "pg16")))]
fn on_demand() -> Option<&'static SharedSearchCounts> {
    /// Called once for the segment, before any other session knows it.
    unsafe extern "C-unwind" fn init(memory: *mut std::ffi::c_void) {
        // SAFETY: as many bytes as were asked for.
        unsafe { memory.write_bytes(0, size_of::<SharedSearchCounts>()) };
    }
    // A library of another version may have made the segment of another size, which is an error.
    const NAME: &std::ffi::CStr = c"omendb counters 1";
    let mut found = false;
    // SAFETY: the segment stays mapped until the session ends. It begins on a page, and zeroes are an empty
    // tally, of atomic integers only.
    unsafe {
        let size = size_of::<SharedSearchCounts>();
        pg_sys::GetNamedDSMSegment(NAME.as_ptr(), size, Some(init), &raw mut found)
            .cast::<SharedSearchCounts>()
            .as_ref()
    }
}

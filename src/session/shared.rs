//! The memory in which all sessions count together. The server provides it on demand (PostgreSQL 17
//! and later), or if the library is in `shared_preload_libraries`.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use learned::tree::SharedSearchCounts;
use pgrx::prelude::*;
use pgrx::shmem::AssertPGRXSharedMemory;
use pgrx::{PgAtomic, pg_shmem_init, pg_sys};

use crate::options;
use crate::pg::server;

static PRELOADED: PgAtomic<AssertPGRXSharedMemory<SharedSearchCounts>> = {
    // SAFETY: the name is this extension's, and is used once.
    unsafe { PgAtomic::new(c"omendb counters") }
};
static IS_PRELOADED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// None before the first call of [`tally`]; Some(None) if there is no shared memory.
    static TALLY: Cell<Option<Option<&'static SharedSearchCounts>>> = const { Cell::new(None) };
}

fn empty() -> AssertPGRXSharedMemory<SharedSearchCounts> {
    // SAFETY: a SharedSearchCounts consists of atomic integers, without references.
    unsafe { AssertPGRXSharedMemory::new(SharedSearchCounts::default()) }
}

/// Requests the memory if the library is being preloaded. Called when the library is loaded.
// The macro has code for servers that are not supported here.
#[allow(unexpected_cfgs)]
pub fn register() {
    // SAFETY: a variable of the server, which is set before libraries are loaded.
    if unsafe { pg_sys::process_shared_preload_libraries_in_progress } {
        pg_shmem_init!(PRELOADED = empty());
        IS_PRELOADED.store(true, Relaxed);
    }
}

/// The counters of all sessions, if there is memory for them. Nothing is locked.
#[inline]
pub fn tally() -> Option<&'static SharedSearchCounts> {
    TALLY.get().unwrap_or_else(find_tally)
}

#[cold]
fn find_tally() -> Option<&'static SharedSearchCounts> {
    // A query must not fail because there is no memory on demand. So workers do without it, and
    // sessions can be told to.
    let worker = server::is_parallel_worker();
    if !IS_PRELOADED.load(Relaxed) && (worker || !options::shared_counters()) {
        return None;
    }
    // If the server raises an ERROR because it has no memory, it is not asked again.
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
    /// Called once for the segment, before any other session can find it.
    unsafe extern "C-unwind" fn init(memory: *mut std::ffi::c_void) {
        // SAFETY: the segment has at least as many bytes as were requested.
        unsafe { memory.write_bytes(0, size_of::<SharedSearchCounts>()) };
    }
    // If a library of another version has made the segment, of another size, the server raises an
    // ERROR.
    const NAME: &std::ffi::CStr = c"omendb counters 1";
    let mut found = false;
    // SAFETY: the segment stays mapped until the session ends, and begins on a page. Zeros are an
    // empty tally, which consists of atomic integers.
    unsafe {
        let size = size_of::<SharedSearchCounts>();
        pg_sys::GetNamedDSMSegment(NAME.as_ptr(), size, Some(init), &raw mut found)
            .cast::<SharedSearchCounts>()
            .as_ref()
    }
}

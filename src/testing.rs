//! Stops in the middle of changes, for tests/races.sh. Only in builds with the feature `testing`.
//!
//! `SET omendb.stop = 'split: logged'` makes a backend wait there while another session holds
//! `pg_advisory_lock(0)`. It keeps its page locks meanwhile, as a slow backend would.

use std::ffi::CString;

use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

static STOP: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// Registers the setting.
pub fn register() {
    GucRegistry::define_string_guc(
        c"omendb.stop",
        c"Step of a change at which to wait for pg_advisory_lock(0)",
        c"",
        &STOP,
        GucContext::Userset,
        GucFlags::default(),
    );
}

/// Waits if `step` is the one where this session is to stop.
pub fn stop(step: &str) {
    if STOP
        .get()
        .is_none_or(|stop| stop.to_bytes() != step.as_bytes())
    {
        return;
    }
    lock(STOPPED, pg_sys::ExclusiveLock);
    lock(GO, pg_sys::ShareLock);
    unlock(GO, pg_sys::ShareLock);
    unlock(STOPPED, pg_sys::ExclusiveLock);
}

/// Waits while a stopped session has `buffer` locked (or pinned, where all pins count). Of waits for
/// page locks the isolation tester knows nothing; this one it sees.
///
/// # Safety
/// The buffer is pinned.
pub unsafe fn let_stopped(buffer: pg_sys::Buffer, pins: bool) {
    // SAFETY: the caller's contract.
    unsafe {
        let free = if pins {
            pg_sys::ConditionalLockBufferForCleanup(buffer)
        } else {
            pg_sys::ConditionalLockBuffer(buffer)
        };
        if free {
            pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_UNLOCK as i32);
            return;
        }
    }
    lock(STOPPED, pg_sys::ShareLock);
    unlock(STOPPED, pg_sys::ShareLock);
}

/// Advisory lock that holds stopped sessions up.
const GO: u32 = 0;
/// Advisory lock that a stopped session has.
const STOPPED: u32 = 1;

/// The tag of `pg_advisory_lock(number)` in this database.
fn tag(number: u32) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: set once when the backend starts.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: 0,
        locktag_field3: number,
        locktag_field4: 1,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

fn lock(number: u32, mode: u32) {
    // SAFETY: a valid tag. While page locks are held the wait cannot be cancelled, which tests put
    // up with.
    unsafe { pg_sys::LockAcquire(&tag(number), mode as pg_sys::LOCKMODE, false, false) };
}

fn unlock(number: u32, mode: u32) {
    // SAFETY: locked by lock().
    unsafe { pg_sys::LockRelease(&tag(number), mode as pg_sys::LOCKMODE, false) };
}

/// Makes the free space map offer a page, as one from before a crash may do.
#[pg_extern(sql = false)] // tests/races.sh declares it.
fn omendb_offer_page(index: Oid, block: i64) {
    // SAFETY: the index is locked while it is open, and whoever is offered the page looks at it.
    unsafe {
        let lock = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
        let index = pg_sys::index_open(index, lock);
        pg_sys::RecordFreeIndexPage(index, block as u32);
        pg_sys::IndexFreeSpaceMapVacuum(index);
        pg_sys::index_close(index, lock);
    }
}

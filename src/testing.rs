//! Stops in the middle of changes, for tests/races.sh. Only in builds with the feature `testing`.
//!
//! `SET omendb.stop = 'split: logged'` makes a backend wait at that step while another session
//! holds `pg_advisory_lock(0)`. The backend keeps its page locks meanwhile, as a slow backend
//! would.

use std::ffi::CString;

use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::pg::server;

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

/// Waits if `step` is the one at which this session stops.
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

/// Waits while a stopped session has `buffer` locked, or with `pins`, while it has it locked or
/// pinned. The isolation tester does not see waits for page locks, but it sees this one.
///
/// # Safety
/// The buffer is pinned by this backend.
pub unsafe fn wait_for_stopped(buffer: pg_sys::Buffer, pins: bool) {
    // SAFETY: a pinned buffer may be locked. It is unlocked at once.
    unsafe {
        let is_free = if pins {
            pg_sys::ConditionalLockBufferForCleanup(buffer)
        } else {
            pg_sys::ConditionalLockBuffer(buffer)
        };
        if is_free {
            pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_UNLOCK as i32);
            return;
        }
    }
    lock(STOPPED, pg_sys::ShareLock);
    unlock(STOPPED, pg_sys::ShareLock);
}

/// The advisory lock on which a stopped session waits.
const GO: u32 = 0;
/// The advisory lock that a stopped session holds.
const STOPPED: u32 = 1;

/// The tag of `pg_advisory_lock(number)` in this database.
fn tag(number: u32) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        locktag_field1: server::database().to_u32(),
        locktag_field2: 0,
        locktag_field3: number,
        locktag_field4: 1,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

fn lock(number: u32, mode: u32) {
    // SAFETY: a valid tag. While page locks are held the wait cannot be cancelled; the tests do not
    // need that.
    unsafe { pg_sys::LockAcquire(&tag(number), mode as pg_sys::LOCKMODE, false, false) };
}

fn unlock(number: u32, mode: u32) {
    // SAFETY: a valid tag; lock() has locked it.
    unsafe { pg_sys::LockRelease(&tag(number), mode as pg_sys::LOCKMODE, false) };
}

/// Makes the free space map offer a page, as a map from before a crash may do.
#[pg_extern(sql = false)] // tests/races.sh declares it.
fn omendb_offer_page(index: Oid, block: i64) {
    // SAFETY: the index is locked while it is open. A page that the map offers is checked before it
    // is reused.
    unsafe {
        let lock = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
        let index = pg_sys::index_open(index, lock);
        pg_sys::RecordFreeIndexPage(index, block as u32);
        pg_sys::IndexFreeSpaceMapVacuum(index);
        pg_sys::index_close(index, lock);
    }
}

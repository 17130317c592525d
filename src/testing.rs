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
    if !STOP
        .get()
        .is_some_and(|stop| stop.to_bytes() == step.as_bytes())
    {
        return;
    }
    // SAFETY: the tag is that of pg_advisory_lock(0) in this database. While page locks are held
    // the wait cannot be cancelled, which tests put up with.
    unsafe {
        let tag = pg_sys::LOCKTAG {
            locktag_field1: pg_sys::MyDatabaseId.to_u32(),
            locktag_field2: 0,
            locktag_field3: 0,
            locktag_field4: 1,
            locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
            locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
        };
        let mode = pg_sys::ShareLock as pg_sys::LOCKMODE;
        pg_sys::LockAcquire(&raw const tag, mode, true, false);
        pg_sys::LockRelease(&raw const tag, mode, true);
    }
}

/// Makes the free space map offer a page, as one from before a crash may do.
#[pg_extern]
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

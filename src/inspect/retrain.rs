//! `omendb_retrain`: a new model by hand.

use learned::Tree;
use learned::page::META;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use super::Opened;
use crate::error::{OrRaise, raise};
use crate::pg::codec::{EntryCodec, for_words};
use crate::pg::ffi::now_micros;
use crate::storage::IndexStore;

#[pg_extern(sql = false)]
fn omendb_retrain(index: Oid) {
    // SAFETY: reads the server's state.
    if unsafe { pg_sys::RecoveryInProgress() } {
        raise(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "recovery is in progress",
            Some("Models cannot be trained during recovery."),
        );
    }
    let opened = Opened::to_change(index, pg_sys::RowExclusiveLock);
    let index = opened.index;
    // SAFETY: the index is open. The page lock keeps other trainers out; it is given back here or
    // by transaction abort. The invalidation makes all sessions look at the new model.
    unsafe {
        let store = IndexStore::new(index, EntryCodec::of(index).words());
        let lock = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        pg_sys::LockPage(index, META, lock);
        for_words!(store.words(), retrain(&store)).or_raise(index);
        pg_sys::UnlockPage(index, META, lock);
        pg_sys::IndexFreeSpaceMapVacuum(index);
        pg_sys::CacheInvalidateRelcache(index);
    }
    opened.close();
}

fn retrain<const W: usize>(store: &IndexStore) -> learned::Result<()> {
    Tree::<_, W>::new(store).retrain(now_micros())
}

//! `omendb_retrain`: trains a new model.

use learned::Tree;
use learned::page::META;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use super::with_index_to_change;
use crate::error::{OrRaise, raise};
use crate::pg::codec::{EntryCodec, for_words};
use crate::pg::ffi::now_micros;
use crate::pg::server;
use crate::storage::IndexStore;

#[pg_extern(sql = false)]
fn omendb_retrain(index: Oid) {
    if server::is_in_recovery() {
        raise(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "recovery is in progress",
            Some("Models cannot be trained during recovery."),
        );
    }
    with_index_to_change(index, pg_sys::RowExclusiveLock, |index, _| {
        let store = IndexStore::new(index, EntryCodec::of(index).words());
        // The lock keeps other sessions from training meanwhile.
        index.with_page_lock(META, || {
            for_words!(store.words(), retrain(&store)).or_raise(index);
        });
        index.vacuum_free_space_map();
        // All sessions load the new model.
        index.invalidate();
    });
}

fn retrain<const W: usize>(store: &IndexStore) -> learned::Result<()> {
    Tree::<_, W>::new(store).retrain(now_micros())
}

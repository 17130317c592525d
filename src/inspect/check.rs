//! `omendb_check`: whether an index keeps its invariants, and has every row of its table.

use learned::Tree;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use super::with_index;
use crate::error::{OrRaise, corrupted, raise};
use crate::pg::build::scan_for_check;
use crate::pg::codec::{EntryCodec, for_words, tid_of};
use crate::pg::index::Index;
use crate::pg::server;
use crate::pg::table::Table;
use crate::session::cache;
use crate::storage::IndexStore;

#[pg_extern(sql = false)]
fn omendb_check(index: Oid, heapallindexed: bool) {
    // Levels of the tree are compared with each other, so writers have to wait. A standby has no
    // such lock: there, replay should be paused during the check.
    let lock = match server::is_in_recovery() {
        true => pg_sys::AccessShareLock,
        false => pg_sys::ShareLock,
    };
    with_index(index, lock, |index, table| {
        if !index.is_valid() {
            raise(
                PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!(
                    "cannot check index \"{}\" because it is not valid",
                    index.name()
                ),
                Some("Drop the index and create it again."),
            );
        }
        let codec = EntryCodec::of(index);
        for_words!(codec.words(), check(index, table, &codec, heapallindexed));
    });
}

fn check<const W: usize>(index: Index, table: Table, codec: &EntryCodec, heapallindexed: bool) {
    let store = IndexStore::new(index, W);
    let tree = Tree::<_, W>::new(&store);
    cache::check_descriptor(index, codec, &tree.meta().or_raise(index));
    tree.verify(&mut |_| ()).or_raise(index);
    if heapallindexed {
        // The scan may call functions of index expressions.
        server::as_user(table.owner(), || check_rows::<W>(index, table, codec));
    }
}

/// Searches the index for each row that a new snapshot sees.
fn check_rows<const W: usize>(index: Index, table: Table, codec: &EntryCodec) {
    let store = IndexStore::new(index, W);
    let tree = Tree::<_, W>::new(&store);
    scan_for_check(table, index, codec, |row| {
        let entry = row.entry();
        let leaf = tree.find(&entry).or_raise(index);
        let block = learned::store::Guard::block(&leaf);
        let view = learned::leaf::Leaf::<W>::open(&leaf, block).or_raise(index);
        if !view.contains(&entry).or_raise(index) {
            let (row_block, row_offset) = tid_of(&entry);
            let fault = format!("block {block}: no entry for row ({row_block},{row_offset})");
            corrupted(index, &fault);
        }
    });
}

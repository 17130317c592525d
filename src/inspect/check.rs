//! `omendb_check`: whether an index keeps its invariants and has every row of its table.

use std::ffi::c_void;

use learned::Tree;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use super::Opened;
use crate::error::{OrRaise, corrupted, name, raise};
use crate::pg::codec::{EntryCodec, for_words, tid_of};
use crate::pg::ffi;
use crate::session::cache;
use crate::storage::IndexStore;

#[pg_extern(sql = false)]
fn omendb_check(index: Oid, heapallindexed: bool) {
    // Levels are compared with each other, so writers have to wait. A standby has no such lock:
    // there replay should be paused meanwhile.
    // SAFETY: reads the server's state.
    let lock = match unsafe { pg_sys::RecoveryInProgress() } {
        true => pg_sys::AccessShareLock,
        false => pg_sys::ShareLock,
    };
    let opened = Opened::new(index, lock);
    let index = opened.index;
    // SAFETY: the index is open.
    let columns = unsafe {
        if !(*(*index).rd_index).indisvalid {
            let code = PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
            let message = format!("cannot check index \"{}\": it is not valid", name(index));
            raise(code, message, Some("Drop the index and create it anew."));
        }
        EntryCodec::of(index)
    };
    for_words!(columns.words(), check(&opened, &columns, heapallindexed));
    opened.close();
}

fn check<const W: usize>(opened: &Opened, columns: &EntryCodec, heapallindexed: bool) {
    let index = opened.index;
    // SAFETY: the index is open.
    let store = unsafe { IndexStore::new(index, W) };
    let tree = Tree::<_, W>::new(&store);
    cache::check_descriptor(index, columns, &tree.meta().or_raise(index));
    tree.verify(&mut |_| ()).or_raise(index);
    if heapallindexed {
        as_owner(opened.heap, || check_rows::<W>(opened, columns));
    }
}

/// What [`check_row`] needs.
struct Search<'a, const W: usize> {
    tree: Tree<'a, IndexStore, W>,
    columns: &'a EntryCodec,
    index: pg_sys::Relation,
}

/// Searches the index for each row that a new snapshot sees.
fn check_rows<const W: usize>(opened: &Opened, columns: &EntryCodec) {
    let &Opened { heap, index, .. } = opened;
    // SAFETY: both relations are open. The scan ends itself. A registered snapshot of our own
    // makes the scan look for what an index search with it should find; "concurrent" says so.
    unsafe {
        let store = IndexStore::new(index, W);
        let tree = Tree::<_, W>::new(&store);
        let mut search = Search {
            tree,
            columns,
            index,
        };
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let info = pg_sys::BuildIndexInfo(index);
        (*info).ii_Concurrent = true;
        (*info).ii_Unique = false;
        (*info).ii_ExclusionOps = std::ptr::null_mut();
        (*info).ii_ExclusionProcs = std::ptr::null_mut();
        (*info).ii_ExclusionStrats = std::ptr::null_mut();
        let scan = ffi::table_beginscan_strat(heap, snapshot);
        let state = (&raw mut search).cast();
        ffi::table_index_build_scan(heap, index, info, false, Some(check_row::<W>), state, scan);
        pg_sys::UnregisterSnapshot(snapshot);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn check_row<const W: usize>(
    _index: pg_sys::Relation,
    tid: pg_sys::ItemPointer,
    values: *mut pg_sys::Datum,
    isnull: *mut bool,
    _alive: bool,
    state: *mut c_void,
) {
    // SAFETY: the scan passes on the state given to it, and each column's value.
    unsafe {
        let search = &*state.cast::<Search<'_, W>>();
        let entry = search.columns.entry(values, isnull, tid);
        let leaf = search.tree.find(&entry).or_raise(search.index);
        let block = learned::store::Guard::block(&leaf);
        let view = learned::leaf::Leaf::<W>::open(&leaf, block).or_raise(search.index);
        if !view.contains(&entry).or_raise(search.index) {
            let (row_block, row_offset) = tid_of(&entry);
            let fault = format!("block {block}: no entry for row ({row_block},{row_offset})");
            corrupted(search.index, &fault);
        }
    }
}

/// Runs `work`, which may call functions of index expressions, as the table's owner, so that they
/// cannot do what only the caller may.
fn as_owner(heap: pg_sys::Relation, work: impl FnOnce()) {
    let (mut user, mut context) = (pg_sys::InvalidOid, 0);
    // SAFETY: the table is open. After an ERROR the transaction's abort restores all of this.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&raw mut user, &raw mut context);
        let restricted = context | pg_sys::SECURITY_RESTRICTED_OPERATION as i32;
        pg_sys::SetUserIdAndSecContext((*(*heap).rd_rel).relowner, restricted);
        let level = pg_sys::NewGUCNestLevel();
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        pg_sys::RestrictSearchPath();
        work();
        pg_sys::AtEOXact_GUC(false, level);
        pg_sys::SetUserIdAndSecContext(user, context);
    }
}

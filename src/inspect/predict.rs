//! `omendb_predict`: where the model expects a key, where it is, and what the search for it costs.

use learned::store::Guard;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use super::Opened;
use crate::error::{OrRaise, raise};
use crate::pg::codec::text;
use crate::pg::codec::{EntryCodec, for_words};
use crate::session::cache;
use crate::storage::IndexStore;

type PredictionRow = (
    Option<i64>,
    Option<i32>,
    Option<i32>,
    Option<i64>,
    Option<i64>,
    i64,
    i64,
);

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn omendb_predict(
    index: Oid,
    keys: Array<'_, &str>,
) -> TableIterator<
    'static,
    (
        name!(leaf, Option<i64>),
        name!(below, Option<i32>),
        name!(above, Option<i32>),
        name!(block, Option<i64>),
        name!(actual_leaf, Option<i64>),
        name!(actual_block, i64),
        name!(pages, i64),
    ),
> {
    let opened = Opened::new(index, pg_sys::AccessShareLock);
    let index = opened.index;
    // SAFETY: the index is open.
    let columns = unsafe { EntryCodec::of(index) };
    let count = columns.keys().len();
    if keys.len() != count {
        raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("{} values for an index of {count} key columns", keys.len()),
            None,
        );
    }
    let row = for_words!(columns.words(), predict(index, &columns, &keys));
    opened.close();
    TableIterator::once(row)
}

fn predict<const W: usize>(
    index: pg_sys::Relation,
    columns: &EntryCodec,
    keys: &Array<'_, &str>,
) -> PredictionRow {
    // SAFETY: the index is open.
    let (entry, store) = unsafe {
        let entry = text::to_entry::<W>(index, columns, keys.iter());
        (entry, IndexStore::new(index, W))
    };
    let tree = cache::tree::<W>(&store);
    let guess = tree.predict(&entry.key).or_raise(index);
    let before = pages_read();
    let leaf = tree.find(&entry).or_raise(index);
    let pages = pages_read() - before;
    let actual = leaf.block();
    drop(leaf);
    cache::remember(&tree);
    let known = tree.model().and_then(|model| model.ordinal(actual));
    (
        guess.map(|(leaf, _)| leaf.ordinal.into()),
        guess.map(|(leaf, _)| leaf.below as i32),
        guess.map(|(leaf, _)| leaf.above as i32),
        guess.map(|(_, block)| block.into()),
        known.map(i64::from),
        actual.into(),
        pages,
    )
}

/// Pages that this backend has read so far, from memory or disk.
fn pages_read() -> i64 {
    // SAFETY: the backend's own counters.
    unsafe {
        let usage = &raw const pg_sys::pgBufferUsage;
        (*usage).shared_blks_hit
            + (*usage).shared_blks_read
            + (*usage).local_blks_hit
            + (*usage).local_blks_read
    }
}

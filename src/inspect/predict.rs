//! `omendb_predict`: where the model expects a key, where it is, and what the search for it costs.

use learned::store::Guard;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use super::with_index;
use crate::error::{OrRaise, raise};
use crate::pg::codec::{EntryCodec, for_words, text};
use crate::pg::index::Index;
use crate::pg::server::pages_read;
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
    TableIterator::once(with_index(index, pg_sys::AccessShareLock, |index, _| {
        let codec = EntryCodec::of(index);
        let count = codec.keys().len();
        if keys.len() != count {
            raise(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!(
                    "wrong number of key values: {} for {count} key columns",
                    keys.len()
                ),
                Some("Pass one value for each key column of the index."),
            );
        }
        for_words!(codec.words(), predict(index, &keys))
    }))
}

fn predict<const W: usize>(index: Index, keys: &Array<'_, &str>) -> PredictionRow {
    let entry = text::to_entry::<W>(index, keys.iter());
    let store = IndexStore::new(index, W);
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

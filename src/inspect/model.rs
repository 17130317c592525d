//! `omendb_model`: the segments of an index's model, one row each.

use learned::model::Loaded;
use learned::store::Store;
use learned::{Entry, Tree};
use pgrx::AnyNumeric;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use super::with_index;
use crate::error::OrRaise;
use crate::pg::codec::{EntryCodec, for_words, text};
use crate::pg::index::Index;
use crate::storage::IndexStore;

type SegmentRow = (
    Option<i64>,
    i32,
    i64,
    Option<Vec<Option<String>>>,
    AnyNumeric,
    f64,
    f64,
    i32,
    i32,
    i64,
    i64,
    bool,
);

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn omendb_model(
    index: Oid,
) -> TableIterator<
    'static,
    (
        name!(part, Option<i64>),
        name!(stage, i32),
        name!(segment, i64),
        name!(first_key, Option<Vec<Option<String>>>),
        name!(coordinate, AnyNumeric),
        name!(slope, f64),
        name!(intercept, f64),
        name!(below, i32),
        name!(above, i32),
        name!(position, i64),
        name!(positions, i64),
        name!(searched, bool),
    ),
> {
    TableIterator::new(with_index(index, pg_sys::AccessShareLock, |index, _| {
        for_words!(EntryCodec::of(index).words(), rows(index))
    }))
}

fn rows<const W: usize>(index: Index) -> Vec<SegmentRow> {
    let store = IndexStore::new(index, W);
    let bytes = Tree::<_, W>::new(&store).load_model().or_raise(index);
    let mut rows = Vec::new();
    let Some(model) = bytes.as_deref().and_then(Loaded::open) else {
        return rows;
    };
    let divided = model.root().part_leaves() > 0;
    let root = divided.then_some((None, 0, *model.root()));
    let pieces = model.pieces().zip(0i64..);
    let pieces = pieces.map(|((first, piece), i)| (divided.then_some(i), first, piece));
    for (part, first_leaf, piece) in root.into_iter().chain(pieces) {
        let above = match part {
            Some(_) => model.root().stages(),
            None => 0,
        };
        let last = piece.stages().saturating_sub(1);
        for stage in 0..piece.stages() {
            for i in 0..piece.stage_segments(stage) {
                store.interrupt();
                let Some(segment) = piece.segment(stage, i) else {
                    continue;
                };
                // The first segment begins at minus infinity, for which there is no key.
                let key = piece.key_at::<W>(segment.first_x).filter(|_| i > 0);
                let key = key.map(|key| text::of_entry(index, &Entry::floor(key)));
                let base = if stage == last { first_leaf } else { 0 };
                rows.push((
                    part,
                    (above + stage) as i32,
                    i as i64,
                    key,
                    segment.first_x.into(),
                    segment.slope,
                    segment.intercept,
                    segment.below as i32,
                    segment.above as i32,
                    i64::from(base) + i64::from(segment.first),
                    segment.covered.into(),
                    segment.search_tree,
                ));
            }
        }
    }
    rows
}

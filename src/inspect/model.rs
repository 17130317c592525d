//! `omendb_model`: the segments of an index's model, one row each.

use learned::model::Loaded;
use learned::store::Store;
use learned::{Entry, Tree};
use pgrx::AnyNumeric;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use super::Opened;
use crate::error::OrRaise;
use crate::pg::columns::{Columns, for_words};
use crate::pg::text;
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
#[pg_extern(sql = "
CREATE FUNCTION omendb_model(index regclass, OUT part bigint, OUT stage integer, OUT segment bigint, OUT first_key text[],
        OUT coordinate numeric, OUT slope double precision, OUT intercept double precision,
        OUT below integer, OUT above integer, OUT \"position\" bigint, OUT positions bigint,
        OUT searched boolean)
    RETURNS SETOF record
    LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED ROWS 100 AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION omendb_model(regclass) IS
    'lists the segments of the model of a learned index, stages from the root on; the root of a large model first, whose last positions are parts, then the parts: a key with coordinate x is expected at position + intercept + slope * (x - coordinate), at most below to the left of that and above to the right; positions of the last stage are leaves, of the others segments of the next stage (of the same part); searched: too uncertain, these keys are searched in the tree';
")]
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
    let opened = Opened::new(index, pg_sys::AccessShareLock);
    let index = opened.index;
    // SAFETY: the index is open.
    let columns = unsafe { Columns::of(index) };
    let rows = for_words!(columns.words(), rows(index, &columns));
    opened.close();
    TableIterator::new(rows)
}

fn rows<const W: usize>(index: pg_sys::Relation, columns: &Columns) -> Vec<SegmentRow> {
    // SAFETY: the index is open.
    let store = unsafe { IndexStore::new(index, W) };
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
                // The first segment begins at minus infinity.
                let key = piece.key_at::<W>(segment.first_x).filter(|_| i > 0);
                let key = key.map(|key| {
                    // SAFETY: the index is open.
                    unsafe { text::of_entry(index, columns, &Entry::floor(key)) }
                });
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

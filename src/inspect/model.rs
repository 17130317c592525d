//! `omendb_model`: the segments of an index's model, one row each.

use learned::model::{Model, Segment};
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
use crate::storage::Relation;

type Row = (
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
CREATE FUNCTION omendb_model(index regclass, OUT stage integer, OUT segment bigint, OUT first_key text[],
        OUT coordinate numeric, OUT slope double precision, OUT intercept double precision,
        OUT below integer, OUT above integer, OUT \"position\" bigint, OUT positions bigint,
        OUT searched boolean)
    RETURNS SETOF record
    LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED ROWS 100 AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION omendb_model(regclass) IS
    'lists the segments of the model of a learned index, stages from the root on: a key with coordinate x is expected at position + intercept + slope * (x - coordinate), at most below to the left of that and above to the right; positions of the last stage are leaves, of the others segments of the next stage; searched: too uncertain, these keys are searched in the tree';
")]
fn omendb_model(
    index: Oid,
) -> TableIterator<
    'static,
    (
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

fn rows<const W: usize>(index: pg_sys::Relation, columns: &Columns) -> Vec<Row> {
    // SAFETY: the index is open.
    let store = unsafe { Relation::new(index, W) };
    let bytes = Tree::<_, W>::new(&store).load_model().or_raise(index);
    let mut rows = Vec::new();
    if let Some(model) = bytes.as_deref().and_then(Model::open) {
        for stage in 0..model.stages() {
            for i in 0..model.stage_segments(stage) {
                store.interrupt();
                if let Some(segment) = model.segment(stage, i) {
                    // The first segment begins at minus infinity.
                    let key = model.key_at::<W>(segment.first_x).filter(|_| i > 0);
                    let key = key.map(|key| {
                        // SAFETY: the index is open.
                        unsafe { text::of_entry(index, columns, &Entry::floor(key)) }
                    });
                    rows.push(row(stage, i, key, &segment));
                }
            }
        }
    }
    rows
}

/// A segment as a row.
fn row(stage: usize, i: usize, key: Option<Vec<Option<String>>>, segment: &Segment) -> Row {
    (
        stage as i32,
        i as i64,
        key,
        segment.first_x.into(),
        segment.slope,
        segment.intercept,
        segment.below as i32,
        segment.above as i32,
        segment.first.into(),
        segment.covered.into(),
        segment.search_tree,
    )
}

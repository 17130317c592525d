//! `omendb_counters`: what searches of an index met.

use pgrx::iter::TableIterator;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use super::Opened;
use crate::session::counters;

#[allow(clippy::type_complexity)]
#[pg_extern(sql = "
CREATE FUNCTION omendb_counters(index regclass, OUT searches bigint, OUT predicted bigint,
        OUT predicted_right bigint, OUT links bigint, OUT descents bigint, OUT all_sessions boolean)
    RETURNS SETOF record
    LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED ROWS 1 AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION omendb_counters(regclass) IS
    'counts searches of a learned index: all, those with a prediction, those whose leaf was the one predicted, further leaves read by links between leaves, descents from the root; by all sessions or by this one only';
")]
fn omendb_counters(
    index: Oid,
) -> TableIterator<
    'static,
    (
        name!(searches, i64),
        name!(predicted, i64),
        name!(predicted_right, i64),
        name!(links, i64),
        name!(descents, i64),
        name!(all_sessions, bool),
    ),
> {
    let opened = Opened::new(index, pg_sys::AccessShareLock);
    let counters = counters::of(opened.index);
    let (counts, all) = (counters.totals(), counters.is_shared());
    opened.close();
    TableIterator::once((
        counts.searches() as i64,
        counts.predicted() as i64,
        counts.hits.get() as i64,
        counts.right_links.get() as i64,
        counts.descents.get() as i64,
        all,
    ))
}

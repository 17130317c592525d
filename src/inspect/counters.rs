//! `omendb_counters`: how searches of an index found their leaves.

use pgrx::iter::TableIterator;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use super::with_index;
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
    let (counts, all_sessions) = with_index(index, pg_sys::AccessShareLock, |index, _| {
        let counters = counters::for_index(index);
        (counters.totals(), counters.is_shared())
    });
    TableIterator::once((
        counts.searches() as i64,
        counts.predicted() as i64,
        counts.straight.get() as i64,
        counts.links.get() as i64,
        counts.descents.get() as i64,
        all_sessions,
    ))
}

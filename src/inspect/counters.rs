//! `omendb_counters`: how searches of an index found their leaves.

use pgrx::iter::TableIterator;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use super::with_index;
use crate::session::counters;

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
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
        counts.hits.get() as i64,
        counts.right_links.get() as i64,
        counts.descents.get() as i64,
        all_sessions,
    ))
}

//! `omendb_counters`: what searches of an index met.

use pgrx::iter::TableIterator;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use super::Opened;
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
    let opened = Opened::new(index, pg_sys::AccessShareLock);
    let counters = counters::of(opened.index);
    let (counts, all) = (counters.totals(), counters.is_shared());
    opened.close();
    TableIterator::once((
        counts.searches() as i64,
        counts.predicted() as i64,
        counts.straight.get() as i64,
        counts.links.get() as i64,
        counts.descents.get() as i64,
        all,
    ))
}

//! The counters of the cumulative statistics system.

use pgrx::pg_sys;

/// The counters of a relation in this session, or None if the relation is not counted.
///
/// ```c
/// #define pgstat_should_count_relation(rel) \
///     (likely((rel)->pgstat_info != NULL) ? true : \
///      ((rel)->pgstat_enabled ? pgstat_assoc_relation(rel), true : false))
/// ```
///
/// # Safety
/// `rel` is open, and the counters are not used for longer.
#[inline(always)]
unsafe fn counters<'a>(rel: pg_sys::Relation) -> Option<&'a mut pg_sys::PgStat_TableCounts> {
    // SAFETY: pgstat_info of an open relation is null, or points to this session's counters;
    // pgstat_assoc_relation sets it.
    unsafe {
        if (*rel).pgstat_info.is_null() {
            if !(*rel).pgstat_enabled {
                return None;
            }
            pg_sys::pgstat_assoc_relation(rel);
        }
        let info = (*rel).pgstat_info.as_mut()?;
        #[cfg(feature = "pg15")]
        let counts = &mut info.t_counts;
        #[cfg(not(feature = "pg15"))]
        let counts = &mut info.counts;
        Some(counts)
    }
}

/// The numbers of live and of dead rows of a table: those that the statistics have, which are about
/// a second old, plus those that this session has not reported yet. None if the table is not
/// counted.
///
/// # Safety
/// `rel` is an open table, and no page is locked.
pub unsafe fn live_and_dead(rel: pg_sys::Relation) -> Option<[i64; 2]> {
    // SAFETY: the table is open, so it has counters. The two functions accept any OID and read no
    // catalog.
    unsafe {
        let counts = counters(rel)?;
        #[cfg(feature = "pg15")]
        let pending = [counts.t_delta_live_tuples, counts.t_delta_dead_tuples];
        #[cfg(not(feature = "pg15"))]
        let pending = [counts.delta_live_tuples, counts.delta_dead_tuples];
        let table = [Some(pg_sys::Datum::from((*rel).rd_id))];
        let known = |count| pgrx::direct_function_call::<i64>(count, &table).unwrap_or(0);
        let live = known(pg_sys::pg_stat_get_live_tuples);
        let dead = known(pg_sys::pg_stat_get_dead_tuples);
        let [more_live, more_dead] = pending;
        Some([
            live.saturating_add(more_live),
            dead.saturating_add(more_dead),
        ])
    }
}

/// Counts an index scan.
///
/// ```c
/// #define pgstat_count_index_scan(rel) \
///     do { if (pgstat_should_count_relation(rel)) \
///         (rel)->pgstat_info->t_counts.t_numscans++; } while (0)
/// ```
///
/// # Safety
/// `rel` is an open index.
#[inline(always)]
pub unsafe fn count_index_scan(rel: pg_sys::Relation) {
    // SAFETY: the index is open; the reference ends with this function.
    if let Some(counts) = unsafe { counters(rel) } {
        #[cfg(feature = "pg15")]
        let count = &mut counts.t_numscans;
        #[cfg(not(feature = "pg15"))]
        let count = &mut counts.numscans;
        *count += 1;
    }
}

/// Counts a page that was found in shared buffers.
///
/// ```c
/// pgstat_count_buffer_read(rel);  /* t_counts.t_blocks_fetched++ */
/// pgstat_count_buffer_hit(rel);   /* t_counts.t_blocks_hit++ */
/// ```
///
/// # Safety
/// `rel` is open.
#[inline(always)]
pub unsafe fn count_buffer_hit(rel: pg_sys::Relation) {
    // SAFETY: the relation is open; the reference ends with this function.
    if let Some(counts) = unsafe { counters(rel) } {
        #[cfg(feature = "pg15")]
        let (fetched, hit) = (&mut counts.t_blocks_fetched, &mut counts.t_blocks_hit);
        #[cfg(not(feature = "pg15"))]
        let (fetched, hit) = (&mut counts.blocks_fetched, &mut counts.blocks_hit);
        *fetched += 1;
        *hit += 1;
    }
}

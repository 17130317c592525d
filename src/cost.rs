//! The planner's costs. Placeholder.

use pgrx::pg_sys;
use pgrx::prelude::*;

#[allow(clippy::too_many_arguments)]
#[pg_guard]
pub unsafe extern "C-unwind" fn amcostestimate(
    _root: *mut pg_sys::PlannerInfo,
    _path: *mut pg_sys::IndexPath,
    _loop_count: f64,
    startup: *mut pg_sys::Cost,
    total: *mut pg_sys::Cost,
    selectivity: *mut pg_sys::Selectivity,
    correlation: *mut f64,
    pages: *mut f64,
) {
    // SAFETY: the planner passes places for its results.
    unsafe {
        *startup = 1.0e10;
        *total = 1.0e10;
        *selectivity = 1.0;
        *correlation = 0.0;
        *pages = 1.0;
    }
}

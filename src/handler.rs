//! The access method's routine table.

use pgrx::pg_sys;
use pgrx::prelude::*;

#[pg_extern(sql = "
CREATE FUNCTION learned_handler(internal) RETURNS index_am_handler
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
CREATE ACCESS METHOD learned TYPE INDEX HANDLER learned_handler;
")]
fn learned_handler(_fcinfo: pg_sys::FunctionCallInfo) -> PgBox<pg_sys::IndexAmRoutine> {
    // SAFETY: alloc_node returns a zeroed node of the right size.
    let am =
        unsafe { PgBox::<pg_sys::IndexAmRoutine>::alloc_node(pg_sys::NodeTag::T_IndexAmRoutine) };
    am.into_pg_boxed()
}

//! Index scans. Placeholder.

use pgrx::pg_sys;
use pgrx::prelude::*;

fn later() -> ! {
    crate::error::unsupported("scans of learned indexes are not supported yet", "Wait.")
}

#[pg_guard]
pub unsafe extern "C-unwind" fn ambeginscan(
    _index: pg_sys::Relation,
    _keys: i32,
    _orderbys: i32,
) -> pg_sys::IndexScanDesc {
    later()
}

#[pg_guard]
pub unsafe extern "C-unwind" fn amrescan(
    _scan: pg_sys::IndexScanDesc,
    _keys: pg_sys::ScanKey,
    _nkeys: i32,
    _orderbys: pg_sys::ScanKey,
    _norderbys: i32,
) {
    later()
}

#[pg_guard]
pub unsafe extern "C-unwind" fn amgettuple(
    _scan: pg_sys::IndexScanDesc,
    _direction: pg_sys::ScanDirection::Type,
) -> bool {
    later()
}

#[pg_guard]
pub unsafe extern "C-unwind" fn amgetbitmap(
    _scan: pg_sys::IndexScanDesc,
    _tbm: *mut pg_sys::TIDBitmap,
) -> i64 {
    later()
}

#[pg_guard]
pub unsafe extern "C-unwind" fn amendscan(_scan: pg_sys::IndexScanDesc) {
    later()
}

#[pg_guard]
pub unsafe extern "C-unwind" fn amcanreturn(_index: pg_sys::Relation, _column: i32) -> bool {
    false
}

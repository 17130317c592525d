//! The core's errors as PostgreSQL errors, each with its SQLSTATE.

use std::convert::Infallible;
use std::ffi::CStr;

use learned::Error;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;

/// Raises an ERROR, with a hint if there is one.
pub fn raise(code: PgSqlErrorCode, message: impl Into<String>, hint: Option<&str>) -> ! {
    let report = ErrorReport::new(code, message.into(), "omendb");
    raise_report(match hint {
        Some(hint) => report.set_hint(hint),
        None => report,
    })
}

/// Raises a report as an ERROR.
pub fn raise_report(report: ErrorReport) -> ! {
    match Err::<Infallible, _>(report).unwrap_or_report() {}
}

/// Raises an ERROR for something that this access method does not support.
pub fn unsupported(message: impl Into<String>, hint: &str) -> ! {
    let code = PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED;
    raise(code, message, Some(hint))
}

/// Raises an ERROR for a mistake in this extension, before it could do any harm.
#[cold]
pub fn internal(rel: pg_sys::Relation, why: &str) -> ! {
    let message = format!("index \"{}\": {why}", name(rel));
    raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, message, None)
}

/// Raises an ERROR for an index whose contents are wrong.
#[cold]
pub fn corrupted(rel: pg_sys::Relation, fault: &str) -> ! {
    let name = name(rel);
    raise(
        PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED,
        format!("index \"{name}\" is corrupted: {fault}"),
        Some(&format!("REINDEX INDEX \"{name}\" builds it anew.")),
    )
}

/// The core's results, with errors raised.
pub trait OrRaise<T> {
    /// The value; an error is raised as one of the index `rel`.
    fn or_raise(self, rel: pg_sys::Relation) -> T;
}

impl<T> OrRaise<T> for learned::Result<T> {
    #[inline(always)]
    fn or_raise(self, rel: pg_sys::Relation) -> T {
        match self {
            Ok(value) => value,
            Err(error) => report(rel, &error),
        }
    }
}

#[cold]
#[inline(never)]
fn report(rel: pg_sys::Relation, error: &Error) -> ! {
    let name = name(rel);
    match error {
        Error::Corrupted { .. } => corrupted(rel, &error.to_string()),
        // As nbtree reports it.
        Error::Version { found, supported } => raise(
            PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED,
            format!(
                "version mismatch in index \"{name}\": \
                 index format {found}, library format {supported}"
            ),
            Some(&format!(
                "REINDEX INDEX \"{name}\" writes the index in the format of the library."
            )),
        ),
        // Not known to be the pages' fault: a retry may succeed.
        Error::SearchLost { .. } => raise(
            PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
            format!("index \"{name}\": {error}"),
            Some("Retry the command. If the error persists, check the index with omendb_check."),
        ),
    }
}

/// A relation's name, for messages.
pub fn name(rel: pg_sys::Relation) -> String {
    // SAFETY: callers have the relation open; its name is a C string inside rd_rel.
    let name = unsafe { CStr::from_ptr((*(*rel).rd_rel).relname.data.as_ptr()) };
    name.to_string_lossy().into_owned()
}

/// A type's name, for messages.
pub fn type_name(oid: pg_sys::Oid) -> String {
    // SAFETY: returns a C string for any OID.
    unsafe { CStr::from_ptr(pg_sys::format_type_be(oid)) }
        .to_string_lossy()
        .into_owned()
}

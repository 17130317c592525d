//! PostgreSQL errors: the core's errors with their SQLSTATEs, and those of this crate.

use std::backtrace::Backtrace;
use std::convert::Infallible;
use std::ffi::CStr;

use learned::Error;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;

use crate::pg::index::Index;

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

/// Raises an ERROR for a mistake of this extension that was noticed before it did any harm.
#[cold]
pub fn internal(index: Index, why: &str) -> ! {
    let message = format!("internal error in index \"{}\": {why}", index.name());
    raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, message, None)
}

/// Raises an ERROR for an index whose contents are wrong.
#[cold]
pub fn corrupted(index: Index, fault: &str) -> ! {
    let name = index.name();
    raise(
        PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED,
        format!("index \"{name}\" is corrupted: {fault}"),
        Some(&format!("Rebuild the index with REINDEX INDEX \"{name}\".")),
    )
}

/// The core's results, with errors raised.
pub trait OrRaise<T> {
    /// The value. An error is raised as an ERROR about the index.
    fn or_raise(self, index: Index) -> T;
}

impl<T> OrRaise<T> for learned::Result<T> {
    #[inline(always)]
    fn or_raise(self, index: Index) -> T {
        match self {
            Ok(value) => value,
            Err(error) => raise_core_error(index, &error),
        }
    }
}

#[cold]
#[inline(never)]
fn raise_core_error(index: Index, error: &Error) -> ! {
    match error {
        Error::Corrupted { .. } => corrupted(index, &error.to_string()),
        // As nbtree reports it.
        Error::Version { found, supported } => {
            let name = index.name();
            raise(
                PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED,
                format!(
                    "version mismatch in index \"{name}\": \
                     index format {found}, library format {supported}"
                ),
                Some(&format!(
                    "REINDEX INDEX \"{name}\" writes the index in the format of the library."
                )),
            )
        }
        // Each page was sound. Concurrent changes may have misled the search, so a retry may
        // succeed.
        Error::SearchLost { restarts } => raise(
            PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
            format!(
                "search in index \"{}\" did not end after {restarts} restarts",
                index.name()
            ),
            Some("Retry the command. If the error persists, check the index with omendb_check."),
        ),
    }
}

/// A type's name, for messages.
pub fn type_name(oid: pg_sys::Oid) -> String {
    // SAFETY: format_type_be() returns a C string for any OID, "???" for one that does not exist.
    unsafe { CStr::from_ptr(pg_sys::format_type_be(oid)) }
        .to_string_lossy()
        .into_owned()
}

/// Makes sure that no error that this library raises, or that passes through it, carries a Rust
/// backtrace. Called once, when the library is loaded.
///
/// With `RUST_BACKTRACE` in the server's environment, pgrx's panic hook captures a backtrace for
/// each ERROR that passes through Rust functions, and appends it to the DETAIL that the client
/// gets. The hook calls `Backtrace::capture`, which reads the environment only the first time and
/// then remembers the answer (see "Environment Variables" in the documentation of
/// `std::backtrace`). So the first call happens here, with backtraces turned off. That memory
/// belongs to this library's copy of the standard library, and the variable is set for a moment
/// only: other libraries of the process are not affected.
pub fn disable_backtraces() {
    /// Takes precedence over `RUST_BACKTRACE`.
    const VARIABLE: &str = "RUST_LIB_BACKTRACE";
    let before = std::env::var_os(VARIABLE);
    // SAFETY: a backend has one thread when it loads a library, and so has the postmaster, so
    // nothing else reads or changes the environment.
    unsafe {
        std::env::set_var(VARIABLE, "0");
        let _ = Backtrace::capture();
        match before {
            Some(before) => std::env::set_var(VARIABLE, before),
            None => std::env::remove_var(VARIABLE),
        }
    }
}

//! A better hint for the server's error about a column type that the access method does not
//! support.
//!
//! CREATE INDEX looks for an operator class before it calls the access method. Where it finds none,
//! its error names neither the supported types nor another access method. An error context callback
//! may change the hint of an error that is being raised (utils/elog.h), and leaves all else of the
//! error as it is.

// The server's own names.
#![allow(non_snake_case)]

use std::ffi::{CStr, c_char, c_int, c_void};

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::node::NodeRef;

// Declared without pgrx's guard: they are called while the server raises an error, by a function
// that has nothing to unwind.
unsafe extern "C-unwind" {
    fn geterrcode() -> c_int;
    fn errhint(format: *const c_char, ...) -> c_int;
    fn CopyErrorData() -> *mut pg_sys::ErrorData;
    fn FreeErrorData(data: *mut pg_sys::ErrorData);
}

/// The server's function that looks for an operator class, and raises the error.
const ERROR_SOURCE: &CStr = c"ResolveOpClass";

/// Whether a statement is CREATE INDEX with this access method.
pub fn creates_index_using(statement: Option<NodeRef<'_>>, access_method: &CStr) -> bool {
    let statement = statement.and_then(|node| node.as_::<pg_sys::IndexStmt>());
    statement.is_some_and(|create| {
        // SAFETY: accessMethod of the statement is null or a C string.
        !create.accessMethod.is_null()
            && unsafe { CStr::from_ptr(create.accessMethod) } == access_method
    })
}

/// Runs `work`, with `hint` in place of the server's hint in the error that a type has no operator
/// class.
///
/// # Safety
/// No frame between this function and the server's own needs to be unwound.
pub unsafe fn with_operator_class_hint(hint: &'static str, work: impl FnOnce()) {
    // SAFETY: the callback is taken off the stack of callbacks before this frame ends. After an
    // ERROR the server does so itself, before it leaves the frame that catches the error.
    unsafe {
        let mut callback = pg_sys::ErrorContextCallback {
            previous: pg_sys::error_context_stack,
            callback: Some(replace_hint),
            arg: (&raw const hint).cast_mut().cast(),
        };
        pg_sys::error_context_stack = &raw mut callback;
        work();
        pg_sys::error_context_stack = callback.previous;
    }
}

/// Called for each error that is raised meanwhile.
unsafe extern "C-unwind" fn replace_hint(hint: *mut c_void) {
    // SAFETY: an error is being raised. The server copies it into the memory context that is made
    // the current one, since the copy must not be in the context of the error itself. `hint` points
    // to the argument of with_operator_class_hint(), which is still running.
    unsafe {
        if geterrcode() != PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT as c_int {
            return;
        }
        let context = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = pg_sys::TopMemoryContext;
        let error = CopyErrorData();
        let source = (*error).funcname;
        let is_ours = !source.is_null() && CStr::from_ptr(source) == ERROR_SOURCE;
        FreeErrorData(error);
        pg_sys::CurrentMemoryContext = context;
        if is_ours {
            let hint = *hint.cast::<&str>();
            errhint(c"%.*s".as_ptr(), hint.len() as c_int, hint.as_ptr());
        }
    }
}

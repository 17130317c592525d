//! A better hint for the server's error about a column type that the access method does not
//! support.
//!
//! CREATE INDEX looks for an operator class before it calls the access method. If it finds none,
//! the hint of its error names neither the supported types nor another access method. An error
//! context callback may change the hint of an error that is being raised (utils/elog.h), and leaves
//! everything else of the error as it is.

// The server's own names.
#![allow(non_snake_case)]

use std::ffi::{CStr, c_char, c_int, c_void};

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::codec::KeyType;
use super::node::NodeRef;

// Declared without pgrx's guard: they are called while the server raises an error, by a function
// that has nothing to unwind.
unsafe extern "C-unwind" {
    fn geterrcode() -> c_int;
    fn errhint(format: *const c_char, ...) -> c_int;
    fn CopyErrorData() -> *mut pg_sys::ErrorData;
    fn FreeErrorData(data: *mut pg_sys::ErrorData);
}

/// The server's function that looks for an operator class and raises the error.
const ERROR_SOURCE: &CStr = c"ResolveOpClass";

/// Whether a statement is CREATE INDEX with the access method of this extension.
pub fn creates_learned_index(statement: Option<NodeRef<'_>>) -> bool {
    let statement = statement.and_then(|node| node.as_::<pg_sys::IndexStmt>());
    let name = statement.map_or(std::ptr::null_mut(), |create| create.accessMethod);
    // SAFETY: accessMethod of the statement is null or a C string.
    !name.is_null() && unsafe { CStr::from_ptr(name) } == c"learned"
}

/// Runs `work` with the better hint.
///
/// # Safety
/// No frame between this function and the server's own needs to be unwound.
pub unsafe fn with_type_hint(work: impl FnOnce()) {
    // SAFETY: the callback is taken off the stack of callbacks before this frame ends. After an
    // ERROR the server does so itself, before it leaves the frame that catches the error.
    unsafe {
        let mut callback = pg_sys::ErrorContextCallback {
            previous: pg_sys::error_context_stack,
            callback: Some(set_hint),
            arg: std::ptr::null_mut(),
        };
        pg_sys::error_context_stack = &raw mut callback;
        work();
        pg_sys::error_context_stack = callback.previous;
    }
}

/// Gives the better hint to the rest of the statement that is loading the library. Hooks are not
/// called for it any more, and it may be CREATE INDEX: the first one of a session loads the
/// library.
///
/// The callback is not taken off the stack here. The next caller that takes off its own does so, or
/// the server when it empties the stack after an ERROR. Until then the callback sees the errors of
/// other statements, too. It looks at each error and changes no other one.
pub fn give_type_hint_to_loading_statement() {
    static mut CALLBACK: pg_sys::ErrorContextCallback = pg_sys::ErrorContextCallback {
        previous: std::ptr::null_mut(),
        callback: Some(set_hint),
        arg: std::ptr::null_mut(),
    };
    // SAFETY: the library is loaded once, by the only thread, and is never unloaded. The frames of
    // the callbacks below outlive this one's place on the stack.
    unsafe {
        // A preloaded library has its hooks before there are statements.
        if pg_sys::process_shared_preload_libraries_in_progress {
            return;
        }
        CALLBACK.previous = pg_sys::error_context_stack;
        pg_sys::error_context_stack = &raw mut CALLBACK;
    }
}

/// Sets the hint if the error that is being raised says that a type has no operator class of this
/// access method.
unsafe extern "C-unwind" fn set_hint(_: *mut c_void) {
    // SAFETY: called while an error is being raised. The server copies the error into the current
    // memory context, which must not be the one of the error itself. The texts are null or C
    // strings.
    unsafe {
        if geterrcode() != PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT as c_int {
            return;
        }
        let context = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = pg_sys::TopMemoryContext;
        let error = CopyErrorData();
        let text = |text: *const c_char| match text.is_null() {
            true => &[],
            false => CStr::from_ptr(text).to_bytes(),
        };
        let is_ours = text((*error).funcname) == ERROR_SOURCE.to_bytes()
            && text((*error).message)
                .windows(7)
                .any(|name| name == b"learned");
        FreeErrorData(error);
        pg_sys::CurrentMemoryContext = context;
        if is_ours {
            let hint = KeyType::HINT;
            errhint(c"%.*s".as_ptr(), hint.len() as c_int, hint.as_ptr());
        }
    }
}

//! The PostgreSQL side of omendb: the index access method `learned`.

/// Where the expansion of `#[pg_guard]` on a block of declarations looks for it.
mod ffi {
    pub(crate) use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
}

pgrx::pg_module_magic!();

mod am;
mod error;
mod inspect;
mod options;
mod pg;
mod planner;
mod reclaim;
mod session;
mod storage;
#[cfg(feature = "testing")]
mod testing;
mod write;

#[cfg(all(feature = "testing", not(debug_assertions)))]
compile_error!("stops and small pages are for debug builds only");

/// Runs when a backend loads the library.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    error::disable_backtraces();
    // Before the names are reserved.
    #[cfg(feature = "testing")]
    testing::register();
    options::register();
    session::shared::register();
    write::hooks::register();
}

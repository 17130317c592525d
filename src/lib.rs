//! The PostgreSQL side of omendb: the index access method `learned`.

/// Where the expansion of `#[pg_guard]` on a block of declarations looks for it.
mod ffi {
    pub(crate) use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
}

pgrx::pg_module_magic!();

mod batch;
mod build;
mod cache;
mod cost;
mod counters;
mod error;
mod handler;
mod hooks;
mod insert;
mod inspect;
mod kill;
mod opclass;
mod options;
mod parallel;
mod pg;
mod purge;
mod removable;
mod scan;
mod spill;
mod storage;
#[cfg(feature = "testing")]
mod testing;
mod train;
#[cfg(all(feature = "testing", not(debug_assertions)))]
compile_error!("stops and small pages are for debug builds only");
mod unique;
mod vacuum;
mod validate;

/// Runs when a backend loads the library.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    // Before the names are reserved.
    #[cfg(feature = "testing")]
    testing::register();
    options::register();
    pg::shared::register();
    hooks::register();
}

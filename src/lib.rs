//! The PostgreSQL side of omendb: the index access method `learned`.
//!
//! | folder     | what                                                                       |
//! |------------|----------------------------------------------------------------------------|
//! | `am/`      | the callbacks of the access method: build, insert, scan, vacuum, validate  |
//! | `write/`   | adding entries; entries of one statement that wait to be added together    |
//! | `reclaim/` | deleting the entries of dead rows before VACUUM does                       |
//! | `session/` | what a session remembers about an index: model, root, counters             |
//! | `planner/` | costs, row comparisons, and the place for more of the planner               |
//! | `exec/`    | the place for executor nodes; there are none yet, and no folder            |
//! | `inspect/` | SQL functions that check and describe an index                             |
//! | `storage/` | the pages of an index: shared buffers, locks, WAL                          |
//! | `pg/`      | safe handles of the server's structures, codecs of values, `ffi/`          |
//!
//! `crates/learned` has the algorithms, without PostgreSQL. The folders from `am/` to `inspect/`
//! call it through [`storage::IndexStore`]. Errors become PostgreSQL's in `error.rs`; storage
//! parameters and settings are in `options.rs`.
//!
//! Unsafe code is for `pg/` and `storage/`. Elsewhere it stands in the first lines of callbacks,
//! which make handles from the server's pointers, and where memory of the server is used directly.

/// The expansion of `#[pg_guard]` on a block of declarations looks for its function here.
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
compile_error!("the feature \"testing\" is for debug builds only");

/// Runs when a backend loads the library.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    error::disable_backtraces();
    // Before options::register() reserves the prefix of the names.
    #[cfg(feature = "testing")]
    testing::register();
    options::register();
    session::shared::register();
    write::hooks::register();
    planner::row_comparison::register();
}

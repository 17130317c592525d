//! Storage parameters, `CREATE INDEX ... WITH (fillfactor = 80)`, and settings.

use std::mem::offset_of;
use std::sync::OnceLock;

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::pg::index::Index;

/// `fillfactor` of an index that does not set it, in percent.
const DEFAULT_FILL_FACTOR: i32 = 97;
const MIN_FILL_FACTOR: i32 = 10;
const MAX_FILL_FACTOR: i32 = 100;

/// The parsed storage parameters, as the server keeps them in `rd_options`.
#[repr(C)]
struct Options {
    /// The length of the varlena.
    length: i32,
    fillfactor: i32,
}

static KIND: OnceLock<pg_sys::relopt_kind::Type> = OnceLock::new();

/// `omendb.allow_unique`. From PostgreSQL 18 on it exists without effect, so that scripts need not
/// ask for the version.
static ALLOW_UNIQUE: GucSetting<bool> = GucSetting::<bool>::new(false);

/// Whether unique indexes may be created.
pub fn allow_unique() -> bool {
    cfg!(feature = "pg18") || ALLOW_UNIQUE.get()
}

/// `omendb.shared_counters`.
static SHARED_COUNTERS: GucSetting<bool> = GucSetting::<bool>::new(true);
static ENABLE_ROW_COMPARISON: GucSetting<bool> = GucSetting::<bool>::new(true);

/// Whether this session adds its counts to those of all sessions, if the server gives it shared
/// memory on demand.
pub fn shared_counters() -> bool {
    SHARED_COUNTERS.get()
}

/// `omendb.insert_batch`, in rows.
static INSERT_BATCH: GucSetting<i32> = GucSetting::<i32>::new(4096);

/// The largest number of a statement's rows whose entries wait to be added together.
pub fn insert_batch() -> usize {
    usize::try_from(INSERT_BATCH.get()).unwrap_or(0)
}

/// `omendb.model_cache`, in kilobytes.
static MODEL_CACHE: GucSetting<i32> = GucSetting::<i32>::new(1024);

/// The largest number of bytes of an index's model that a session keeps.
pub fn model_cache() -> usize {
    usize::try_from(MODEL_CACHE.get()).unwrap_or(0) << 10
}

/// Registers the storage parameters and the settings. Called once, when the library is loaded.
pub fn register() {
    GucRegistry::define_bool_guc(
        c"omendb.allow_unique",
        c"Allows the creation of unique learned indexes.",
        c"Up to PostgreSQL 17, INSERT ... ON CONFLICT fails on a table with such an index. \
          From PostgreSQL 18 on, unique learned indexes are always allowed.",
        &ALLOW_UNIQUE,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"omendb.insert_batch",
        c"Sets the maximum number of a statement's rows whose index entries are added together.",
        c"Entries are added at the end of the statement at the latest, or before a query within \
          the statement. 1 adds each entry immediately.",
        &INSERT_BATCH,
        1,
        1 << 16,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"omendb.model_cache",
        c"Sets the maximum memory in which a session keeps the model of one index.",
        c"For a larger model, a session keeps only the root and reads one page of the rest for \
          each search. Models of up to 64 kB are always kept.",
        &MODEL_CACHE,
        0,
        1 << 20,
        GucContext::Userset,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_bool_guc(
        c"omendb.enable_row_comparison",
        c"Enables the planner's use of row comparisons as conditions of learned indexes.",
        c"A row comparison is a condition such as (a, b) > (x, y).",
        &ENABLE_ROW_COMPARISON,
        GucContext::Userset,
        GucFlags::EXPLAIN,
    );
    GucRegistry::define_bool_guc(
        c"omendb.shared_counters",
        c"Counts the searches of all sessions together.",
        c"From PostgreSQL 17 on, a session that uses a learned index allocates a segment of \
          dynamic shared memory for this. If the library is in shared_preload_libraries, sessions \
          always count together. Otherwise, up to PostgreSQL 16, each session counts its own.",
        &SHARED_COUNTERS,
        GucContext::Userset,
        GucFlags::default(),
    );
    // SAFETY: the server copies the constant string.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"omendb".as_ptr()) };
    KIND.get_or_init(|| {
        // SAFETY: the server copies the constant strings. The library is loaded in the process's
        // only thread.
        unsafe {
            let kind = pg_sys::add_reloption_kind();
            pg_sys::add_int_reloption(
                kind,
                c"fillfactor".as_ptr(),
                c"Packs leaf pages of builds and of ascending inserts only to this percentage"
                    .as_ptr(),
                DEFAULT_FILL_FACTOR,
                MIN_FILL_FACTOR,
                MAX_FILL_FACTOR,
                // A change concerns later inserts only.
                pg_sys::ShareUpdateExclusiveLock as i32,
            );
            kind
        }
    });
}

/// Whether the planner makes index conditions of row comparisons.
pub fn enable_row_comparison() -> bool {
    ENABLE_ROW_COMPARISON.get()
}

/// The access method's `amoptions`.
///
/// # Safety
/// The server calls it with an array of options or null.
#[pg_guard]
pub unsafe extern "C-unwind" fn amoptions(
    reloptions: pg_sys::Datum,
    validate: bool,
) -> *mut pg_sys::bytea {
    let Some(&kind) = KIND.get() else {
        return std::ptr::null_mut();
    };
    let table = [pg_sys::relopt_parse_elt {
        optname: c"fillfactor".as_ptr(),
        opttype: pg_sys::relopt_type::RELOPT_TYPE_INT,
        offset: offset_of!(Options, fillfactor) as i32,
        #[cfg(feature = "pg18")]
        isset_offset: 0,
    }];
    // SAFETY: the table has an element for each field of Options after its length, and the size of
    // Options is given, too.
    unsafe {
        pg_sys::build_reloptions(
            reloptions,
            validate,
            kind,
            size_of::<Options>(),
            table.as_ptr(),
            table.len() as i32,
        )
        .cast()
    }
}

/// The fill factor of an index, in percent.
#[inline]
pub fn fill_factor(index: Index) -> u8 {
    // SAFETY: amoptions() describes this struct.
    let options = unsafe { index.options::<Options>() };
    let fill = options.map_or(DEFAULT_FILL_FACTOR, |options| options.fillfactor);
    fill.clamp(MIN_FILL_FACTOR, MAX_FILL_FACTOR) as u8
}

//! Storage parameters, `CREATE INDEX ... WITH (fillfactor = 80)`, and settings.

use std::mem::offset_of;
use std::sync::OnceLock;

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

const DEFAULT_FILL: i32 = 97;

/// The parsed options, as the server stores them in `rd_options`.
#[repr(C)]
struct Options {
    /// The varlena's length.
    length: i32,
    fillfactor: i32,
}

static KIND: OnceLock<pg_sys::relopt_kind::Type> = OnceLock::new();

/// Whether unique indexes may be created, before PostgreSQL 18. There it is without effect, so that scripts need
/// not ask for the version.
static ALLOW_UNIQUE: GucSetting<bool> = GucSetting::<bool>::new(false);

/// Whether unique indexes may be created here.
pub fn allow_unique() -> bool {
    cfg!(feature = "pg18") || ALLOW_UNIQUE.get()
}

/// Whether sessions count together in memory that is had on demand.
static SHARED_COUNTERS: GucSetting<bool> = GucSetting::<bool>::new(true);

/// Whether this session passes on what its searches met, if the server gives memory for that on demand.
pub fn shared_counters() -> bool {
    SHARED_COUNTERS.get()
}

static INSERT_BATCH: GucSetting<i32> = GucSetting::<i32>::new(4096);

/// Most rows of a statement whose entries wait, to be added together.
pub fn insert_batch() -> usize {
    usize::try_from(INSERT_BATCH.get()).unwrap_or(0)
}

/// Kilobytes.
static MODEL_CACHE: GucSetting<i32> = GucSetting::<i32>::new(1024);

/// Bytes of an index's model that a session keeps.
pub fn model_cache() -> usize {
    usize::try_from(MODEL_CACHE.get()).unwrap_or(0) << 10
}

/// Registers the options and settings. Called once, when the library is loaded.
pub fn register() {
    GucRegistry::define_bool_guc(
        c"omendb.allow_unique",
        c"Allows CREATE UNIQUE INDEX ... USING learned.",
        c"On a table with such an index every INSERT ... ON CONFLICT fails, up to PostgreSQL 17. Later versions need no such permission.",
        &ALLOW_UNIQUE,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"omendb.insert_batch",
        c"Rows of a statement whose entries are sorted and added to an index together.",
        c"They are added at the end of the statement, or when it is the turn of a query within it. At 1 each is added at once.",
        &INSERT_BATCH,
        1,
        1 << 16,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"omendb.model_cache",
        c"Memory in which a session keeps the model of one index.",
        c"Of a larger model it keeps the root only and reads a page of the rest for each search. Models of up to 64 kB are always kept.",
        &MODEL_CACHE,
        0,
        1 << 20,
        GucContext::Userset,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_bool_guc(
        c"omendb.shared_counters",
        c"Counts searches for all sessions together.",
        c"From PostgreSQL 17 on the first use of a learned index in a session takes a segment of dynamic shared memory for that. Where the library is in shared_preload_libraries, sessions count together in any case; else, up to PostgreSQL 16, each for itself.",
        &SHARED_COUNTERS,
        GucContext::Userset,
        GucFlags::default(),
    );
    // SAFETY: a constant string.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"omendb".as_ptr()) };
    KIND.get_or_init(|| {
        // SAFETY: plain registrations with constant strings, in the main thread.
        unsafe {
            let kind = pg_sys::add_reloption_kind();
            pg_sys::add_int_reloption(
                kind,
                c"fillfactor".as_ptr(),
                c"Fills leaves of builds and of ascending inserts only to this percentage".as_ptr(),
                DEFAULT_FILL,
                10,
                100,
                // Only inserts to come look at it.
                pg_sys::ShareUpdateExclusiveLock as i32,
            );
            kind
        }
    });
}

/// The access method's `amoptions`.
///
/// # Safety
/// Called by the server with an array of options or null.
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
    // SAFETY: the table describes Options, whose size is given.
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

/// The index's fill factor.
///
/// # Safety
/// `rel` is an open index of this access method.
pub unsafe fn fill(rel: pg_sys::Relation) -> u8 {
    // SAFETY: rd_options is null or what amoptions returned.
    let fill = unsafe {
        match (*rel).rd_options.cast::<Options>().as_ref() {
            Some(options) => options.fillfactor,
            None => DEFAULT_FILL,
        }
    };
    fill.clamp(10, 100) as u8
}

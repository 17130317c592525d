//! Settings of the server (GUCs).

use pgrx::pg_sys;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

/// Kilobytes.
static MODEL_CACHE: GucSetting<i32> = GucSetting::<i32>::new(1024);

/// Defines the settings. Called once, when the library is loaded.
pub fn register() {
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
    // SAFETY: a constant string.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"omendb".as_ptr()) };
}

/// Bytes of a model that a session keeps.
pub fn model_cache() -> usize {
    usize::try_from(MODEL_CACHE.get()).unwrap_or(0) << 10
}

//! What VACUUM passes to the access method.

use std::ffi::c_void;

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

use super::codec::item_pointer;
use super::index::Index;

/// VACUUM's ring of buffers, or none.
#[derive(Clone, Copy)]
pub struct BufferRing(pg_sys::BufferAccessStrategy);

impl BufferRing {
    pub fn raw(self) -> pg_sys::BufferAccessStrategy {
        self.0
    }
}

/// What VACUUM says about one index.
#[derive(Clone, Copy)]
pub struct VacuumInfo<'a>(&'a pg_sys::IndexVacuumInfo);

impl<'a> VacuumInfo<'a> {
    /// # Safety
    /// `info` is the server's, and lives for `'a`.
    pub unsafe fn from_raw(info: *const pg_sys::IndexVacuumInfo) -> Self {
        // SAFETY: not null, as demanded.
        Self(unsafe { &*info })
    }

    pub fn index(self) -> Index {
        // SAFETY: VACUUM has the index open and locked as long as the info lives.
        unsafe { Index::from_raw(self.0.index) }
    }

    /// Whether ANALYZE calls, not VACUUM.
    pub fn is_analyze(self) -> bool {
        self.0.analyze_only
    }

    pub fn buffer_ring(self) -> BufferRing {
        BufferRing(self.0.strategy)
    }
}

/// The server's function that knows VACUUM's dead rows.
#[derive(Clone, Copy)]
pub struct DeadRowTest {
    function: unsafe extern "C-unwind" fn(pg_sys::ItemPointer, *mut c_void) -> bool,
    state: *mut c_void,
}

impl DeadRowTest {
    /// None if the server passes no function.
    ///
    /// # Safety
    /// The arguments are those of `ambulkdelete`, for as long as the result is used.
    pub unsafe fn from_raw(
        callback: pg_sys::IndexBulkDeleteCallback,
        state: *mut c_void,
    ) -> Option<Self> {
        callback.map(|function| Self { function, state })
    }

    /// Asks about rows. Each element has a row's tie in its high 48 bits, and a number of the
    /// caller's in the low 16. Sets each element to that number if the row is dead, else to
    /// `u64::MAX`.
    ///
    /// An ERROR comes back as a panic, which unwinds through the callers.
    pub fn test(self, rows: &mut [u64]) {
        let Self { function, state } = self;
        // SAFETY: a function of the server with the state that came with it. It is called through
        // pgrx's boundary, over a closure that has nothing to drop.
        unsafe {
            pg_guard_ffi_boundary(|| {
                for row in rows {
                    let mut tid = item_pointer(*row >> 16);
                    *row = if function(&raw mut tid, state) {
                        *row & 0xFFFF
                    } else {
                        u64::MAX
                    };
                }
            });
        }
    }
}

/// The statistics that VACUUM passes from call to call. The first call makes them, in the current
/// memory context, filled with zeros.
///
/// # Safety
/// `stats` is null, or the statistics that an earlier call has returned to VACUUM.
pub unsafe fn statistics<'a>(
    stats: *mut pg_sys::IndexBulkDeleteResult,
) -> &'a mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: palloc0() returns memory, or raises an ERROR. Zeros are a valid value of the struct.
    // VACUUM does not use the statistics during the call.
    unsafe {
        match stats.is_null() {
            true => &mut *pg_sys::palloc0(size_of::<pg_sys::IndexBulkDeleteResult>()).cast(),
            false => &mut *stats,
        }
    }
}

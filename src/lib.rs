//! The PostgreSQL side of omendb: the index access method `learned`.

mod ffi {
    pub(crate) use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
}

pgrx::pg_module_magic!();

mod handler;
mod opclass;
mod pg;

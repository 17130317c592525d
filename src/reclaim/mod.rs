//! Entries of dead rows, found by scans and by inserts into full leaves, and their removal.

pub mod kill;
pub mod purge;
pub mod removable;

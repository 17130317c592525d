//! Deleting the entries of dead rows before VACUUM does.
//!
//! - [`killed_entries`]: entries that a scan has found dead.
//! - [`simple_deletion`]: all dead entries of a leaf that an insert would have to split.
//! - [`deletable_rows`]: how both ask the table which rows are dead to everyone.

pub mod deletable_rows;
pub mod killed_entries;
pub mod simple_deletion;

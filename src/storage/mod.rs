//! The core's storage on PostgreSQL's shared buffers and write-ahead log: the only place where
//! pages are read, locked, changed and logged.

mod buffer_hints;
mod buffers;
mod bulk_writer;
mod cache_lines;
mod conflict;
mod dead_line_pointers;
mod disk_space;
mod guards;
mod index_store;
#[cfg(feature = "testing")]
mod lock_order;
mod prefetch;
mod wal;

pub use bulk_writer::BulkWriter;
pub use dead_line_pointers::DeadLinePointers;
pub use guards::PinnedBuffer;
pub use index_store::IndexStore;
pub use prefetch::HeapPrefetch;

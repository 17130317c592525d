//! The core's storage on PostgreSQL's shared buffers and write-ahead log. The only home of buffer FFI.

mod ahead;
mod buffers;
mod bulk;
mod guards;
mod index;
mod lines;
#[cfg(feature = "testing")]
mod order;
mod room;
mod suspects;
mod wal;
mod whereabouts;

pub use ahead::Ahead;
pub use bulk::Bulk;
pub use guards::Pinned;
pub use index::IndexStore;
pub use suspects::Suspects;

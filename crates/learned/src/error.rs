//! Errors of the core. The PostgreSQL side maps them to SQLSTATEs in one place.

use crate::block::Block;

/// What can go wrong inside the index itself. The store raises failures of the storage below (I/O,
/// out of memory) in its own way; they do not pass through here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A page's bytes contradict the format or an invariant of the tree.
    #[error("block {block}: {fault}")]
    Corrupted {
        /// The block whose bytes are wrong.
        block: Block,
        /// What is wrong with the block, for the person who will REINDEX.
        fault: String,
    },
    /// The meta page says that the index was written in another format. Nothing else of the index
    /// was read.
    #[error("version mismatch: index format {found}, library format {supported}")]
    Version {
        /// The format of the index on disk.
        found: u16,
        /// The only format that this library reads and writes: [`crate::meta::FORMAT`].
        supported: u16,
    },
    /// A search was restarted more often than concurrent changes can explain. The pages that it
    /// read were sound, one by one: either links contradict each other, or this library has an
    /// error. A retry does no harm.
    #[error("search for a key did not end after {restarts} restarts")]
    SearchLost {
        /// Restarts until the search gave up: [`crate::policy::tree::MAX_RESTARTS`].
        restarts: u32,
    },
}

/// The core's result type.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A [`Error::Corrupted`] for `block`.
    #[cold]
    pub fn corrupted(block: Block, fault: impl Into<String>) -> Self {
        Self::Corrupted {
            block,
            fault: fault.into(),
        }
    }
}

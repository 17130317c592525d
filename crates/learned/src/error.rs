//! Errors of the core. The PostgreSQL side maps them to SQLSTATEs in one place.

use crate::block::Block;

/// What can go wrong inside the index itself. Failures of the storage below (I/O, out of memory)
/// are raised by the store in its own way and do not pass through here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A page's bytes contradict the format or an invariant of the tree.
    #[error("block {block}: {fault}")]
    Corrupted {
        /// The block whose bytes are wrong.
        block: Block,
        /// What is wrong with it, for the person who will REINDEX.
        fault: String,
    },
    /// A search was led astray more often than concurrent changes can explain.
    #[error("search for a key was restarted {0} times")]
    Lost(u32),
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

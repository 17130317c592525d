//! The algorithms of the omendb learned index, without PostgreSQL.
//!
//! Pages are read and written as 8192-byte arrays through a [`store::Store`], so that the same code
//! runs on PostgreSQL's shared buffers and on an in-memory store with a log and crash points.
//! The tree of pages is the truth; the model only says where to look first.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod block;
pub mod cursor;
pub mod error;
pub mod exact;
pub mod fences;
pub mod inner;
pub mod key;
pub mod leaf;
#[cfg(any(test, feature = "mem"))]
pub mod mem;
pub mod meta;
pub mod model;
#[cfg(any(test, feature = "mem", feature = "testing"))]
pub mod order;
pub mod page;
pub mod policy;
pub mod range;
#[cfg(any(test, feature = "mem"))]
pub mod rng;
pub mod search;
pub mod skip;
pub mod sort;
pub mod store;
pub mod tree;

pub use error::{Error, Result};
pub use key::Entry;
pub use page::{Block, Page};
pub use tree::Tree;

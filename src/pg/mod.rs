//! PostgreSQL's values, scan keys and macros in terms of the core.

//!
//! The handles ([`index`], [`table`], [`scan_desc`], ...) make what is asked of an open relation, a
//! scan or a plan safe to ask. Their constructors are unsafe: each callback makes its handles from
//! the server's pointers in its first lines.

pub mod array;
pub mod build;
pub mod catalog;
pub mod codec;
pub mod cross_type;
pub mod ffi;
pub mod hint;
pub mod index;
pub mod index_paths;
pub mod list;
pub mod node;
pub mod opened;
pub mod planner;
pub mod row;
pub mod scan_desc;
pub mod scan_keys;
pub mod server;
pub mod snapshot;
pub mod table;
pub mod tuplesort;
pub mod vacuum;

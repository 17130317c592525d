//! How SQL values become entries, and entries become SQL values.
//!
//! - [`KeyType`]: one value as an integer in the order of its type, and back.
//! - [`ColumnCodec`]: one column: its value and its NULLs as words of an entry, and conditions on
//!   it.
//! - [`EntryCodec`]: all columns of an index.
//! - [`IndexTupleBuilder`]: the row of an index-only scan.
//! - [`text`]: keys as text, for the functions that inspect an index.

mod column;
mod entry;
mod included;
mod index_tuple;
mod key_type;
pub mod text;

pub use column::ColumnCodec;
pub(crate) use entry::for_words;
pub use entry::{EntryCodec, MAX_COLUMNS, item_pointer, tid_of, unknown_word_count};
pub use index_tuple::IndexTupleBuilder;
pub use key_type::KeyType;

//! Adding entries: at once, or together with those of other rows of the same statement.
//!
//! - [`hooks`]: where statements begin and end.
//! - [`queue`]: the entries that wait until their statement ends.
//! - [`apply`]: adding entries to the tree, and avoiding the split of a full leaf.

pub mod apply;
pub mod hooks;
pub mod queue;

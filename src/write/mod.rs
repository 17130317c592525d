//! Entries of a statement that wait to be added together, and the executor hooks that add them.

pub mod apply;
pub mod hooks;
pub mod queue;

//! Block numbers.

/// A block number within the index.
pub type Block = u32;

/// No block: the right link of the rightmost page of a level.
pub const NO_BLOCK: Block = u32::MAX;
/// The block of the meta page.
pub const META: Block = 0;

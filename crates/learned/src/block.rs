//! Block numbers.

/// A block number within the index.
pub type Block = u32;

/// No block: a rightmost page's right sibling.
pub const NO_BLOCK: Block = u32::MAX;
/// The meta page.
pub const META: Block = 0;

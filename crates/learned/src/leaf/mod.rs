//! Leaves: pages of entries, coded as runs of fixed-width records against lines.
//!
//! - [`view`]: a read-only [`Leaf`] over a page's bytes: point search; `range` reads, nothing unpacked
//! - `add`: which of the following an insert takes; `ahead`: merging the log before it is full
//! - [`patch`]: changes of a handful of bytes: append in place, insert log
//! - `suspects`: entries whose rows may be dead
//! - [`contents`]: the owned form, [`Contents`], and to a page again; `insert` of the log's entries, `split`, [`merge`], `delete`, `remove`
//! - [`pack`]: [`Packer`], sorted entries to full leaves
//! - `run`, `decode`, `seek`: one run: its header and single slots, ranges of slots, search
//! - `encode`, `partition`, `hull`: entries to runs
//! - [`verify`]: all checks of a page
//!
//! ARCHITECTURE.md has the format.

mod add;
mod ahead;
mod bits;
pub mod contents;
mod decode;
mod delete;
mod encode;
mod hull;
mod insert;
pub mod merge;
pub mod pack;
mod partition;
pub mod patch;
mod range;
mod remove;
mod run;
mod seek;
mod split;
mod suspects;
pub mod verify;
pub mod view;

#[cfg(test)]
mod tests;

pub use add::Added;
pub use contents::Contents;
pub use merge::{DENSE, Fill};
pub use pack::Packer;
pub use suspects::{Dead, Offsets, Suspect};
pub use verify::Verified;
pub use view::{Leaf, data_span};

use crate::page::{SPECIAL, head};

/// Most slots of a page. Bounds the time a re-encode takes (and line indices, which are u16).
pub const MAX_SLOTS: usize = 16384;

/// A unit of partitioning, and the most slots of a run that counts as tiny.
const UNIT: usize = 32;

/// Offsets and sizes of a leaf for keys of `W` words, in bytes.
struct Layout<const W: usize>;

impl<const W: usize> Layout<W> {
    /// Low fence.
    const LOW: usize = head::END;
    /// High fence.
    const HIGH: usize = Self::LOW + 8 * (W + 1);
    /// Runs u16, slots u16, dead u16, reserved u16.
    const COUNTS: usize = Self::HIGH + 8 * (W + 1);
    /// The run directory.
    const DIRECTORY: usize = Self::COUNTS + 8;
    /// A run header.
    const RUN: usize = 24 + 24 * W;
    /// An entry of the insert log.
    const ENTRY: usize = 8 * (W + 1);
    /// What directory, data, bitmap (or the room kept for it) and log may take together.
    const ROOM: usize = SPECIAL - Self::DIRECTORY;
    /// Most entries of the insert log: half of the room, so that half of a page's runs and all of its log fit
    /// a page ([`Contents::halve`]). Few enough to be looked through by every search.
    const LOG: usize = {
        let limit = Self::ROOM / 2 / Self::ENTRY;
        if limit < 256 { limit } else { 256 }
    };
    /// The log's room grows by so many entries (a cache line), of which the free ones, which are zero, lie lowest:
    /// not every entry changes `upper`, which would be logged too.
    const STEP: usize = {
        let step = 64 / Self::ENTRY;
        if step > 1 { step } else { 1 }
    };
    /// A page that is full while its log is shorter than this is cut in two rather than merged with it: it would soon be full again.
    const SHORT: usize = Self::LOG * 3 / 16;
    /// A leaf with room for fewer log entries than these is split when its log is merged: it would be merged
    /// again and again until the last byte is used. At 24 one merge in six is saved, but sessions that drift apart leave almost half as many leaves more.
    const LEAST: usize = 8;
    /// The last leaf, if the last inserts all came at its end, is split when there is room for fewer than these (and so is the first, the
    /// other way round): what is to come goes into the new leaf, and the last merges, of few entries each, would be a third of all. At a sixth the
    /// leaves that 8 sessions leave behind overflow more often, by rows that come later.
    const AHEAD: usize = Self::LOG / 4;
}

//! Offsets, sizes and limits of a leaf.

use crate::page::{SPECIAL, head};

/// Most slots of a page. Bounds the time a re-encode takes (and line indices, which are u16).
pub const MAX_SLOTS: usize = 16384;

/// A unit of partitioning, and the most slots of a run that counts as tiny.
pub(in crate::leaf) const UNIT: usize = 32;

/// Offsets and sizes of a leaf for keys of `W` words, in bytes.
pub(in crate::leaf) struct Layout<const W: usize>;

impl<const W: usize> Layout<W> {
    /// Low fence.
    pub(in crate::leaf) const LOW: usize = head::END;
    /// High fence.
    pub(in crate::leaf) const HIGH: usize = Self::LOW + 8 * (W + 1);
    /// Runs u16, slots u16, dead u16, reserved u16.
    pub(in crate::leaf) const COUNTS: usize = Self::HIGH + 8 * (W + 1);
    /// The run directory.
    pub(in crate::leaf) const DIRECTORY: usize = Self::COUNTS + 8;
    /// A run header.
    pub(in crate::leaf) const RUN: usize = 24 + 24 * W;
    /// An entry of the insert log.
    pub(in crate::leaf) const ENTRY: usize = 8 * (W + 1);
    /// What directory, data, bitmap (or the room kept for it) and log may take together.
    pub(in crate::leaf) const ROOM: usize = SPECIAL - Self::DIRECTORY;
    /// Most entries of the insert log: half of the room, so that half of a page's runs and all of its log fit
    /// a page ([`Contents::halve`]). Few enough to be looked through by every search.
    pub(in crate::leaf) const LOG: usize = {
        let limit = Self::ROOM / 2 / Self::ENTRY;
        if limit < 256 { limit } else { 256 }
    };
    /// The log's room grows by so many entries (a cache line), of which the free ones, which are zero, lie lowest:
    /// not every entry changes `upper`, which would be logged too.
    pub(in crate::leaf) const STEP: usize = {
        let step = 64 / Self::ENTRY;
        if step > 1 { step } else { 1 }
    };
    /// A page that is full while its log is shorter than this is cut in two rather than merged with it: it would soon be full again.
    pub(in crate::leaf) const SHORT: usize = Self::LOG * 3 / 16;
    /// A leaf with room for fewer log entries than these is split when its log is merged: it would be merged
    /// again and again until the last byte is used. At 24 one merge in six is saved, but sessions that drift apart leave almost half as many leaves more.
    pub(in crate::leaf) const LEAST: usize = 8;
    /// The last leaf, if the last inserts all came at its end, is split when there is room for fewer than these (and so is the first, the
    /// other way round): what is to come goes into the new leaf, and the last merges, of few entries each, would be a third of all. At a sixth the
    /// leaves that 8 sessions leave behind overflow more often, by rows that come later.
    pub(in crate::leaf) const AHEAD: usize = Self::LOG / 4;
}

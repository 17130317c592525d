//! A model in memory: an undivided one, or the root of a divided one with or without its parts.

use super::{Model, Prediction};
use crate::page::Block;

/// Bytes that a part of a divided model takes in memory; on its page it takes at most that many.
pub const PART_BYTES: usize = 8000;

/// A view of a loaded model.
#[derive(Debug, Clone, Copy)]
pub struct Loaded<'a> {
    root: Model<'a>,
    /// All parts of a divided model, or none.
    parts: &'a [[u8; PART_BYTES]],
}

impl<'a> Loaded<'a> {
    /// A view of the bytes that [`crate::Tree::load_model`] returns. None: they are not a model.
    #[inline(always)]
    pub fn open(bytes: &'a [u8]) -> Option<Self> {
        let root = Model::open(bytes)?;
        let parts = bytes.get(root.bytes()..)?.as_chunks().0;
        Some(Self { root, parts })
    }

    /// The undivided model, or the root of the divided one.
    #[inline(always)]
    pub fn root(&self) -> &Model<'a> {
        &self.root
    }

    /// The bytes of a part. None: the parts are not in memory.
    pub fn part(&self, number: u32) -> Option<&'a [u8]> {
        self.parts.get(number as usize).map(<[u8; _]>::as_slice)
    }

    /// The undivided model, or the parts in memory, each with the ordinal of its first leaf.
    pub fn pieces(&self) -> impl Iterator<Item = (u32, Model<'a>)> {
        let size = self.root.part_leaves();
        let whole = (size == 0).then_some((0, self.root));
        let parts = self.parts.iter().zip(0u32..).filter(move |_| size > 0);
        let parts = parts.filter_map(move |(bytes, number)| {
            Some((number.checked_mul(size)?, Model::open(bytes)?))
        });
        whole.into_iter().chain(parts)
    }

    /// The leaf, and its block, where a part expects a key.
    pub fn predict_in_part<const W: usize>(
        &self,
        number: u32,
        part: &[u8],
        key: &[u64; W],
    ) -> Option<(Prediction, Block)> {
        let part = Model::open(part)?;
        let mut guess = part.predict::<W>(key)?;
        let block = part
            .block(guess.ordinal)
            .filter(|&b| b < self.root.block_bound())?;
        let first = number.checked_mul(self.root.part_leaves())?;
        // A key with the coordinate of the part's first leaf may belong to the leaf before.
        guess.below += u32::from(number > 0 && guess.below == guess.ordinal);
        guess.ordinal = guess.ordinal.checked_add(first)?;
        Some((guess, block))
    }

    /// The leaf, and its block, where a key is expected. None: there is no prediction, or the part
    /// for it is not in memory.
    pub fn predict<const W: usize>(&self, key: &[u64; W]) -> Option<(Prediction, Block)> {
        let guess = self.root.predict::<W>(key)?;
        match self.root.part_leaves() {
            0 => Some((guess, self.root.block(guess.ordinal)?)),
            _ => self.predict_in_part(guess.ordinal, self.part(guess.ordinal)?, key),
        }
    }

    /// The block of a leaf. None: there is no such leaf, or its part is not in memory.
    pub fn block(&self, ordinal: u32) -> Option<Block> {
        let size = self.root.part_leaves();
        let Some(number) = ordinal.checked_div(size) else {
            return self.root.block(ordinal);
        };
        Model::open(self.part(number)?)?.block(ordinal % size)
    }

    /// The leaf with this block, if the model knows it. Reads the whole directory.
    pub fn ordinal(&self, block: Block) -> Option<u32> {
        self.pieces()
            .find_map(|(first, piece)| first.checked_add(piece.ordinal(block)?))
    }

    /// Stages that a search goes through, at most.
    pub fn stages(&self) -> usize {
        let above = if self.root.part_leaves() > 0 {
            self.root.stages()
        } else {
            0
        };
        let pieces = self.pieces().map(|(_, piece)| piece.stages());
        above + pieces.max().unwrap_or(0)
    }

    /// Segments of the last stage.
    pub fn segments(&self) -> usize {
        self.pieces().map(|(_, piece)| piece.segments()).sum()
    }
}

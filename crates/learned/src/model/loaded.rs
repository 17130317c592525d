//! A model in memory: in one piece, or the root of a divided one with its parts behind it, or without them.

use super::{Model, Prediction};
use crate::page::Block;

/// Bytes of a part at most; in memory each takes so many.
pub const PART_BYTES: usize = 8000;

/// A view of a loaded model.
#[derive(Debug, Clone, Copy)]
pub struct Loaded<'a> {
    root: Model<'a>,
    /// Of a divided model all parts or none.
    parts: &'a [[u8; PART_BYTES]],
}

impl<'a> Loaded<'a> {
    /// A view of bytes as [`super::super::Tree::load_model`] returns them. None: they are not a model.
    #[inline(always)]
    pub fn open(bytes: &'a [u8]) -> Option<Self> {
        let root = Model::open(bytes)?;
        let parts = bytes.get(root.bytes()..)?.as_chunks().0;
        Some(Self { root, parts })
    }

    /// The model itself, or the root of a divided one.
    #[inline(always)]
    pub fn root(&self) -> &Model<'a> {
        &self.root
    }

    /// The bytes of a part, if the parts are here.
    pub fn part(&self, number: u32) -> Option<&'a [u8]> {
        self.parts.get(number as usize).map(<[u8; _]>::as_slice)
    }

    /// The model in one piece, or the parts that are here, each with the ordinal of its first leaf.
    pub fn pieces(&self) -> impl Iterator<Item = (u32, Model<'a>)> {
        let size = self.root.part();
        let whole = (size == 0).then_some((0, self.root));
        let parts = self.parts.iter().zip(0u32..).filter(move |_| size > 0);
        let parts = parts.filter_map(move |(bytes, number)| {
            Some((number.checked_mul(size)?, Model::open(bytes)?))
        });
        whole.into_iter().chain(parts)
    }

    /// Leaf and block that a part expects a key at.
    pub fn predict_in_part<const W: usize>(
        &self,
        number: u32,
        part: &[u8],
        key: &[u64; W],
    ) -> Option<(Prediction, Block)> {
        let part = Model::open(part)?;
        let mut guess = part.predict::<W>(key)?;
        let block = part.block(guess.ordinal).filter(|&b| b < self.root.end())?;
        let first = number.checked_mul(self.root.part())?;
        // A key that shares its coordinate with the part's first leaf may belong to the leaf before.
        guess.below += u32::from(number > 0 && guess.below == guess.ordinal);
        guess.ordinal = guess.ordinal.checked_add(first)?;
        Some((guess, block))
    }

    /// Leaf and block that a key is expected at. None also where that takes a part that is not here.
    pub fn predict<const W: usize>(&self, key: &[u64; W]) -> Option<(Prediction, Block)> {
        let guess = self.root.predict::<W>(key)?;
        match self.root.part() {
            0 => Some((guess, self.root.block(guess.ordinal)?)),
            _ => self.predict_in_part(guess.ordinal, self.part(guess.ordinal)?, key),
        }
    }

    /// The block of a leaf. None beyond the leaves, and where that takes a part that is not here.
    pub fn block(&self, ordinal: u32) -> Option<Block> {
        let size = self.root.part();
        let Some(number) = ordinal.checked_div(size) else {
            return self.root.block(ordinal);
        };
        Model::open(self.part(number)?)?.block(ordinal % size)
    }

    /// The leaf with this block, if the model knows it. May look at all of a directory.
    pub fn ordinal(&self, block: Block) -> Option<u32> {
        self.pieces()
            .find_map(|(first, piece)| first.checked_add(piece.ordinal(block)?))
    }

    /// Stages that a search goes through.
    pub fn stages(&self) -> usize {
        let above = if self.root.part() > 0 {
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

//! Verifying a model against the leaves it was trained on.

use super::layout::SEARCH_TREE;
use super::view::Model;
use crate::key::Entry;
use crate::page::Block;

/// What a model gets wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The keys have another number of words.
    #[error("model of {model} words for keys of {keys} words")]
    Words {
        /// The model's.
        model: usize,
        /// The index's.
        keys: usize,
    },
    /// The number of leaves differs.
    #[error("model of {model} leaves for {leaves} leaves")]
    Leaves {
        /// The model's.
        model: u32,
        /// The index's.
        leaves: usize,
    },
    /// A leaf's block differs.
    #[error("leaf {ordinal} is block {block}, the model says {model:?}")]
    Block {
        /// The leaf.
        ordinal: usize,
        /// Where it is.
        block: Block,
        /// Where the model says it is.
        model: Option<Block>,
    },
    /// There is no segment for a leaf's low key.
    #[error("no segment for the keys around leaf {ordinal}")]
    Nowhere {
        /// The leaf.
        ordinal: usize,
    },
    /// A key's leaf lies outside the bounds of its prediction.
    #[error("leaf {truth} predicted as {guess} - {below} + {above}")]
    Bounds {
        /// The key's leaf.
        truth: usize,
        /// The leaf predicted.
        guess: u32,
        /// The bound on the left.
        below: u32,
        /// The bound on the right.
        above: u32,
    },
}

/// The greatest key below `key`; None for the least.
fn before<const W: usize>(key: &[u64; W]) -> Option<[u64; W]> {
    let mut key = *key;
    for word in key.iter_mut().rev() {
        let (less, borrow) = word.overflowing_sub(1);
        *word = less;
        if !borrow {
            return Some(key);
        }
    }
    None
}

impl Model<'_> {
    /// Verifies the model against the leaves it was trained on, in key order: the block of each
    /// leaf, and that the key of each low fence, and the greatest key below it, are within the
    /// stored bounds. Since guesses rise with the key, all keys in between then are, too.
    ///
    /// # Errors
    /// The first difference. If leaves were split since the training, there is one; this only means
    /// that the model is out of date.
    pub fn check<const W: usize>(&self, points: &[(Entry<W>, Block)]) -> Result<(), Mismatch> {
        if self.words() != W {
            return Err(Mismatch::Words {
                model: self.words(),
                keys: W,
            });
        }
        if self.leaves() as usize != points.len() {
            return Err(Mismatch::Leaves {
                model: self.leaves(),
                leaves: points.len(),
            });
        }
        for (ordinal, (low, block)) in points.iter().enumerate() {
            let model = self.block(ordinal as u32);
            if model != Some(*block) {
                return Err(Mismatch::Block {
                    ordinal,
                    block: *block,
                    model,
                });
            }
            for key in [Some(low.key), before(&low.key)].into_iter().flatten() {
                self.check_key(&key, ordinal, points)?;
            }
        }
        Ok(())
    }

    fn check_key<const W: usize>(
        &self,
        key: &[u64; W],
        ordinal: usize,
        points: &[(Entry<W>, Block)],
    ) -> Result<(), Mismatch> {
        let floor = Entry::floor(*key);
        let truth = points
            .partition_point(|(low, _)| *low <= floor)
            .saturating_sub(1);
        let (line, guess) = self
            .predict_unclamped(key)
            .ok_or(Mismatch::Nowhere { ordinal })?;
        let (below, above) = (u32::from(line.below), u32::from(line.above));
        let range = guess.saturating_sub(below) as usize..=guess as usize + above as usize;
        // A segment with this flag makes no predictions.
        if line.flags & SEARCH_TREE == 0 && !range.contains(&truth) {
            return Err(Mismatch::Bounds {
                truth,
                guess,
                below,
                above,
            });
        }
        Ok(())
    }
}

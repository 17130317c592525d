//! Whether the model still describes the tree.

use std::collections::HashMap;

use super::Tree;
use crate::error::Result;
use crate::key::Entry;
use crate::model::Loaded;
use crate::page::Block;
use crate::policy::tree::MAX_STALE_PERCENT;
use crate::store::Store;

impl<S: Store, const W: usize> Tree<'_, S, W> {
    /// Whether more than [`MAX_STALE_PERCENT`] of the leaves are not where the model says, or of
    /// the model's leaves no longer exist. The number of leaves alone would not tell: in a sliding
    /// window of keys it stays the same.
    pub fn is_model_stale(&self) -> Result<bool> {
        let bytes = self.load_model()?;
        let model = bytes.as_deref().and_then(Loaded::open);
        let known: HashMap<Block, u32> = model.iter().flat_map(blocks).collect();
        let (mut leaves, mut found) = (0, 0);
        let mut before = None;
        self.downlinks(&mut |low, block| {
            // Of several leaves with the same key, only the first is fitted.
            let same = before.replace(low.key) == Some(low.key);
            let ordinal = known.get(&block).copied();
            leaves += 1;
            found += usize::from(
                model
                    .iter()
                    .zip(ordinal)
                    .any(|(m, i)| same || finds(m, i, low)),
            );
        })?;
        let most = known.len().max(leaves);
        Ok(most > 1 && (most - found) * 100 > most * MAX_STALE_PERCENT)
    }
}

fn blocks(model: &Loaded<'_>) -> impl Iterator<Item = (Block, u32)> {
    (0..model.root().leaves()).filter_map(|ordinal| Some((model.block(ordinal)?, ordinal)))
}

/// Whether the model finds its leaf `ordinal`, which begins at `low`, within its bounds. True as
/// well if it makes no prediction.
pub(super) fn finds<const W: usize>(model: &Loaded<'_>, ordinal: u32, low: &Entry<W>) -> bool {
    model.predict::<W>(&low.key).is_none_or(|(guess, _)| {
        let lowest = guess.ordinal.saturating_sub(guess.below);
        let highest = guess.ordinal.saturating_add(guess.above);
        // Predictions are for the leaf that covers the lowest entry with the key.
        let truth = match *low == Entry::floor(low.key) {
            true => ordinal,
            false => ordinal.saturating_sub(1),
        };
        (lowest..=highest).contains(&truth)
    })
}

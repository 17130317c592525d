//! `omendb_stats`: what an index consists of.

use std::collections::HashMap;

use learned::key::Entry;
use learned::leaf::Leaf;
use learned::model::Loaded;
use learned::page::{self, Block, Kind, META, PAGE_SIZE};
use learned::store::Store;
use learned::{Result, Tree};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

use super::with_index;
use crate::error::OrRaise;
use crate::pg::codec::{EntryCodec, for_words};
use crate::storage::IndexStore;

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn omendb_stats(
    index: Oid,
) -> TableIterator<
    'static,
    (
        name!(leaves, i64),
        name!(inner_pages, i64),
        name!(entries, i64),
        name!(dead, i64),
        name!(log_entries, i64),
        name!(runs, i64),
        name!(bytes_per_entry, Option<f64>),
        name!(height, i32),
        name!(model_stages, i32),
        name!(segments, i64),
        name!(model_bytes, i64),
        name!(max_error, Option<i64>),
        name!(mean_error, Option<f64>),
        name!(index_bytes, i64),
        name!(btree_bytes, i64),
    ),
> {
    let (codec, s) = with_index(index, pg_sys::AccessShareLock, |index, _| {
        let codec = EntryCodec::of(index);
        let store = IndexStore::new(index, codec.words());
        (
            codec,
            for_words!(codec.words(), collect(&store)).or_raise(index),
        )
    });
    let index_bytes = s.blocks * PAGE_SIZE as u64;
    TableIterator::once((
        s.leaves as i64,
        s.inner_pages as i64,
        s.entries as i64,
        s.dead as i64,
        s.log_entries as i64,
        s.runs as i64,
        (s.entries > 0).then(|| index_bytes as f64 / s.entries as f64),
        s.height,
        s.model_stages,
        s.segments as i64,
        s.model_bytes as i64,
        s.errors.map(|e| e.max as i64),
        s.errors.map(|e| e.mean),
        index_bytes as i64,
        btree_bytes(s.entries, &codec) as i64,
    ))
}

#[derive(Default)]
struct IndexStats {
    blocks: u64,
    leaves: u64,
    inner_pages: u64,
    entries: u64,
    dead: u64,
    log_entries: u64,
    runs: u64,
    height: i32,
    model_stages: i32,
    segments: u64,
    model_bytes: u64,
    errors: Option<ModelErrors>,
}

/// How far the predictions of the model are from the leaves that existed when it was trained, in
/// leaves.
#[derive(Clone, Copy)]
struct ModelErrors {
    max: u32,
    mean: f64,
}

fn collect<const W: usize>(store: &IndexStore) -> Result<IndexStats> {
    IndexStats::collect::<W>(store)
}

impl IndexStats {
    /// Looks at each page once. Changes by other sessions meanwhile may be counted or not.
    fn collect<const W: usize>(store: &IndexStore) -> Result<Self> {
        let tree = Tree::<_, W>::new(store);
        let meta = tree.meta()?;
        let mut stats = Self {
            blocks: store.blocks()?.into(),
            height: i32::from(meta.level) + 1,
            model_bytes: meta.model.bytes,
            ..Self::default()
        };
        let bytes = tree.load_model()?;
        let model = bytes.as_deref().and_then(Loaded::open);
        let mut lows = Vec::new();
        let mut places = HashMap::new();
        if let Some(model) = &model {
            stats.model_stages = model.stages() as i32;
            stats.segments = model.segments() as u64;
            lows.resize(model.root().leaves() as usize, None);
            places = (0..model.root().leaves())
                .filter_map(|ordinal| Some((model.block(ordinal)?, ordinal as usize)))
                .collect::<HashMap<Block, usize>>();
        }
        for block in META + 1..store.blocks()? {
            store.interrupt();
            let page = store.read(block)?;
            match page::kind(&page) {
                _ if page::is_new(&page) => {}
                Some(Kind::Leaf) => {
                    let leaf = Leaf::<W>::open(&page, block)?;
                    stats.leaves += 1;
                    stats.entries += leaf.live() as u64;
                    stats.dead += leaf.tombstones() as u64;
                    stats.log_entries += leaf.log_len() as u64;
                    stats.runs += leaf.runs() as u64;
                    let place = places.get(&block).and_then(|&i| lows.get_mut(i));
                    if let Some(place) = place {
                        *place = Some(leaf.low());
                    }
                }
                Some(Kind::Inner) => stats.inner_pages += 1,
                _ => {}
            }
        }
        stats.errors = model.and_then(|model| model_errors(&model, &lows));
        Ok(stats)
    }
}

/// Predicts the key of each leaf's low fence. Of leaves that begin with the same key only the first
/// counts: a search for the key should end there, or one leaf earlier if the leaf begins within the
/// entries of the key.
fn model_errors<const W: usize>(
    model: &Loaded<'_>,
    lows: &[Option<Entry<W>>],
) -> Option<ModelErrors> {
    let (mut max, mut sum, mut count) = (0, 0, 0u64);
    let mut before = None;
    for (ordinal, low) in (0u32..).zip(lows) {
        let Some(low) = low else { continue };
        if before.replace(low.key) == Some(low.key) {
            continue;
        }
        if let Some((guess, _)) = model.predict(&low.key) {
            let truth = ordinal.saturating_sub(u32::from(low.tie > 0));
            let error = guess.ordinal.abs_diff(truth);
            max = max.max(error);
            sum += u64::from(error);
            count += 1;
        }
    }
    (count > 0).then(|| ModelErrors {
        max,
        mean: sum as f64 / count as f64,
    })
}

/// The size in bytes of a new btree index with this number of entries, none of them with a NULL:
/// with fill factor 90, and without deduplication, which only helps if keys repeat.
fn btree_bytes(entries: u64, codec: &EntryCodec) -> u64 {
    /// A page without its header and special area.
    const SPACE: u64 = PAGE_SIZE as u64 - 24 - 16;
    // An entry is a tuple and its line pointer of 4 bytes. The tuple is a header of 8 bytes and the
    // values, rounded up to a multiple of 8.
    let tuple = codec.columns().iter().fold(8, |end: usize, column| {
        let (length, align) = column.key_type.layout();
        end.next_multiple_of(align) + length
    });
    let entry = tuple.next_multiple_of(8) as u64 + 4;
    // A page is full when an entry leaves less than 10 percent of a leaf free, or 30 percent of an
    // inner page. One entry is the high key.
    let leaf = (SPACE - PAGE_SIZE as u64 / 10 - entry) / entry + 1;
    let inner = (SPACE - PAGE_SIZE as u64 * 3 / 10 - entry) / entry + 1;
    let mut level = entries.div_ceil(leaf);
    let mut pages = 1 + level;
    while level > 1 {
        level = level.div_ceil(inner);
        pages += level;
    }
    pages * PAGE_SIZE as u64
}

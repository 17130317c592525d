//! Tests of the leaf against plain models.
//!
//! - `search`, `suspects`: reads; `bytes`: reads of damaged pages
//! - `model`: any sequence of changes, against a `BTreeSet`
//! - `fit`: all results of a change fit their pages
//! - `bisect`, `early_merge`: the choice between merges and splits
//! - `sizes`, `timing`: figures

mod bisect;
mod bytes;
mod data;
mod early_merge;
mod fit;
mod model;
mod search;
mod sizes;
mod suspects;
mod timing;

use super::format::Layout;
use super::*;
use crate::key::{Entry, tie_of};
use crate::page::{Block, Page};
use crate::policy::leaf::{EARLY_MERGE_ROOM, MAX_SLOTS, PARTITION_UNIT};
use crate::rng::Rng;
use data::*;

const BLOCK: Block = 7;

/// The contents of a leaf with these ascending entries in its runs.
fn leaf_of<const W: usize>(entries: &[Entry<W>]) -> Contents<W> {
    let mut c = Contents::empty(Entry::MIN, Entry::MAX);
    c.runs = encode::encoder::encode(entries);
    c
}

/// As many of these ascending entries as fit a page, and the page.
fn full_page<const W: usize>(entries: &[Entry<W>]) -> (Vec<Entry<W>>, Box<Page>) {
    let mut n = entries.len().min(MAX_SLOTS);
    loop {
        let c = leaf_of(&entries[..n]);
        if let Some(page) = c.to_page() {
            return (entries[..n].to_vec(), page);
        }
        n = n * Layout::<W>::ROOM / c.bytes().max(Layout::<W>::ROOM + 64);
    }
}

fn open<const W: usize>(page: &Page) -> Leaf<'_, W> {
    Leaf::open(page, BLOCK).unwrap()
}

//! The order in which pages are locked, for the checks of that order.

use crate::page::{self, Block, Kind, META, Page, SPECIAL, head, u64_at};

/// The place of a page in the lock order: by level, then by low fence; the meta page is last. A
/// backend that waits for a page holds no page of the same or a later place. None: a backend never
/// waits for such a page while it holds another page.
pub fn rank(page: &Page, block: Block) -> Option<(u16, Vec<u64>)> {
    if block == META {
        return Some((u16::MAX, Vec::new()));
    }
    match page::kind(page) {
        Some(Kind::Leaf | Kind::Inner) => {
            let words = page.get(SPECIAL + 2).map_or(0, |words| usize::from(*words));
            let low = (0..=words)
                .map(|i| u64_at(page, head::END + 8 * i))
                .collect();
            Some((page::level(page).into(), low))
        }
        _ => None,
    }
}

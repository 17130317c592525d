//! The order in which pages are locked, for those who check it.

use crate::page::{self, Block, Kind, META, Page, SPECIAL, head, u64_at};

/// Where a page stands in the order: by level, then by low fence; the meta page is the last one. Whoever waits for a page holds
/// none that stands there or behind it. None: nobody waits for such a page while holding another one.
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

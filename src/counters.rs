//! What this session's searches met, by index.

use std::cell::RefCell;
use std::collections::HashMap;

use learned::tree::Counts;
use pgrx::pg_sys::Oid;

thread_local! {
    static COUNTS: RefCell<HashMap<u32, &'static Counts>> = RefCell::default();
}

/// The counters of an index. They stay where they are until the session ends, since the index's cache refers to
/// them: some forty bytes an index, much less than the server itself remembers of it.
pub fn of(index: Oid) -> &'static Counts {
    COUNTS.with_borrow_mut(|counts| {
        *counts
            .entry(index.to_u32())
            .or_insert_with(|| Box::leak(Box::default()))
    })
}

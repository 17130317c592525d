//! What searches met, by index: those of all sessions if there is memory that they share
//! (`shared.rs`), otherwise those of this session.
//!
//! A session counts in its own memory. It adds its counts to the shared ones after a number of
//! searches and when it ends, so that not every search writes to memory that all sessions use.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use learned::tree::SearchCounts;
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::pg::index::Index;
use crate::pg::server;
use crate::session::shared;

/// The number of searches after which a session adds its counts to the shared ones.
const SEARCHES_UNSHARED: u64 = 64;

thread_local! {
    static SESSION: RefCell<HashMap<u32, &'static Counters>> = RefCell::default();
    /// Whether the server will call [`at_exit`]. It has room for few such callbacks.
    static IS_REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// This session's counters of an index.
pub struct Counters {
    /// Not added to the shared counts yet.
    counts: SearchCounts,
    /// The number of searches in `counts` at which they are shared; `u64::MAX` for never.
    share_at: Cell<u64>,
    /// The OIDs of the database and of the index.
    key: u64,
}

/// The counters of an open index. They stay where they are until the session ends, since the
/// index's cache refers to them: some sixty bytes for each index, much less than the server itself
/// keeps for it.
pub fn for_index(index: Index) -> &'static Counters {
    let oid = index.oid().to_u32();
    let shared = !index.is_temporary() && shared::tally().is_some();
    if shared && !IS_REGISTERED.replace(true) {
        // SAFETY: the callback is a function of this library, which stays loaded. Shared memory of
        // both kinds is still there when it runs.
        unsafe { pg_sys::before_shmem_exit(Some(at_exit), pg_sys::Datum::null()) };
    }
    SESSION.with_borrow_mut(|counters| {
        *counters.entry(oid).or_insert_with(|| {
            Box::leak(Box::new(Counters {
                counts: SearchCounts::default(),
                share_at: Cell::new(if shared { SEARCHES_UNSHARED } else { u64::MAX }),
                key: u64::from(server::database().to_u32()) << 32 | u64::from(oid),
            }))
        })
    })
}

/// Adds all that the session has counted to the shared counts, when the session ends.
#[pg_guard]
extern "C-unwind" fn at_exit(_code: i32, _argument: pg_sys::Datum) {
    SESSION.with_borrow(|counters| {
        let shared = counters.values().filter(|counters| counters.is_shared());
        shared.for_each(|counters| counters.share());
    });
}

impl Counters {
    /// Adds the counts of one callback.
    #[inline(always)]
    pub fn add(&self, met: &SearchCounts) {
        self.counts.add(met);
        if self.counts.searches() >= self.share_at.get() {
            self.share();
        }
    }

    /// Whether the counts are added to the shared ones.
    pub fn is_shared(&self) -> bool {
        self.share_at.get() < u64::MAX
    }

    /// The counts of all sessions if they are shared, otherwise those of this session.
    pub fn totals(&self) -> SearchCounts {
        match shared::tally() {
            Some(tally) if self.is_shared() => {
                self.share();
                tally.counts(self.key)
            }
            _ => self.counts.clone(),
        }
    }

    #[cold]
    fn share(&self) {
        if let Some(tally) = shared::tally() {
            tally.add(self.key, &self.counts.take());
        }
    }
}

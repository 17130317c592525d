//! What searches met, by index: of all sessions where there is memory that they share (`shared.rs`), else of this one.
//!
//! A session keeps its own counts and passes them on after some searches and when it ends, so that what many
//! sessions write to is not written to by every search.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use learned::tree::SearchCounts;
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::session::shared;

/// Searches after which a session passes its counts on.
const SHARE_AFTER: u64 = 64;

thread_local! {
    static SESSION: RefCell<HashMap<u32, &'static Counters>> = RefCell::default();
}

/// This session's counters of an index.
pub struct Counters {
    /// Not passed on yet.
    counts: SearchCounts,
    /// Passed on after so many searches.
    due: Cell<u64>,
    /// The index among all of the server's.
    key: u64,
}

/// The counters of an open index. They stay where they are until the session ends, since the index's cache refers to
/// them: some sixty bytes an index, much less than the server itself remembers of it.
pub fn of(index: pg_sys::Relation) -> &'static Counters {
    // SAFETY: the index is open, and the database known.
    let (oid, database, temporary) = unsafe {
        let form = &*(*index).rd_rel;
        let temporary = form.relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP;
        ((*index).rd_id, pg_sys::MyDatabaseId, temporary)
    };
    let shared = !temporary && shared::tally().is_some();
    let is_first = SESSION.with_borrow(|all| !all.values().any(|of| of.is_shared()));
    if shared && is_first {
        // SAFETY: shared memory of both kinds is still there when these callbacks run.
        unsafe { pg_sys::before_shmem_exit(Some(at_exit), pg_sys::Datum::null()) };
    }
    SESSION.with_borrow_mut(|counters| {
        *counters.entry(oid.to_u32()).or_insert_with(|| {
            Box::leak(Box::new(Counters {
                counts: SearchCounts::default(),
                due: Cell::new(if shared { SHARE_AFTER } else { u64::MAX }),
                key: u64::from(database.to_u32()) << 32 | u64::from(oid.to_u32()),
            }))
        })
    })
}

/// The session ends: all that it has counted is passed on.
#[pg_guard]
unsafe extern "C-unwind" fn at_exit(_code: i32, _argument: pg_sys::Datum) {
    SESSION.with_borrow(|counters| {
        let shared = counters.values().filter(|counters| counters.is_shared());
        shared.for_each(|counters| counters.share());
    });
}

impl Counters {
    /// Adds what the searches of a callback met.
    #[inline(always)]
    pub fn add(&self, met: &SearchCounts) {
        self.counts.add(met);
        if self.counts.searches() >= self.due.get() {
            self.share();
        }
    }

    /// Whether others see the counts.
    pub fn is_shared(&self) -> bool {
        self.due.get() < u64::MAX
    }

    /// The counts known here: of all sessions or of this one.
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

//! Checks the order in which this backend locks pages, in builds with the feature `testing`.

use std::cell::RefCell;

use learned::order::rank;
use learned::page::{self, Block, Kind};
use learned::store::Guard;
use pgrx::pg_sys;

thread_local! {
    /// The buffers that this backend has locked, in the order of locking, each with its block.
    static LOCKED: RefCell<Vec<(pg_sys::Buffer, Block)>> = const { RefCell::new(Vec::new()) };
}

/// Notes that a buffer was locked.
pub fn note_locked(buffer: pg_sys::Buffer, block: Block) {
    LOCKED.with_borrow_mut(|locked| locked.push((buffer, block)));
}

/// Notes that a buffer was unlocked.
pub fn note_unlocked(buffer: pg_sys::Buffer) {
    LOCKED.with_borrow_mut(|locked| locked.retain(|locked| locked.0 != buffer));
}

/// A page for whose lock this backend waited, or would have waited.
pub trait LockOrder: Guard {
    /// Ends the process if the page comes before another locked page in the order of locks: two
    /// backends could then wait for each other.
    fn in_order(self) -> Self
    where
        Self: Sized,
    {
        let (new, target) = (self.block(), rank(&self, self.block()));
        // An out-of-date link may lead to a free page, but not yet to what the page becomes later.
        if page::kind(&self) == Some(Kind::Free) {
            return self;
        }
        LOCKED.with_borrow(|locked| {
            for &(buffer, block) in locked.iter().filter(|locked| locked.1 != new) {
                // SAFETY: this backend has the buffer pinned and locked, so its page can be read.
                let page = unsafe { &*pg_sys::BufferGetPage(buffer).cast::<page::Page>() };
                let rank = rank(page, block);
                // No process waits for a page that was allocated and is not linked yet.
                let allocated = page::is_new(page) || page::kind(page) == Some(Kind::Free);
                if !allocated && (rank.is_none() || target.is_none() || rank >= target) {
                    eprintln!("order of locks: waited for block {new} while holding block {block}");
                    std::process::abort();
                }
            }
        });
        self
    }
}

impl<G: Guard> LockOrder for G {}

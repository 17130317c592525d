//! The order in which this backend locks pages, checked in builds with the feature `testing`.

use std::cell::RefCell;

use learned::order::rank;
use learned::page::{self, Block, Kind};
use learned::store::Guard;
use pgrx::pg_sys;

thread_local! {
    /// Buffers that this backend has locked, in the order in which it did, each with its block.
    static HELD: RefCell<Vec<(pg_sys::Buffer, Block)>> = const { RefCell::new(Vec::new()) };
}

/// Notes a lock.
pub fn locked(buffer: pg_sys::Buffer, block: Block) {
    HELD.with_borrow_mut(|held| held.push((buffer, block)));
}

/// Notes that a lock is given up.
pub fn unlocked(buffer: pg_sys::Buffer) {
    HELD.with_borrow_mut(|held| held.retain(|held| held.0 != buffer));
}

/// A page whose lock this backend waited for, or would have.
pub trait Waited: Guard {
    /// Ends the process if the page stands before another one that is locked, so that two backends could wait for each other.
    fn in_order(self) -> Self
    where
        Self: Sized,
    {
        let (new, target) = (self.block(), rank(&self, self.block()));
        // Out-of-date links may lead to a page that is free, but not yet to what becomes of it.
        if page::kind(&self) == Some(Kind::Free) {
            return self;
        }
        HELD.with_borrow(|held| {
            for &(buffer, block) in held.iter().filter(|held| held.1 != new) {
                // SAFETY: the buffer is pinned and locked by this backend.
                let page = unsafe { &*pg_sys::BufferGetPage(buffer).cast::<page::Page>() };
                let rank = rank(page, block);
                // Nobody waits for a page that has only been taken so far.
                let taken = page::is_new(page) || page::kind(page) == Some(Kind::Free);
                if !taken && (rank.is_none() || target.is_none() || rank >= target) {
                    eprintln!(
                        "order of locks: block {new} is waited for while block {block} is held"
                    );
                    std::process::abort();
                }
            }
        });
        self
    }
}

impl<G: Guard> Waited for G {}

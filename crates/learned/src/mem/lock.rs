//! Page locks of the in-memory store, the check of their order, and threads that wait for them.

use std::ops::Deref;
use std::sync::{Arc, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use super::{Mem, State};
use crate::error::{Error, Result};
use crate::order::rank;
use crate::page::{self, Block, Kind, Page};
use crate::store::Guard;

/// A thread that waits longer than this for a lock is taken to be in a deadlock.
const DEADLOCK_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(super) struct Lock {
    readers: Vec<ThreadId>,
    pub(super) writer: Option<ThreadId>,
    /// Pins without a lock.
    pins: usize,
}

impl Lock {
    pub(super) fn is_free_for(&self, mode: Mode) -> bool {
        self.writer.is_none()
            && (mode == Mode::Share || self.readers.is_empty())
            && (mode != Mode::Cleanup || self.pins == 0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Share,
    Exclusive,
    /// Exclusive, and no other thread has a pin.
    Cleanup,
}

pub(super) struct Held {
    pub(super) block: Block,
    /// Allocated and not committed yet: no thread waits for it.
    pub(super) fresh: bool,
}

impl State {
    pub(super) fn hold(&mut self, thread: ThreadId, block: Block, fresh: bool) {
        self.held
            .entry(thread)
            .or_default()
            .push(Held { block, fresh });
    }
}

impl Mem {
    /// Releases a page's lock and keeps the page pinned.
    pub fn pin(&self, page: MemGuard<false>) -> MemPin {
        let block = page.block;
        self.state().locks.entry(block).or_default().pins += 1;
        MemPin {
            mem: self.clone(),
            block,
        }
    }

    /// Locks a page. None: another thread has the lock, and `wait` is false.
    fn lock(&self, block: Block, mode: Mode, wait: bool) -> Result<Option<Arc<Page>>> {
        let me = thread::current().id();
        let mut state = self.pass(self.state());
        state.reads += 1;
        if state.read_limit.is_some_and(|limit| state.reads > limit) {
            return Err(state.breach(block, "read in an endless search".into()));
        }
        let Some(page) = state.pages.get(block as usize) else {
            return Err(Error::corrupted(block, "beyond the end of the index"));
        };
        let target = rank(page, block);
        // A link that is out of date may lead to a free page, but not to what the page becomes
        // later.
        let idle = page::kind(page) == Some(Kind::Free);
        let mut breach = None;
        for held in state.held.get(&me).into_iter().flatten() {
            if held.block == block {
                return Err(state.breach(block, "locked twice by the same thread".into()));
            }
            let page = state.pages.get(held.block as usize);
            let rank = page.and_then(|page| rank(page, held.block));
            if !held.fresh && !idle && (rank.is_none() || target.is_none() || rank >= target) {
                breach = Some(format!("locked while block {} is held", held.block));
            }
        }
        if let Some(fault) = breach {
            return Err(state.breach(block, fault));
        }
        loop {
            let lock = state.locks.entry(block).or_default();
            if lock.is_free_for(mode) {
                match mode {
                    Mode::Share => lock.readers.push(me),
                    Mode::Exclusive | Mode::Cleanup => lock.writer = Some(me),
                }
                break;
            }
            if !wait {
                return Ok(None);
            }
            let acquired;
            (state, acquired) = match state.task() {
                Some(task) => self.wait(state, task, block),
                None => {
                    let waited = self.0.wake.wait_timeout(state, DEADLOCK_TIMEOUT);
                    let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    (state, !timeout.timed_out())
                }
            };
            if !acquired {
                return Err(state.breach(block, "waited for in a deadlock".into()));
            }
        }
        state.hold(me, block, false);
        match state.pages.get(block as usize) {
            Some(page) => Ok(Some(page.clone())),
            None => Err(Error::corrupted(block, "beyond the end of the index")),
        }
    }

    pub(super) fn guard<const EXCLUSIVE: bool>(
        &self,
        block: Block,
        mode: Mode,
        wait: bool,
    ) -> Result<Option<MemGuard<EXCLUSIVE>>> {
        let page = self.lock(block, mode, wait)?;
        Ok(page.map(|page| MemGuard {
            page,
            mem: self.clone(),
            block,
        }))
    }

    pub(super) fn guard_after_wait<const EXCLUSIVE: bool>(
        &self,
        block: Block,
        mode: Mode,
    ) -> Result<MemGuard<EXCLUSIVE>> {
        let fault = || Error::corrupted(block, "not locked after a wait");
        self.guard(block, mode, true)?.ok_or_else(fault)
    }

    fn unlock(&self, block: Block) {
        let me = thread::current().id();
        let mut state = self.state();
        if let Some(held) = state.held.get_mut(&me) {
            held.retain(|held| held.block != block);
        }
        if state.held.values().all(Vec::is_empty) {
            state.idle_at = state.now();
        }
        if let Some(lock) = state.locks.get_mut(&block) {
            if lock.writer == Some(me) {
                lock.writer = None;
            } else if let Some(at) = lock.readers.iter().position(|reader| *reader == me) {
                lock.readers.swap_remove(at);
            }
        }
        state.unlocked(block);
        drop(self.pass(state));
        self.0.wake.notify_all();
    }
}

/// A locked page of a [`Mem`].
pub struct MemGuard<const EXCLUSIVE: bool> {
    pub(super) mem: Mem,
    pub(super) block: Block,
    pub(super) page: Arc<Page>,
}

impl<const EXCLUSIVE: bool> Deref for MemGuard<EXCLUSIVE> {
    type Target = Page;
    fn deref(&self) -> &Page {
        &self.page
    }
}

impl<const EXCLUSIVE: bool> Guard for MemGuard<EXCLUSIVE> {
    fn block(&self) -> Block {
        self.block
    }
}

impl<const EXCLUSIVE: bool> Drop for MemGuard<EXCLUSIVE> {
    fn drop(&mut self) {
        self.mem.unlock(self.block);
    }
}

/// A page pinned without a lock.
pub struct MemPin {
    mem: Mem,
    block: Block,
}

impl Drop for MemPin {
    fn drop(&mut self) {
        let mut state = self.mem.state();
        if let Some(lock) = state.locks.get_mut(&self.block) {
            lock.pins -= 1;
        }
        state.unlocked(self.block);
        self.mem.0.wake.notify_all();
    }
}

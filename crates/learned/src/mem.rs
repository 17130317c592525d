//! An in-memory store for simulation. It keeps a log of records, from which the pages after any
//! record can be rebuilt, applies patches as redo of PostgreSQL's generic WAL records does, blocks
//! threads on page locks, and reports every breach of the rules for locks and records.

mod lock;
mod record;
mod schedule;

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::error::{Error, Result};
use crate::page::{self, Block, Kind, PAGE_SIZE, Page, is_new};
use crate::store::{Change, MAX_CHANGES, Store};
use crate::tree::Sink;
use lock::{Held, Lock, Mode};
use record::Logged;

pub use lock::{MemGuard, MemPin};
pub use record::Record;
pub use schedule::Task;

/// The fault of a commit that fails because the test asked for it.
pub const REFUSED: &str = "commit refused, as the test asked";

/// The store. Clones share the pages.
#[derive(Clone)]
pub struct Mem(Arc<MemShared>);

struct MemShared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    base: Vec<Arc<Page>>,
    pages: Vec<Arc<Page>>,
    locks: HashMap<Block, Lock>,
    held: HashMap<ThreadId, Vec<Held>>,
    log: Vec<Record>,
    breaches: Vec<String>,
    reads: u64,
    /// The moment of the first record.
    began: u64,
    /// The last moment at which no thread held a page.
    idle_at: u64,
    /// Commits that still succeed.
    fail_after: Option<u64>,
    /// Pages that [`Store::allocate_spare`] still returns.
    spare: Option<u64>,
    read_limit: Option<u64>,
    schedule: Option<schedule::Schedule>,
    /// Calls of [`Store::vacuuming`] under way.
    vacuums: u32,
    /// Calls of [`Store::unless_vacuuming`] under way.
    shifts: u32,
}

impl Mem {
    /// A store with these pages, from block 0 on, and an empty log.
    pub fn new(pages: Vec<Arc<Page>>) -> Self {
        let free = pages
            .iter()
            .filter(|page| page::kind(page) == Some(Kind::Free));
        let began = free.map(|page| page::freed_at(page)).max().unwrap_or(0);
        Self(Arc::new(MemShared {
            state: Mutex::new(State {
                base: pages.clone(),
                pages,
                began,
                idle_at: began,
                ..State::default()
            }),
            wake: Condvar::new(),
        }))
    }

    /// A store with each of these pages at its block.
    pub fn from_blocks(pages: impl IntoIterator<Item = (Block, Box<Page>)>) -> Self {
        let mut sink = Pages::default();
        for (block, page) in pages {
            sink.set(block, &page);
        }
        Self::new(sink.0)
    }

    /// The pages now.
    pub fn pages(&self) -> Vec<Arc<Page>> {
        self.state().pages.clone()
    }

    /// The pages before the first record.
    pub fn base(&self) -> Vec<Arc<Page>> {
        self.state().base.clone()
    }

    /// Number of records.
    pub fn log_len(&self) -> usize {
        self.state().log.len()
    }

    /// All records.
    pub fn log(&self) -> Vec<Record> {
        self.state().log.clone()
    }

    /// All breaches of the rules.
    pub fn breaches(&self) -> Vec<String> {
        self.state().breaches.clone()
    }

    /// Number of page locks taken, including failed attempts.
    pub fn reads(&self) -> u64 {
        self.state().reads
    }

    /// Makes every page lock after the first `count` an error, so that an endless search ends.
    pub fn limit_reads(&self, count: u64) {
        self.state().read_limit = Some(count);
    }

    /// Makes all commits after the next `count` fail, until the next call. None: none fails.
    pub fn fail_after(&self, count: Option<u64>) {
        self.state().fail_after = count;
    }

    /// Lets [`Store::allocate_spare`] return `count` more pages, until the next call. None: any
    /// number.
    pub fn limit_spare(&self, count: Option<u64>) {
        self.state().spare = count;
    }

    /// Changes a page without lock and record.
    pub fn damage(&self, block: Block, change: impl FnOnce(&mut Page)) {
        if let Some(page) = self.state().pages.get_mut(block as usize) {
            change(Arc::make_mut(page));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    #[cold]
    fn breach(&mut self, block: Block, fault: String) -> Error {
        self.breaches.push(format!("block {block}: {fault}"));
        Error::corrupted(block, fault)
    }

    /// The current moment: it grows with each record.
    fn now(&self) -> u64 {
        self.began + self.log.len() as u64
    }
}

impl Store for Mem {
    type Read = MemGuard<false>;
    type Write = MemGuard<true>;

    fn read(&self, block: Block) -> Result<Self::Read> {
        self.guard_after_wait(block, Mode::Share)
    }

    fn write(&self, block: Block) -> Result<Self::Write> {
        self.guard_after_wait(block, Mode::Exclusive)
    }

    fn write_for_cleanup(&self, block: Block) -> Result<Self::Write> {
        let me = thread::current().id();
        let mut state = self.state();
        if state.held.get(&me).is_some_and(|held| !held.is_empty()) {
            return Err(state.breach(block, "cleanup lock while holding locks".into()));
        }
        drop(state);
        self.guard_after_wait(block, Mode::Cleanup)
    }

    fn try_write_for_cleanup(&self, block: Block) -> Result<Option<Self::Write>> {
        self.guard(block, Mode::Cleanup, false)
    }

    fn allocate(&self) -> Result<Self::Write> {
        let me = thread::current().id();
        let mut state = self.pass(self.state());
        let State {
            pages,
            locks,
            idle_at,
            ..
        } = &mut *state;
        let idle = |lock: Option<&Lock>| lock.is_none_or(|l| l.is_free_for(Mode::Exclusive));
        let block = (1..).zip(pages.iter().skip(1)).find_map(|(block, page)| {
            let passed = page::freed_at(page) <= *idle_at;
            let reusable = is_new(page) || page::kind(page) == Some(Kind::Free) && passed;
            (reusable && idle(locks.get(&block))).then_some(block)
        });
        let block = block.unwrap_or_else(|| {
            pages.push(Arc::new([0; PAGE_SIZE]));
            pages.len() as Block - 1
        });
        locks.entry(block).or_default().writer = Some(me);
        state.hold(me, block, true);
        let page = state.pages.get(block as usize).cloned();
        drop(state);
        Ok(MemGuard {
            mem: self.clone(),
            block,
            page: page.unwrap_or_else(|| Arc::new([0; PAGE_SIZE])),
        })
    }

    fn allocate_spare(&self) -> Result<Option<Self::Write>> {
        let mut state = self.state();
        if let Some(left) = &mut state.spare {
            if *left == 0 {
                return Ok(None);
            }
            *left -= 1;
        }
        drop(state);
        self.allocate().map(Some)
    }

    fn commit(&self, changes: &mut [(&mut Self::Write, Change)]) -> Result<()> {
        let me = thread::current().id();
        let mut state = self.pass(self.state());
        if state.refuses() {
            return Err(Error::corrupted(0, REFUSED));
        }
        if let Some(left) = &mut state.fail_after {
            if *left == 0 {
                return Err(Error::corrupted(0, REFUSED));
            }
            *left -= 1;
        }
        if changes.is_empty() || changes.len() > MAX_CHANGES {
            return Err(state.breach(0, format!("{} pages in a record", changes.len())));
        }
        let mut staged: Vec<(Block, Box<Page>)> = Vec::new();
        for (guard, change) in changes.iter() {
            let block = guard.block;
            if staged.iter().any(|(other, _)| *other == block) {
                return Err(state.breach(block, "twice in a record".into()));
            }
            if state
                .locks
                .get(&block)
                .is_none_or(|lock| lock.writer != Some(me))
            {
                return Err(state.breach(block, "changed without exclusive lock".into()));
            }
            match state.stage(block, change) {
                Ok(page) => staged.push((block, page)),
                Err(fault) => return Err(state.breach(block, fault)),
            }
        }
        let mut record = Vec::new();
        for ((guard, change), (block, page)) in changes.iter_mut().zip(staged) {
            let page = Arc::new(*page);
            record.push(match change {
                Change::Image(_) => (block, Logged::Image(page.clone())),
                Change::Patch(patch) => (block, Logged::Patch(std::mem::take(patch))),
            });
            if let Some(held) = state.held.get_mut(&me) {
                held.iter_mut()
                    .filter(|held| held.block == block)
                    .for_each(|held| held.fresh = false);
            }
            if let Some(slot) = state.pages.get_mut(block as usize) {
                *slot = page.clone();
            }
            guard.page = page;
        }
        state.log.push(Record(record));
        Ok(())
    }

    fn blocks(&self) -> Result<Block> {
        Ok(self.state().pages.len() as Block)
    }

    fn moment(&self) -> u64 {
        self.state().now() + 1
    }

    fn has_passed(&self, moment: u64) -> bool {
        moment <= self.state().idle_at
    }

    fn vacuuming<R>(&self, work: impl FnOnce() -> R) -> R {
        loop {
            let mut state = self.pass(self.state());
            if state.shifts == 0 {
                state.vacuums += 1;
                break;
            }
            drop(state);
            thread::yield_now();
        }
        let done = work();
        self.state().vacuums -= 1;
        done
    }

    fn unless_vacuuming<R>(&self, work: impl FnOnce() -> R) -> Option<R> {
        let mut state = self.state();
        if state.vacuums > 0 {
            return None;
        }
        state.shifts += 1;
        drop(state);
        let done = work();
        self.state().shifts -= 1;
        Some(done)
    }

    fn interrupt(&self) {
        let me = thread::current().id();
        let mut state = self.pass(self.state());
        if let Some(held) = state.held.get(&me).and_then(|held| held.first()) {
            let block = held.block;
            state.breach(block, "held at an interrupt check".into());
        }
    }
}

/// Pages by block, as a build writes them.
#[derive(Default)]
pub struct Pages(pub Vec<Arc<Page>>);

impl Pages {
    fn set(&mut self, block: Block, page: &Page) {
        let block = block as usize;
        if self.0.len() <= block {
            self.0.resize(block + 1, Arc::new([0; PAGE_SIZE]));
        }
        if let Some(slot) = self.0.get_mut(block) {
            *slot = Arc::new(*page);
        }
    }
}

impl Sink for Pages {
    fn put(&mut self, block: Block, page: &Page) -> Result<()> {
        self.set(block, page);
        Ok(())
    }
}

//! An in-memory store for simulation: it keeps a log of records from which the state at any record
//! boundary can be rebuilt, applies patches as PostgreSQL's generic redo does, blocks threads on
//! page locks, and notes every breach of the rules for locks and records.

mod schedule;

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::page::{
    self, Block, Kind, META, PAGE_SIZE, Page, SPECIAL, head, hole, is_new, pd, u16_at, u64_at,
};
use crate::store::{Change, Guard, MAX_CHANGES, Patch, Store, zero_hole};
use crate::tree::Sink;

pub use schedule::Task;

/// A lock that is not had after this long will never be had.
const DEADLOCK: Duration = Duration::from_secs(20);

/// The error of a commit that the test wanted to fail.
pub const REFUSED: &str = "commit refused, as the test asked";

/// The store; clones share it.
#[derive(Clone)]
pub struct Mem(Arc<Shared>);

struct Shared {
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
    /// The moment when last nobody held a page.
    idle_at: u64,
    fail_after: Option<u64>,
    spare: Option<u64>,
    read_limit: Option<u64>,
    schedule: Option<schedule::Schedule>,
}

#[derive(Default)]
struct Lock {
    readers: Vec<ThreadId>,
    writer: Option<ThreadId>,
    /// Pins without a lock.
    pins: usize,
}

impl Lock {
    fn is_free_for(&self, mode: Mode) -> bool {
        self.writer.is_none()
            && (mode == Mode::Share || self.readers.is_empty())
            && (mode != Mode::Cleanup || self.pins == 0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Share,
    Exclusive,
    /// Exclusive, and nobody has a pin.
    Cleanup,
}

struct Held {
    block: Block,
    /// Allocated and not committed yet: nobody waits for it.
    fresh: bool,
}

/// One atomic change of up to [`MAX_CHANGES`] pages.
#[derive(Clone)]
pub struct Record(Vec<(Block, Logged)>);

#[derive(Clone)]
enum Logged {
    Image(Arc<Page>),
    Patch(Patch),
}

impl Record {
    /// The blocks it changes, in order.
    pub fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        self.0.iter().map(|(block, _)| *block)
    }

    /// Applies it as redo does; missing blocks are added as zero pages.
    pub fn redo(&self, pages: &mut Vec<Arc<Page>>) {
        for (block, logged) in &self.0 {
            let block = *block as usize;
            if pages.len() <= block {
                pages.resize(block + 1, Arc::new([0; PAGE_SIZE]));
            }
            if let Some(page) = pages.get_mut(block) {
                match logged {
                    Logged::Image(image) => *page = image.clone(),
                    Logged::Patch(patch) => {
                        let page = Arc::make_mut(page);
                        patch.apply(page);
                        zero_hole(page);
                    }
                }
            }
        }
    }
}

impl Mem {
    /// A store with these pages, from block 0 on, and an empty log.
    pub fn new(pages: Vec<Arc<Page>>) -> Self {
        let free = pages
            .iter()
            .filter(|page| page::kind(page) == Some(Kind::Free));
        let began = free.map(|page| page::freed_at(page)).max().unwrap_or(0);
        Self(Arc::new(Shared {
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

    /// A store with these pages, wherever they belong.
    pub fn of(pages: impl IntoIterator<Item = (Block, Box<Page>)>) -> Self {
        let mut sink = Pages::default();
        for (block, page) in pages {
            sink.set(block, &page);
        }
        Self::new(sink.0)
    }

    /// The pages as they are.
    pub fn pages(&self) -> Vec<Arc<Page>> {
        self.state().pages.clone()
    }

    /// The pages before the first record.
    pub fn base(&self) -> Vec<Arc<Page>> {
        self.state().base.clone()
    }

    /// Records so far.
    pub fn log_len(&self) -> usize {
        self.state().log.len()
    }

    /// All records.
    pub fn log(&self) -> Vec<Record> {
        self.state().log.clone()
    }

    /// Breaches of the rules so far.
    pub fn breaches(&self) -> Vec<String> {
        self.state().breaches.clone()
    }

    /// Pages locked so far.
    pub fn reads(&self) -> u64 {
        self.state().reads
    }

    /// No page can be locked any more after `count` in all: an endless search ends as an error.
    pub fn limit_reads(&self, count: u64) {
        self.state().read_limit = Some(count);
    }

    /// Lets `count` more commits through; all later ones are errors, until the next call.
    pub fn fail_after(&self, count: Option<u64>) {
        self.state().fail_after = count;
    }

    /// Only so many more pages are spare, until the next call; None: as many as asked for.
    pub fn limit_spare(&self, count: Option<u64>) {
        self.state().spare = count;
    }

    /// Overwrites a page behind everybody's back.
    pub fn damage(&self, block: Block, change: impl FnOnce(&mut Page)) {
        if let Some(page) = self.state().pages.get_mut(block as usize) {
            change(Arc::make_mut(page));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up a page's lock and keeps it pinned.
    pub fn pin(&self, page: MemGuard<false>) -> MemPin {
        let block = page.block;
        self.state().locks.entry(block).or_default().pins += 1;
        MemPin {
            mem: self.clone(),
            block,
        }
    }

    /// None: the lock is not to be had at once, and `wait` is false.
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
        // Out-of-date links may lead to a page that is free, but not yet to what becomes of it.
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
            let had;
            (state, had) = match state.task() {
                Some(task) => self.wait(state, task, block),
                None => {
                    let waited = self.0.wake.wait_timeout(state, DEADLOCK);
                    let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    (state, !timeout.timed_out())
                }
            };
            if !had {
                return Err(state.breach(block, "waited for in vain: deadlock".into()));
            }
        }
        state.hold(me, block, false);
        match state.pages.get(block as usize) {
            Some(page) => Ok(Some(page.clone())),
            None => Err(Error::corrupted(block, "beyond the end of the index")),
        }
    }

    fn guard<const EXCLUSIVE: bool>(
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

    fn guard_at_last<const EXCLUSIVE: bool>(
        &self,
        block: Block,
        mode: Mode,
    ) -> Result<MemGuard<EXCLUSIVE>> {
        let fault = || Error::corrupted(block, "not locked although waited for");
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

impl State {
    #[cold]
    fn breach(&mut self, block: Block, fault: String) -> Error {
        self.breaches.push(format!("block {block}: {fault}"));
        Error::corrupted(block, fault)
    }

    /// Counts records.
    fn now(&self) -> u64 {
        self.began + self.log.len() as u64
    }

    fn hold(&mut self, thread: ThreadId, block: Block, fresh: bool) {
        self.held
            .entry(thread)
            .or_default()
            .push(Held { block, fresh });
    }

    /// Checks one change of a record and returns the page as it will be.
    fn stage(&self, block: Block, change: &Change) -> std::result::Result<Box<Page>, String> {
        let old = self.pages.get(block as usize).ok_or("no such block")?;
        let mut new = Box::new(**old);
        match change {
            Change::Image(image) => new.copy_from_slice(image.as_slice()),
            Change::Patch(patch) => {
                if is_new(old) {
                    return Err("a patch to a page never written".into());
                }
                if patch.spans().any(|(at, bytes)| {
                    at < pd::LOWER || bytes.is_empty() || at + bytes.len() > PAGE_SIZE
                }) {
                    return Err("a range beyond the page or in the log position".into());
                }
                patch.apply(&mut new);
            }
        }
        let (lower, upper) = hole(&new, block).map_err(|error| error.to_string())?;
        if u16_at(&new, pd::SPECIAL) as usize != SPECIAL {
            return Err("the special area moved".into());
        }
        if new
            .get(lower..upper)
            .is_some_and(|hole| hole.iter().any(|byte| *byte != 0))
        {
            match change {
                Change::Image(_) => return Err("an image with bytes in its hole".into()),
                Change::Patch(patch) => {
                    let inside =
                        |(at, bytes): (usize, &[u8])| at < upper && at + bytes.len() > lower;
                    if patch.spans().any(inside) {
                        return Err("a patch that writes into the hole".into());
                    }
                }
            }
            zero_hole(&mut new);
        }
        Ok(new)
    }
}

/// Order in which pages are locked: level, then low fence; the meta page last.
fn rank(page: &Page, block: Block) -> Option<(u16, Vec<u64>)> {
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

/// A locked page of a [`Mem`].
pub struct MemGuard<const EXCLUSIVE: bool> {
    mem: Mem,
    block: Block,
    page: Arc<Page>,
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

impl Store for Mem {
    type Read = MemGuard<false>;
    type Write = MemGuard<true>;

    fn read(&self, block: Block) -> Result<Self::Read> {
        self.guard_at_last(block, Mode::Share)
    }

    fn write(&self, block: Block) -> Result<Self::Write> {
        self.guard_at_last(block, Mode::Exclusive)
    }

    fn write_for_cleanup(&self, block: Block) -> Result<Self::Write> {
        let me = thread::current().id();
        let mut state = self.state();
        if state.held.get(&me).is_some_and(|held| !held.is_empty()) {
            return Err(state.breach(block, "cleanup lock while holding locks".into()));
        }
        drop(state);
        self.guard_at_last(block, Mode::Cleanup)
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

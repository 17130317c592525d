//! Rows of one statement whose entries wait, so that those of one leaf are added together, by one record.
//!
//! An entry may wait as long as nobody can miss it. Other sessions cannot see a row before its transaction commits; this one
//! could, by a query within the statement (of a function or a trigger, say). So entries wait no longer than to the end of the statement's run, to the start
//! of another one within, and to the next scan of this session. VACUUM must not free the row meanwhile, and does not as long as
//! the transaction that inserted it is running: so only rows that nothing can take back
//! before their entries are added may wait. `INSERT ... ON CONFLICT` takes rows back, and so do subtransactions; the
//! rows of these do not wait. ARCHITECTURE.md has the argument.

use std::any::Any;
use std::cell::RefCell;

use learned::Entry;
use pgrx::pg_sys::{self, Oid, SubTransactionId};

use crate::insert;
use crate::options;
use crate::pg::columns::{Columns, for_words};
use crate::pg::ffi;

/// So many entries of an index are added at once first: most statements have no more rows.
const AT_ONCE: u32 = 3;
/// Entries of so many indexes may wait at a time.
const MOST_INDEXES: usize = 16;

/// Entries of an index that wait.
struct Waiting {
    index: Oid,
    at_once: u32,
    /// A vector of `Entry<W>`, if there is one.
    entries: Option<Box<dyn Any>>,
}

/// A statement that runs, or something within one.
struct Frame {
    /// Where it began.
    subxact: SubTransactionId,
    /// Whether entries may wait.
    may_wait: bool,
    waiting: Vec<Waiting>,
}

thread_local! {
    /// The innermost last. Entries wait in that one only. No function of the server that may raise an error is called while this is borrowed.
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// What becomes of an entry.
pub enum Put<const W: usize> {
    /// It is to be added now.
    AtOnce,
    /// It waits.
    Waits,
    /// These, and it is one of them, are to be added now.
    Full(Vec<Entry<W>>),
}

/// Whether no statement runs whose entries may wait.
#[inline]
pub fn is_idle() -> bool {
    FRAMES.with_borrow(Vec::is_empty)
}

/// A statement begins to run, or something within one. Returns how many there were before.
pub fn enter(may_wait: bool) -> usize {
    settle();
    // SAFETY: may be asked at any time.
    let subxact = unsafe { ffi::GetCurrentSubTransactionId() };
    FRAMES.with_borrow_mut(|frames| {
        frames.push(Frame {
            subxact,
            may_wait,
            waiting: Vec::new(),
        });
        frames.len() - 1
    })
}

/// It has run. There were `before` when it began.
pub fn leave(before: usize) {
    settle();
    FRAMES.with_borrow_mut(|frames| frames.truncate(before));
}

/// The transaction is over. Entries that wait, after an error, are of rows that nobody will see.
pub fn forget() {
    FRAMES.with_borrow_mut(Vec::clear);
}

/// A subtransaction is aborted, and with it the statements that began in it, or in others within, whose numbers are higher.
pub fn forget_since(subxact: SubTransactionId) {
    FRAMES.with_borrow_mut(|frames| frames.retain(|frame| frame.subxact < subxact));
}

/// Puts an entry of an open index off, if it may wait.
pub fn put_off<const W: usize>(index: pg_sys::Relation, entry: Entry<W>) -> Put<W> {
    FRAMES.with_borrow_mut(|frames| {
        let Some(frame) = frames.last_mut().filter(|frame| frame.may_wait) else {
            return Put::AtOnce;
        };
        // SAFETY: the index is open; the number may be asked for at any time.
        let (oid, subxact) = unsafe { ((*index).rd_id, ffi::GetCurrentSubTransactionId()) };
        if subxact != frame.subxact {
            return Put::AtOnce;
        }
        let Some(waiting) = frame.waiting.iter_mut().find(|of| of.index == oid) else {
            if frame.waiting.len() < MOST_INDEXES {
                frame.waiting.push(Waiting {
                    index: oid,
                    at_once: 1,
                    entries: None,
                });
            }
            return Put::AtOnce;
        };
        if waiting.at_once < AT_ONCE {
            waiting.at_once += 1;
            return Put::AtOnce;
        }
        let entries = waiting.entries.take();
        let entries = entries.and_then(|entries| entries.downcast::<Vec<Entry<W>>>().ok());
        let mut entries = entries.unwrap_or_default();
        entries.push(entry);
        if entries.len() >= options::insert_batch() {
            return Put::Full(*entries);
        }
        waiting.entries = Some(entries);
        Put::Waits
    })
}

/// Adds all entries that wait. No page is locked.
#[inline]
pub fn settle() {
    while let Some((index, entries)) = FRAMES.with_borrow_mut(|frames| next(frames)) {
        add(index, entries);
    }
}

/// Entries that wait, which do no more.
fn next(frames: &mut [Frame]) -> Option<(Oid, Box<dyn Any>)> {
    let waiting = &mut frames.last_mut()?.waiting;
    let of = waiting.iter_mut().find(|of| of.entries.is_some())?;
    Some((of.index, of.entries.take()?))
}

/// Adds entries to their index.
#[cold]
fn add(index: Oid, mut entries: Box<dyn Any>) {
    let lock = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
    // SAFETY: the transaction that has inserted into the table keeps its lock, so that table and index are there.
    unsafe {
        let index = pg_sys::index_open(index, lock);
        let heap = pg_sys::table_open((*(*index).rd_index).indrelid, pg_sys::NoLock as i32);
        let words = Columns::of(index).words();
        for_words!(words, add_all(index, heap, &mut *entries));
        pg_sys::table_close(heap, pg_sys::NoLock as i32);
        pg_sys::index_close(index, lock);
    }
}

/// # Safety
/// Index and table are open.
unsafe fn add_all<const W: usize>(
    index: pg_sys::Relation,
    heap: pg_sys::Relation,
    entries: &mut dyn Any,
) {
    if let Some(entries) = entries.downcast_mut::<Vec<Entry<W>>>() {
        // SAFETY: the caller's contract.
        unsafe { insert::insert_all(index, heap, entries) };
    }
}

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
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use learned::Entry;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, Oid, SubTransactionId};
use pgrx::prelude::*;
use smallvec::SmallVec;

use crate::error::{internal, raise_report};
use crate::options;
use crate::pg::codec::{EntryCodec, for_words};
use crate::pg::ffi;
use crate::write::apply;

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
    waiting: SmallVec<[Waiting; 2]>,
    /// Entries were to be added, and may not have been: the statement has to fail.
    lost: bool,
}

thread_local! {
    /// The innermost last. Entries wait in that one only. No function of the server that may raise an error is called while this is borrowed.
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Whether there are frames. Mostly there are none, and every statement asks: a load from memory, where the thread's variables take a call.
static ANY: AtomicBool = AtomicBool::new(false);

/// An error that cannot be: the columns of an index do not change.
pub const OTHER_KIND: &str = "entries of another kind wait";

/// What becomes of an entry.
pub enum Put<const W: usize> {
    /// It is to be added now.
    AtOnce,
    /// It waits.
    Waits,
    /// These, and it is one of them, are to be added now.
    Full(Vec<Entry<W>>),
    /// Those that wait are of another kind.
    Never,
}

/// Whether no statement runs whose entries may wait.
#[inline]
pub fn is_idle() -> bool {
    !ANY.load(Relaxed)
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
            waiting: SmallVec::new(),
            lost: false,
        });
        ANY.store(true, Relaxed);
        frames.len() - 1
    })
}

/// It has run. There were `before` when it began.
pub fn leave(before: usize) {
    settle();
    change(|frames| frames.truncate(before));
}

/// The transaction is about to be committed, when no statement runs any more.
pub fn close() {
    if is_idle() {
        return;
    }
    let left = |frame: &Frame| frame.lost || frame.waiting.iter().any(|of| of.entries.is_some());
    if FRAMES.with_borrow(|frames| frames.iter().any(left)) {
        fail("a statement has ended unnoticed");
    }
}

/// The transaction is over. Entries that wait, after an error, are of rows that nobody will see.
pub fn forget() {
    change(Vec::clear);
}

/// A subtransaction is aborted, and with it the statements that began in it, or in others within, whose numbers are higher.
pub fn forget_since(subxact: SubTransactionId) {
    change(|frames| frames.retain(|frame| frame.subxact < subxact));
}

/// Takes frames away.
fn change(away: impl FnOnce(&mut Vec<Frame>)) {
    if is_idle() {
        return;
    }
    // A process that exits may have no such variables any more.
    let _ = FRAMES.try_with(|frames| {
        let mut frames = frames.borrow_mut();
        away(&mut frames);
        ANY.store(!frames.is_empty(), Relaxed);
    });
}

/// An index is built: from all rows of its table, so none of its entries has to wait.
pub fn built(index: Oid) {
    // SAFETY: may be asked at any time.
    let subxact = unsafe { ffi::GetCurrentSubTransactionId() };
    let elsewhere = FRAMES.with_borrow_mut(|frames| {
        let mut elsewhere = false;
        for frame in frames {
            let of_index = frame.waiting.iter_mut().filter(|of| of.index == index);
            for of in of_index {
                elsewhere |= of.entries.take().is_some() && frame.subxact != subxact;
            }
        }
        elsewhere
    });
    // What is built is lost if the subtransaction is aborted.
    if elsewhere {
        fail("their index is built anew in a subtransaction");
    }
}

/// Raises the error of a statement whose entries could not be added.
#[cold]
fn fail(why: &str) -> ! {
    let message = "could not add entries of a statement's rows to an index";
    let report = ErrorReport::new(
        PgSqlErrorCode::ERRCODE_TRANSACTION_ROLLBACK,
        message,
        "omendb",
    );
    raise_report(
        report
            .set_detail(why)
            .set_hint("The transaction may succeed if it is tried again."),
    )
}

/// Puts an entry of an open index off, if it may wait.
pub fn put_off<const W: usize>(index: pg_sys::Relation, entry: Entry<W>) -> Put<W> {
    if is_idle() {
        return Put::AtOnce;
    }
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
        let mut entries = match waiting.entries.take().map(|of| of.downcast()) {
            None => Box::<Vec<Entry<W>>>::default(),
            Some(Ok(entries)) => entries,
            Some(Err(_)) => return Put::Never,
        };
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
    if is_idle() {
        return;
    }
    settle_all();
}

fn settle_all() {
    while let Some((index, entries)) = FRAMES.with_borrow_mut(|frames| next(frames)) {
        let Some(entries) = entries else {
            fail("an error within the statement was caught");
        };
        add(index, entries);
        FRAMES.with_borrow_mut(|frames| frames.last_mut().map(|frame| frame.lost = false));
    }
}

/// Entries that wait, which do no more, and are lost until they are known to have been added; None in their stead where that was so before. An error may be caught,
/// within the statement, by a subtransaction that the statement survives. What of them was added then is not known.
fn next(frames: &mut [Frame]) -> Option<(Oid, Option<Box<dyn Any>>)> {
    let frame = frames.last_mut()?;
    if frame.lost {
        return Some((Oid::INVALID, None));
    }
    let mut waiting = frame.waiting.iter_mut();
    let of = waiting.find(|of| of.entries.is_some())?;
    frame.lost = true;
    Some((of.index, of.entries.take()))
}

/// Adds entries to their index.
#[cold]
fn add(index: Oid, mut entries: Box<dyn Any>) {
    let lock = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
    // SAFETY: the transaction that has inserted into the table keeps its lock, so that table and index are there.
    unsafe {
        let index = pg_sys::index_open(index, lock);
        let heap = pg_sys::table_open((*(*index).rd_index).indrelid, ffi::NO_LOCK);
        let words = EntryCodec::of(index).words();
        for_words!(words, add_all(index, heap, &mut *entries));
        pg_sys::table_close(heap, ffi::NO_LOCK);
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
    match entries.downcast_mut::<Vec<Entry<W>>>() {
        // SAFETY: the caller's contract.
        Some(entries) => unsafe { apply::insert_all(index, heap, entries) },
        None => internal(index, OTHER_KIND),
    }
}

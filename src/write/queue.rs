//! Entries of a statement's rows that wait, so that those of one leaf are added by one WAL record.
//!
//! An entry may wait as long as no query can miss it. Other sessions cannot see the row before its
//! transaction commits. This session can, by a query within the statement: of a function or a
//! trigger, for instance. So entries wait no longer than until the statement's run ends, until
//! another statement starts within it, and until the next scan of this session.
//!
//! VACUUM must not free a row whose entry waits. It does not, as long as the transaction that has
//! inserted the row is running. So an entry may wait only if nothing can take the row back before
//! the entry is added. `INSERT ... ON CONFLICT` takes rows back, and so do subtransactions; the
//! entries of their rows do not wait. docs/concurrency.md has the argument.

use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use learned::Entry;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{Oid, SubTransactionId};
use pgrx::prelude::*;
use smallvec::SmallVec;

use crate::error::{internal, raise_report};
use crate::options;
use crate::pg::codec::{EntryCodec, for_words};
use crate::pg::index::Index;
use crate::pg::opened::OpenIndex;
use crate::pg::server;
use crate::pg::table::Table;
use crate::write::apply;

/// The number of entries of an index that are added at once before entries wait. Most statements
/// have no more rows.
const ENTRIES_ADDED_AT_ONCE: u32 = 3;
/// The number of indexes of which entries may wait at the same time.
const MAX_INDEXES: usize = 16;

/// The entries of one index that wait.
struct IndexBatch {
    index: Oid,
    /// Entries that were added at once, up to [`ENTRIES_ADDED_AT_ONCE`].
    added_at_once: u32,
    /// A vector of `Entry<W>`, if there is one.
    entries: Option<Box<dyn Any>>,
}

/// A statement that runs, or something that runs within a statement.
struct RunningStatement {
    /// The subtransaction in which it began.
    subxact: SubTransactionId,
    /// Whether entries of its rows may wait.
    may_wait: bool,
    batches: SmallVec<[IndexBatch; 2]>,
    /// Entries were about to be added, and it is not known which of them were: the statement must
    /// fail.
    lost: bool,
}

thread_local! {
    /// The innermost statement is the last one, and only its entries wait. No function of the
    /// server that may raise an ERROR is called while this is borrowed.
    static STATEMENTS: RefCell<Vec<RunningStatement>> = const { RefCell::new(Vec::new()) };
}

/// Whether [`STATEMENTS`] has any. Every statement asks, and mostly there is none. This is a load
/// from memory, while a thread's variables take a call.
static IS_ANY_RUNNING: AtomicBool = AtomicBool::new(false);

/// The fault of an index whose entries had another number of words when they were enqueued. It
/// cannot occur, since the columns of an index do not change.
pub const WRONG_WORD_COUNT: &str = "waiting entries have another number of words";

/// What [`enqueue`] did with an entry.
pub enum Enqueued<const W: usize> {
    /// Nothing: the caller must add the entry now.
    AddNow,
    /// The entry waits.
    Waits,
    /// The batch is full: the caller must add these entries now. The entry is one of them.
    AddBatch(Vec<Entry<W>>),
    /// The waiting entries have another number of words.
    WrongWordCount,
}

/// Whether no statement runs whose entries may wait.
#[inline]
pub fn is_idle() -> bool {
    !IS_ANY_RUNNING.load(Relaxed)
}

/// A statement starts to run, or something within a statement. Returns the number of statements
/// that were running before.
pub fn start_statement(may_wait: bool) -> usize {
    flush();
    let subxact = server::current_subtransaction();
    STATEMENTS.with_borrow_mut(|statements| {
        statements.push(RunningStatement {
            subxact,
            may_wait,
            batches: SmallVec::new(),
            lost: false,
        });
        IS_ANY_RUNNING.store(true, Relaxed);
        statements.len() - 1
    })
}

/// The statement has run for which [`start_statement`] has returned `before`.
pub fn end_statement(before: usize) {
    flush();
    discard(|statements| statements.truncate(before));
}

/// The transaction is about to be committed. No statement runs any more.
pub fn check_before_commit() {
    if is_idle() {
        return;
    }
    let has_entries = |statement: &RunningStatement| {
        statement.lost || statement.batches.iter().any(|it| it.entries.is_some())
    };
    if STATEMENTS.with_borrow(|statements| statements.iter().any(has_entries)) {
        raise_lost("A statement has ended without notice to the extension.");
    }
}

/// The transaction has ended. Entries that still wait, after an error, are of rows that no query
/// will see.
pub fn discard_all() {
    discard(Vec::clear);
}

/// A subtransaction is aborted, and with it the statements that began in it. Subtransactions within
/// it have higher numbers.
pub fn discard_since(subxact: SubTransactionId) {
    discard(|statements| statements.retain(|statement| statement.subxact < subxact));
}

fn discard(discard_some: impl FnOnce(&mut Vec<RunningStatement>)) {
    if is_idle() {
        return;
    }
    // A process that exits may have destroyed the thread's variables.
    let _ = STATEMENTS.try_with(|statements| {
        let mut statements = statements.borrow_mut();
        discard_some(&mut statements);
        IS_ANY_RUNNING.store(!statements.is_empty(), Relaxed);
    });
}

/// An index is built from all rows of its table. Entries of it need not wait any more.
pub fn discard_for_build(index: Oid) {
    let subxact = server::current_subtransaction();
    let is_elsewhere = STATEMENTS.with_borrow_mut(|statements| {
        let mut is_elsewhere = false;
        for statement in statements {
            let batches = statement.batches.iter_mut();
            for batch in batches.filter(|batch| batch.index == index) {
                is_elsewhere |= batch.entries.take().is_some() && statement.subxact != subxact;
            }
        }
        is_elsewhere
    });
    // If the subtransaction is aborted, the index as built is lost.
    if is_elsewhere {
        raise_lost("The index is rebuilt in a subtransaction while entries for it wait.");
    }
}

/// Raises the ERROR of a statement whose entries could not be added.
#[cold]
fn raise_lost(detail: &str) -> ! {
    let code = PgSqlErrorCode::ERRCODE_TRANSACTION_ROLLBACK;
    let message = "could not add entries of a statement's rows to an index";
    let report = ErrorReport::new(code, message, "omendb");
    let hint = "The transaction might succeed if retried.";
    raise_report(report.set_detail(detail).set_hint(hint))
}

/// Makes an entry of an open index wait, if it may.
pub fn enqueue<const W: usize>(index: Index, entry: Entry<W>) -> Enqueued<W> {
    if is_idle() {
        return Enqueued::AddNow;
    }
    STATEMENTS.with_borrow_mut(|statements| {
        let Some(statement) = statements.last_mut().filter(|it| it.may_wait) else {
            return Enqueued::AddNow;
        };
        if server::current_subtransaction() != statement.subxact {
            return Enqueued::AddNow;
        }
        let index = index.oid();
        let Some(batch) = statement.batches.iter_mut().find(|it| it.index == index) else {
            if statement.batches.len() < MAX_INDEXES {
                statement.batches.push(IndexBatch {
                    index,
                    added_at_once: 1,
                    entries: None,
                });
            }
            return Enqueued::AddNow;
        };
        if batch.added_at_once < ENTRIES_ADDED_AT_ONCE {
            batch.added_at_once += 1;
            return Enqueued::AddNow;
        }
        let mut entries = match batch.entries.take().map(|entries| entries.downcast()) {
            None => Box::<Vec<Entry<W>>>::default(),
            Some(Ok(entries)) => entries,
            Some(Err(_)) => return Enqueued::WrongWordCount,
        };
        entries.push(entry);
        if entries.len() >= options::insert_batch() {
            return Enqueued::AddBatch(*entries);
        }
        batch.entries = Some(entries);
        Enqueued::Waits
    })
}

/// Adds all entries that wait. No page is locked.
#[inline]
pub fn flush() {
    if is_idle() {
        return;
    }
    flush_all();
}

fn flush_all() {
    while let Some((index, entries)) = STATEMENTS.with_borrow_mut(|all| take_batch(all)) {
        let Some(entries) = entries else {
            raise_lost("An error within the statement was caught.");
        };
        add_batch(index, entries);
        STATEMENTS.with_borrow_mut(|all| all.last_mut().map(|it| it.lost = false));
    }
}

/// Takes the entries of one index. They are lost until they are known to have been added.
///
/// The entries are None if earlier ones were lost. A subtransaction within the statement may catch
/// the error that was raised while they were added, and the statement continues. It is not known
/// then which of them were added.
fn take_batch(statements: &mut [RunningStatement]) -> Option<(Oid, Option<Box<dyn Any>>)> {
    let statement = statements.last_mut()?;
    if statement.lost {
        return Some((Oid::INVALID, None));
    }
    let mut batches = statement.batches.iter_mut();
    let batch = batches.find(|batch| batch.entries.is_some())?;
    statement.lost = true;
    Some((batch.index, batch.entries.take()))
}

/// Adds entries to their index.
#[cold]
fn add_batch(index: Oid, mut entries: Box<dyn Any>) {
    // SAFETY: aminsert was called for these entries, for an index of this access method. The
    // transaction that has inserted the rows keeps its lock on the table.
    let opened = unsafe { OpenIndex::open_for_insert(index) };
    let (index, table) = (opened.index(), opened.table());
    for_words!(
        EntryCodec::of(index).words(),
        add_entries(index, table, &mut *entries)
    );
    // SAFETY: the handles are not used below.
    unsafe { opened.close() };
}

fn add_entries<const W: usize>(index: Index, table: Table, entries: &mut dyn Any) {
    match entries.downcast_mut::<Vec<Entry<W>>>() {
        Some(entries) => apply::insert_all(index, table, entries),
        None => internal(index, WRONG_WORD_COUNT),
    }
}

//! Unique indexes: whether a row may have the same key as other rows.
//!
//! The rules are those of nbtree's `_bt_check_unique`. The table says which rows are alive, under a
//! dirty snapshot, while the leaf where the key begins is locked: nothing else would keep another
//! inserter of the key away. The table needs no index for its answer, so its locks come after ours,
//! as in nbtree. Before the check waits for another transaction, all locks are released; after the
//! wait everything is checked again.

use std::ffi::{c_char, c_int};

use learned::tree::{UniqueCheck, UniqueVerdict};
use learned::{Block, Entry};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::{raise, raise_report, unsupported};
use crate::options;
use crate::pg::build::BuildInfo;
use crate::pg::codec::{item_pointer, text};
use crate::pg::index::Index;
use crate::pg::table::{RowState, Table};

/// A row and the index in which its key must be unique.
pub struct CheckedRow {
    pub table: Table,
    pub index: Index,
    pub tid: pg_sys::ItemPointerData,
    pub check: pg_sys::IndexUniqueCheck::Type,
}

/// What is known about a row's key.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    /// The key was not checked.
    Unchecked,
    /// No other row has the key.
    Unique,
    /// Another row may have the key. The server checks again when the constraint is due.
    Doubtful,
    /// Another row has the key, and its transaction is committed.
    Duplicate,
}

/// What the table has said so far about the rows with a key.
struct Findings<'r> {
    row: &'r CheckedRow,
    is_doubtful: bool,
    /// The row itself was found among them.
    is_found: bool,
    /// The row itself is dead by now.
    is_dead: bool,
    /// The transaction to wait for, and its speculative insertion, if it is one.
    wait: Option<(pg_sys::TransactionId, u32)>,
}

impl CheckedRow {
    /// Checks until the table's answer is final. Each time, `attempt` does its work unless the
    /// judge finds a conflict, and returns whether it did. No page is locked.
    pub fn retry_until_decided(
        &self,
        mut attempt: impl FnMut(&mut UniqueCheck<'_>) -> bool,
    ) -> KeyStatus {
        loop {
            let mut findings = Findings {
                row: self,
                is_doubtful: false,
                is_found: false,
                is_dead: false,
                wait: None,
            };
            let is_clear = attempt(&mut |tie, first| findings.judge(tie, first));
            if is_clear && findings.is_doubtful {
                return KeyStatus::Doubtful;
            } else if is_clear && self.is_recheck() && !findings.is_found && !findings.is_dead {
                let message = format!(
                    "failed to re-find tuple within index \"{}\"",
                    self.index.name()
                );
                let hint = "This may be because of a non-immutable index expression.";
                raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, message, Some(hint));
            } else if is_clear {
                return KeyStatus::Unique;
            }
            let Some((transaction, token)) = findings.wait else {
                return KeyStatus::Duplicate;
            };
            self.index
                .wait_for_transaction(transaction, token, self.tid);
        }
    }

    /// Whether the row has its entry already, and is checked again.
    pub fn is_recheck(&self) -> bool {
        self.check == pg_sys::IndexUniqueCheck::UNIQUE_CHECK_EXISTING
    }
}

impl Findings<'_> {
    /// Judges the row of an entry with the same key. `first` is the leaf where the key begins.
    /// Pages of the index are locked. An ERROR unwinds through the core, which holds only guards.
    fn judge(&mut self, tie: u64, first: Block) -> UniqueVerdict {
        let row = self.row;
        let (tid, own) = (item_pointer(tie), row.tid);
        let place =
            |tid: pg_sys::ItemPointerData| (tid.ip_blkid.bi_hi, tid.ip_blkid.bi_lo, tid.ip_posid);
        if row.is_recheck() && place(tid) == place(own) {
            self.is_found = true;
            return UniqueVerdict::Continue;
        }
        let state = row.table.row_state(tid);
        if state == RowState::Dead {
            return UniqueVerdict::Continue;
        }
        if row.check == pg_sys::IndexUniqueCheck::UNIQUE_CHECK_PARTIAL {
            self.is_doubtful = true;
            return UniqueVerdict::Accept;
        }
        if let RowState::InDoubt { transaction, token } = state {
            self.wait = Some((transaction, token));
            return UniqueVerdict::Conflict;
        }
        // CREATE INDEX CONCURRENTLY adds rows that may be dead by now.
        if !row.table.is_alive(own) {
            self.is_dead = true;
            return UniqueVerdict::Accept;
        }
        // The error for the duplicate would hide a conflict of serializable transactions.
        row.index.check_serializable_write(first);
        UniqueVerdict::Conflict
    }
}

/// Refuses a new unique index where it would do harm: before PostgreSQL 18, INSERT ... ON CONFLICT
/// fails for a table that has a unique index of another access method than btree.
pub fn refuse_unless_allowed(index: Index, info: BuildInfo) {
    let is_new = info.is_unique() && index.is_new() && !index.is_reindexed();
    if is_new && !options::allow_unique() {
        unsupported(
            "access method \"learned\" does not support unique indexes on this server unless \
             omendb.allow_unique is on",
            "Before PostgreSQL 18 every INSERT ... ON CONFLICT fails on a table with such an \
             index. Create a btree index, or SET omendb.allow_unique = on.",
        );
    }
}

/// Raises the ERROR for two rows with the same key in a build.
pub fn raise_not_unique<const W: usize>(index: Index, entry: &Entry<W>) -> ! {
    let detail = match text::describe_key(index, entry) {
        Some(key) => format!("Key {key} is duplicated."),
        None => "Duplicate keys exist.".into(),
    };
    let code = PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION;
    let message = format!("could not create unique index \"{}\"", index.name());
    raise_report(ErrorReport::new(code, message, "omendb").set_detail(detail))
}

// Functions of the server without pgrx's guards: see raise_duplicate().
unsafe extern "C-unwind" {
    fn BuildIndexValueDescription(
        index: pg_sys::Relation,
        values: *const pg_sys::Datum,
        isnull: *const bool,
    ) -> *mut c_char;
    fn errstart(level: c_int, domain: *const c_char) -> bool;
    fn errcode(code: c_int) -> c_int;
    fn errmsg(format: *const c_char, ...) -> c_int;
    fn errdetail(format: *const c_char, ...) -> c_int;
    fn errtableconstraint(heap: pg_sys::Relation, name: *const c_char) -> c_int;
    fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
}

/// Raises nbtree's error for a duplicate, which names the constraint. pgrx would not pass that name
/// on.
///
/// # Safety
/// The error jumps over the frames up to the server's own, so none of them may need to be unwound.
/// The relations are open, and the arrays have an element for each column of the index.
pub unsafe fn raise_duplicate(
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    values: *const pg_sys::Datum,
    isnull: *const bool,
) {
    // SAFETY: the formats fit their arguments, which are C strings. `key` is null or a C string.
    unsafe {
        let name = (*(*index).rd_rel).relname.data.as_ptr();
        let key = BuildIndexValueDescription(index, values, isnull);
        if errstart(PgLogLevel::ERROR as c_int, std::ptr::null()) {
            errcode(PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION as c_int);
            let message = c"duplicate key value violates unique constraint \"%s\"";
            errmsg(message.as_ptr(), name);
            if !key.is_null() {
                errdetail(c"Key %s already exists.".as_ptr(), key);
            }
            errtableconstraint(heap, name);
            let (file, function) = (c"unique.rs", c"raise_duplicate");
            errfinish(file.as_ptr(), line!() as c_int, function.as_ptr());
        }
    }
}

//! Unique indexes: whether a row may stand beside those with the same key.
//!
//! The rules are those of nbtree's `_bt_check_unique`. The heap says which rows are alive, under a dirty snapshot, while the
//! leaf where the key begins is locked: nothing else would keep another inserter of the key away. The heap needs no index
//! for that, so its locks come after ours, as in nbtree. Before waiting for another transaction all locks are
//! let go of, and after that everything is looked at anew.

use std::ffi::{CStr, c_char, c_int};

use learned::tree::{UniqueCheck, UniqueVerdict};
use learned::{Block, Entry};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::{name, raise, raise_report, unsupported};
use crate::options;
use crate::pg::columns::{Columns, MOST_COLUMNS, item_pointer};
use crate::pg::query;
use crate::pg::tuple::Tuple;

/// A row and the index that it is checked for.
pub struct HeapRow {
    pub heap: pg_sys::Relation,
    pub index: pg_sys::Relation,
    pub tid: pg_sys::ItemPointerData,
    pub check: pg_sys::IndexUniqueCheck::Type,
}

/// What is known of a row's key.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Nothing that would matter to the server.
    Unchecked,
    /// No other row has it.
    Unique,
    /// Another row may have it; the server checks again when the constraint is due.
    Doubtful,
    /// Another row has it, and has come to stay.
    Duplicate,
}

/// What the heap says of the rows with a key.
struct Inquiry<'r> {
    row: &'r HeapRow,
    doubtful: bool,
    /// The row itself was among them.
    found: bool,
    /// The row itself is dead by now.
    dead: bool,
    /// The transaction to wait for, and its speculative insertion, if it is one.
    wait: Option<(pg_sys::TransactionId, u32)>,
}

impl HeapRow {
    /// Tries until the heap's answer is final. Each time `attempt` does what is to be done unless the judge finds a conflict,
    /// and says whether it found none.
    ///
    /// # Safety
    /// The relations are open, and nothing else of the caller's is locked.
    pub unsafe fn settle(&self, mut attempt: impl FnMut(&mut UniqueCheck<'_>) -> bool) -> Key {
        loop {
            let mut inquiry = Inquiry {
                row: self,
                doubtful: false,
                found: false,
                dead: false,
                wait: None,
            };
            // SAFETY: the caller's contract.
            let clear = attempt(&mut |tie, first| unsafe { inquiry.judge(tie, first) });
            if clear && inquiry.doubtful {
                return Key::Doubtful;
            } else if clear && self.is_recheck() && !inquiry.found && !inquiry.dead {
                let message = format!(
                    "failed to re-find tuple within index \"{}\"",
                    name(self.index)
                );
                let hint = "This may be because of a non-immutable index expression.";
                raise(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, message, Some(hint));
            } else if clear {
                return Key::Unique;
            }
            let Some((transaction, token)) = inquiry.wait else {
                return Key::Duplicate;
            };
            // SAFETY: no page is locked; an ERROR, by a deadlock say, ends the statement.
            unsafe {
                if token > 0 {
                    pg_sys::SpeculativeInsertionWait(transaction, token);
                } else {
                    let mut tid = self.tid;
                    let why = pg_sys::XLTW_Oper::XLTW_InsertIndex;
                    pg_sys::XactLockTableWait(transaction, self.index, &raw mut tid, why);
                }
            }
        }
    }

    fn is_recheck(&self) -> bool {
        self.check == pg_sys::IndexUniqueCheck::UNIQUE_CHECK_EXISTING
    }
}

impl Inquiry<'_> {
    /// # Safety
    /// As for [`HeapRow::settle`], but for the index's pages, some of which are locked.
    unsafe fn judge(&mut self, tie: u64, first: Block) -> UniqueVerdict {
        let row = self.row;
        let (tid, own) = (item_pointer(tie), row.tid);
        let place =
            |tid: pg_sys::ItemPointerData| (tid.ip_blkid.bi_hi, tid.ip_blkid.bi_lo, tid.ip_posid);
        if row.is_recheck() && place(tid) == place(own) {
            self.found = true;
            return UniqueVerdict::Continue;
        }
        let mut dirty = pg_sys::SnapshotData {
            snapshot_type: pg_sys::SnapshotType::SNAPSHOT_DIRTY,
            ..Default::default()
        };
        // SAFETY: the table is open; both snapshots need no registration. An ERROR here unwinds through the core,
        // which holds nothing but guards.
        unsafe {
            if !is_alive(row.heap, tid, &raw mut dirty) {
                return UniqueVerdict::Continue;
            }
            if row.check == pg_sys::IndexUniqueCheck::UNIQUE_CHECK_PARTIAL {
                self.doubtful = true;
                return UniqueVerdict::Accept;
            }
            // Whoever is still at work on the other row: the inserter, else the deleter.
            let transactions = [dirty.xmin, dirty.xmax];
            let none = pg_sys::InvalidTransactionId;
            if let Some(other) = transactions.into_iter().find(|other| *other != none) {
                self.wait = Some((other, dirty.speculativeToken));
                return UniqueVerdict::Conflict;
            }
            // CREATE INDEX CONCURRENTLY adds rows that may be dead by now.
            if !is_alive(row.heap, own, &raw mut pg_sys::SnapshotSelfData) {
                self.dead = true;
                return UniqueVerdict::Accept;
            }
            // A conflict of serializable transactions would be hidden behind the error to come.
            query::CheckForSerializableConflictIn(row.index, std::ptr::null_mut(), first);
        }
        UniqueVerdict::Conflict
    }
}

/// Whether a snapshot sees the row at a TID, or a later version of it that has no index entry of its own.
///
/// # Safety
/// The table is open and the snapshot valid.
unsafe fn is_alive(
    heap: pg_sys::Relation,
    mut tid: pg_sys::ItemPointerData,
    snapshot: pg_sys::Snapshot,
) -> bool {
    let all_dead = std::ptr::null_mut();
    // SAFETY: the caller's contract; the last argument may be null.
    unsafe { pg_sys::table_index_fetch_tuple_check(heap, &raw mut tid, snapshot, all_dead) }
}

/// Whether the index takes NULLs for equal (NULLS NOT DISTINCT).
///
/// # Safety
/// `index` is an open index.
pub unsafe fn nulls_are_equal(index: pg_sys::Relation) -> bool {
    // SAFETY: the relcache entry of an index has rd_index.
    unsafe { (*(*index).rd_index).indnullsnotdistinct }
}

/// Refuses a new unique index where it would do harm: before PostgreSQL 18 INSERT ... ON CONFLICT fails for a table with
/// a unique index of another access method than btree.
///
/// # Safety
/// The index is open, to be built with `info`.
pub unsafe fn refuse_unless_allowed(index: pg_sys::Relation, info: *const pg_sys::IndexInfo) {
    // SAFETY: the caller's contract; the relcache entry of an index has rd_index.
    let new = unsafe {
        let created = (*index).rd_createSubid != 0 || !(*(*index).rd_index).indisvalid;
        (*info).ii_Unique && created && !pg_sys::ReindexIsProcessingIndex((*index).rd_id)
    };
    if new && !options::allow_unique() {
        unsupported(
            "access method \"learned\" does not support unique indexes on this server unless omendb.allow_unique is on",
            "Before PostgreSQL 18 every INSERT ... ON CONFLICT fails on a table with such an index. Create a btree index, or SET omendb.allow_unique = on.",
        );
    }
}

/// Raises the error for two rows with the same key in a build.
///
/// # Safety
/// The index is open, with these columns.
pub unsafe fn raise_not_unique<const W: usize>(
    index: pg_sys::Relation,
    columns: &Columns,
    entry: &Entry<W>,
) -> ! {
    let mut values = [pg_sys::Datum::null(); MOST_COLUMNS];
    let mut isnull = [false; MOST_COLUMNS];
    let mut tuple = Tuple::new(columns);
    // SAFETY: a tuple of the index, and room for its columns; the description is null or a C string.
    let detail = unsafe {
        let tuple = tuple.of(columns, entry);
        let (values, isnull) = (values.as_mut_ptr(), isnull.as_mut_ptr());
        pg_sys::index_deform_tuple(tuple, (*index).rd_att, values, isnull);
        let key = pg_sys::BuildIndexValueDescription(index, values, isnull);
        match key.is_null() {
            true => "Duplicate keys exist.".into(),
            false => format!(
                "Key {} is duplicated.",
                CStr::from_ptr(key).to_string_lossy()
            ),
        }
    };
    let code = PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION;
    let message = format!("could not create unique index \"{}\"", name(index));
    raise_report(ErrorReport::new(code, message, "omendb").set_detail(detail))
}

// The server's own, without pgrx's guards: see raise_duplicate().
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

/// Raises nbtree's error for a duplicate, which names the constraint; pgrx would not pass that name on.
///
/// # Safety
/// Called where no frame above needs to be unwound, up to the server's own: this jumps over them. The relations are
/// open, and the arrays have an element for each column of the index.
pub unsafe fn raise_duplicate(
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    values: *const pg_sys::Datum,
    isnull: *const bool,
) {
    // SAFETY: the caller's contract; the formats fit their arguments.
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

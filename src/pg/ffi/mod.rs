//! What PostgreSQL has and pgrx does not offer: declarations that its bindings lack, and C macros
//! ported to Rust. The C text stands above each port.
//!
//! | file            | what                                                        |
//! |-----------------|-------------------------------------------------------------|
//! | `buffers.rs`    | locks and pins of buffers, a page's LSN                     |
//! | `wal.rs`        | WAL records and critical sections                           |
//! | `relation.rs`   | fields of an open relation                                  |
//! | `table_scan.rs` | the table scans of an index build                           |
//! | `executor.rs`   | what the hooks of the executor call, subtransactions, clock |
//! | `statistics.rs` | the counters of the cumulative statistics system            |
//! | `snapshot.rs`   | kinds and ages of snapshots                                 |
//! | `predicate.rs`  | predicate locks of serializable transactions                |
//! | `planner.rs`    | nbtree's cost estimate                                      |

mod buffers;
mod executor;
mod planner;
mod predicate;
mod relation;
mod snapshot;
mod statistics;
mod table_scan;
mod wal;

pub use buffers::{
    ConditionalLockBuffer, LockBuffer, MarkBufferDirty, ReleaseBuffer, UnlockReleaseBuffer,
    page_set_lsn,
};
pub use executor::{
    GetCurrentSubTransactionId, now_micros, standard_ExecutorFinish, standard_ExecutorRun,
    standard_ProcessUtility,
};
pub use planner::btcostestimate;
pub use predicate::{
    CheckForSerializableConflictIn, PredicateLockPage, PredicateLockPageCombine,
    PredicateLockPageSplit, is_serializable,
};
#[cfg(not(feature = "pg15"))]
pub use relation::is_accessible_in_logical_decoding;
#[cfg(feature = "pg15")]
pub use relation::relation_is_local;
pub use relation::{NO_LOCK, attribute, file_of, is_heap, relation_needs_wal};
pub use snapshot::{check_snapshot_age, is_mvcc_snapshot};
pub use statistics::{count_buffer_hit, count_index_scan, live_and_dead};
pub use table_scan::{table_beginscan_strat, table_index_build_scan};
pub use wal::{
    XLogBeginInsert, XLogInsert, XLogInsertAllowed, XLogRegisterBufData, XLogRegisterBuffer,
    end_crit_section, start_crit_section,
};

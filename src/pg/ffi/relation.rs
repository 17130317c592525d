//! Fields of an open relation.

use pgrx::pg_sys;

/// `#define NoLock 0`: the relation is locked already.
pub const NO_LOCK: pg_sys::LOCKMODE = 0;

/// `#define InvalidSubTransactionId ((SubTransactionId) 0)`
const NO_SUBTRANSACTION: pg_sys::SubTransactionId = 0;

/// A column of a relation, counted from 0 (`TupleDescAttr`).
///
/// # Safety
/// The relation stays open as long as the result is used, and it has the column.
pub unsafe fn attribute<'r>(
    rel: pg_sys::Relation,
    number: usize,
) -> &'r pg_sys::FormData_pg_attribute {
    // SAFETY: the tuple descriptor of an open relation has an element for each column. From
    // PostgreSQL 18 on, a short form of all columns comes before the full ones.
    unsafe {
        let description = (*rel).rd_att;
        #[cfg(not(feature = "pg18"))]
        let first = (*description).attrs.as_ptr();
        #[cfg(feature = "pg18")]
        let first = {
            let short = (*description).compact_attrs.as_ptr();
            let count = usize::try_from((*description).natts).unwrap_or(0);
            short.add(count).cast::<pg_sys::FormData_pg_attribute>()
        };
        &*first.add(number)
    }
}

/// Whether a table is a heap, not a table of another access method.
///
/// # Safety
/// `table` is an open table.
pub unsafe fn is_heap(table: pg_sys::Relation) -> bool {
    // SAFETY: rd_tableam is a field of every relcache entry, and only compared here.
    unsafe { std::ptr::eq((*table).rd_tableam, pg_sys::GetHeapamTableAmRoutine()) }
}

/// Whether changes of the relation's main fork are logged.
///
/// ```c
/// #define RelationNeedsWAL(relation) \
///     (RelationIsPermanent(relation) && (XLogIsNeeded() || \
///       (relation->rd_createSubid == InvalidSubTransactionId && \
///        relation->rd_firstRelfilenodeSubid == InvalidSubTransactionId)))
/// ```
///
/// # Safety
/// `rel` is an open relation.
pub unsafe fn relation_needs_wal(rel: pg_sys::Relation) -> bool {
    // SAFETY: an open relation has a relcache entry with rd_rel; wal_level is set when the server
    // starts.
    unsafe {
        let permanent = (*(*rel).rd_rel).relpersistence == pg_sys::RELPERSISTENCE_PERMANENT as i8;
        #[cfg(feature = "pg15")]
        let first_file = (*rel).rd_firstRelfilenodeSubid;
        #[cfg(not(feature = "pg15"))]
        let first_file = (*rel).rd_firstRelfilelocatorSubid;
        permanent
            && (pg_sys::wal_level >= pg_sys::WalLevel::WAL_LEVEL_REPLICA as i32
                || ((*rel).rd_createSubid == NO_SUBTRANSACTION && first_file == NO_SUBTRANSACTION))
    }
}

/// Where the relation's file is: the numbers of its tablespace, its database and the file.
///
/// # Safety
/// `rel` is an open relation.
pub unsafe fn file_of(rel: pg_sys::Relation) -> [u32; 3] {
    // SAFETY: these are plain fields of the relcache entry.
    unsafe {
        #[cfg(feature = "pg15")]
        let numbers = {
            let node = (*rel).rd_node;
            [node.spcNode, node.dbNode, node.relNode]
        };
        #[cfg(not(feature = "pg15"))]
        let numbers = {
            let locator = (*rel).rd_locator;
            [locator.spcOid, locator.dbOid, locator.relNumber]
        };
        numbers.map(Into::into)
    }
}

/// Whether logical decoding reads the table as it reads a catalog. The table is not one of the
/// system's.
///
/// ```c
/// #define RelationIsAccessibleInLogicalDecoding(relation) \
///     (XLogLogicalInfoActive() && RelationNeedsWAL(relation) && \
///      (IsCatalogRelation(relation) || RelationIsUsedAsCatalogTable(relation)))
/// #define RelationIsUsedAsCatalogTable(relation) \
///     ((relation)->rd_options && \
///      ((relation)->rd_rel->relkind == RELKIND_RELATION || \
///       (relation)->rd_rel->relkind == RELKIND_MATVIEW) ? \
///      ((StdRdOptions *) (relation)->rd_options)->user_catalog_table : false)
/// ```
///
/// # Safety
/// `rel` is an open table.
#[cfg(not(feature = "pg15"))]
pub unsafe fn is_accessible_in_logical_decoding(rel: pg_sys::Relation) -> bool {
    // SAFETY: rd_options of a table or materialized view is null or a StdRdOptions, and it is read
    // for these two kinds only.
    unsafe {
        let options = (*rel).rd_options.cast::<pg_sys::StdRdOptions>();
        let kind = (*(*rel).rd_rel).relkind as u8;
        pg_sys::wal_level >= pg_sys::WalLevel::WAL_LEVEL_LOGICAL as i32
            && relation_needs_wal(rel)
            && matches!(kind, pg_sys::RELKIND_RELATION | pg_sys::RELKIND_MATVIEW)
            && !options.is_null()
            && (*options).user_catalog_table
    }
}

/// Whether no other backend can see the relation's file, either yet or at all.
///
/// ```c
/// #define RELATION_IS_LOCAL(relation) \
///     ((relation)->rd_islocaltemp || (relation)->rd_createSubid != InvalidSubTransactionId)
/// ```
///
/// # Safety
/// `rel` is an open relation.
#[cfg(feature = "pg15")]
pub unsafe fn relation_is_local(rel: pg_sys::Relation) -> bool {
    // SAFETY: these are plain fields of the relcache entry.
    unsafe { (*rel).rd_islocaltemp || (*rel).rd_createSubid != NO_SUBTRANSACTION }
}

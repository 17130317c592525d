//! The rows that VACUUM may call dead: those whose line pointers are dead, according to the table's
//! pages.
//!
//! VACUUM's callback searches all dead rows for each entry, although most rows are alive. VACUUM's
//! dead rows are exactly those whose line pointers were dead when it passed the table's page, and
//! these stay dead until VACUUM frees them, after it has passed the indexes. So the callback is not
//! needed for the entries of other line pointers, and one look at a page answers for all of its
//! rows. docs/concurrency.md has the argument.

use learned::page::{self, Block, pd};
use learned::store::Store;
use learned::tree::Offsets;
use pgrx::pg_sys;

use crate::pg::ffi;
use crate::pg::vacuum::{BufferRing, VacuumInfo};
use crate::storage::IndexStore;

/// A set of offsets has bits for offsets below this. A page with a dead line pointer of a higher
/// offset stays unknown.
const MAX_OFFSETS: usize = 64 * 5;
/// The mark of a page of the table whose dead line pointers are not known.
const UNKNOWN: u32 = u32::MAX;
/// Pages of the table are read as long as at most one in this many has to be read from outside
/// shared buffers: VACUUM would read those again on its way back over the table.
const PAGES_PER_MISS: i64 = 16;
/// The number of pages that may be read from outside shared buffers in any case.
const FREE_MISSES: i64 = 64;

/// The dead line pointers of a table.
pub struct DeadLinePointers {
    /// For each block: 0 if it has no dead line pointer; or the number, counted from 1, of its set
    /// of offsets; or [`UNKNOWN`].
    blocks: Vec<u32>,
    offsets: Vec<Offsets>,
}

impl DeadLinePointers {
    /// The dead line pointers of the table of `index`. None if the callback may mean other rows, or
    /// if the table is not a heap.
    ///
    /// The sets take up to a quarter of `maintenance_work_mem`. Pages for which this does not
    /// suffice stay unknown. If too many pages are not in shared buffers, the remaining ones stay
    /// unknown.
    /// Called while no page of the index is locked.
    pub fn of(info: VacuumInfo<'_>) -> Option<Self> {
        // SAFETY: MyProc is this process's own entry. VACUUM has the table of the index locked, and
        // its lock outlasts this function.
        unsafe {
            // Only VACUUM sets this flag. The validation of a concurrently built index needs the
            // callback for all entries; it runs without the flag, on an index that is not valid
            // yet.
            let in_vacuum = (*pg_sys::MyProc).statusFlags & pg_sys::PROC_IN_VACUUM as u8 != 0;
            if !in_vacuum || !info.index().is_valid() {
                return None;
            }
            let table = pg_sys::table_open(info.index().table_oid(), ffi::NO_LOCK);
            let pointers = ffi::is_heap(table).then(|| Self::collect(table, info.buffer_ring()));
            pg_sys::table_close(table, ffi::NO_LOCK);
            pointers
        }
    }

    /// # Safety
    /// `table` is an open heap, and VACUUM has passed it.
    unsafe fn collect(table: pg_sys::Relation, ring: BufferRing) -> Self {
        // SAFETY: the table is open until the caller closes it, after this function.
        let store = unsafe { IndexStore::vacuum_heap(table, ring) };
        let fork = pg_sys::ForkNumber::MAIN_FORKNUM;
        // SAFETY: maintenance_work_mem and pgBufferUsage are variables of this process. The table
        // is open, `block` is below its length, and the pin of the visibility map is given back
        // below.
        unsafe {
            let count = pg_sys::RelationGetNumberOfBlocksInFork(table, fork) as usize;
            let memory = usize::try_from(pg_sys::maintenance_work_mem).unwrap_or(0) * 1024 / 4;
            let mut pointers = Self {
                blocks: vec![UNKNOWN; count.min(memory / size_of::<u32>())],
                offsets: Vec::new(),
            };
            let max_sets = (memory - size_of_val(pointers.blocks.as_slice())) / (MAX_OFFSETS / 8);
            let misses =
                || pg_sys::pgBufferUsage.shared_blks_read + pg_sys::pgBufferUsage.local_blks_read;
            let mut map = pg_sys::InvalidBuffer as pg_sys::Buffer;
            // VACUUM skips all-visible pages, so these are in shared buffers less often than the
            // pages that it reads. Each kind has a budget of its own.
            let mut budgets = [FREE_MISSES * PAGES_PER_MISS; 2];
            for (block, known) in (0..).zip(&mut pointers.blocks) {
                store.interrupt();
                let status = pg_sys::visibilitymap_get_status(table, block, &raw mut map);
                let visible = u32::from(status) & pg_sys::VISIBILITYMAP_ALL_VISIBLE != 0;
                let budget = &mut budgets[usize::from(visible)];
                if pointers.offsets.len() >= max_sets || *budget < 0 {
                    continue;
                }
                let before = misses();
                *known = match dead_offsets(&store, block) {
                    Some([0, 0, 0, 0, 0]) => 0,
                    Some(offsets) => {
                        pointers.offsets.push(offsets);
                        pointers.offsets.len() as u32
                    }
                    None => UNKNOWN,
                };
                *budget += 1 - (misses() - before) * PAGES_PER_MISS;
            }
            if map != pg_sys::InvalidBuffer as pg_sys::Buffer {
                pg_sys::ReleaseBuffer(map);
            }
            pointers
        }
    }

    /// The offsets of the dead line pointers of a block. None if they are not known.
    #[inline]
    pub fn offsets(&self, block: Block) -> Option<&Offsets> {
        /// The set of most blocks, since rows that die are often neighbours.
        static NONE: Offsets = [0; MAX_OFFSETS / 64];
        match *self.blocks.get(block as usize)? {
            0 => Some(&NONE),
            number => self.offsets.get(number as usize - 1),
        }
    }
}

/// A bit for each dead line pointer of the block. None if an offset is too high for the set.
///
/// # Safety
/// The store is of a heap, which has the block.
unsafe fn dead_offsets(store: &IndexStore, block: u32) -> Option<Offsets> {
    /// `#define LP_DEAD 3`, the flags of an `ItemIdData`, which follow its 15 bits of offset.
    const LP_DEAD: u32 = 3;
    let page = store.read(block).ok()?;
    // Line pointers stand between the page's header and `pd_lower`, as on every page of
    // the server.
    let lower = usize::from(page::u16_at(&page, pd::LOWER));
    let pointers = page.get(pd::BYTES..lower).unwrap_or_default();
    let mut dead = [0; MAX_OFFSETS / 64];
    for (offset, pointer) in (1..).zip(pointers.as_chunks::<4>().0) {
        if u32::from_le_bytes(*pointer) >> 15 & 3 == LP_DEAD {
            *dead.get_mut(offset / 64)? |= 1u64 << (offset % 64);
        }
    }
    Some(dead)
}

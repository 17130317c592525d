//! Rows that VACUUM may call dead: those whose line pointers are, as the table's pages say.
//!
//! VACUUM's callback searches all dead rows for each entry, while most rows are alive. Its dead rows are just those whose line pointers
//! were dead when VACUUM passed the table's page, and these stay so until VACUUM, after the indexes, makes them free. So the entries
//! of other line pointers need no question, and one look at a page answers for all of its rows. ARCHITECTURE.md has the argument.

use learned::page::Block;
use learned::store::Store;
use learned::tree::Offsets;
use pgrx::pg_sys;

use crate::pg::ffi;
use crate::storage::IndexStore;

/// Offsets on a page of the table are below this; most are, and where not the page stays unknown.
const OFFSETS: usize = 64 * 5;
/// A page of the table of which nothing is known.
const UNKNOWN: u32 = u32::MAX;
/// Pages of the table are no longer looked at once more than one in so many had to be read from outside shared buffers: VACUUM's way back over the
/// table would read them again.
const MISSES: i64 = 16;
/// So many may be read in any case.
const MISSES_AT_FIRST: i64 = 64;

/// The dead line pointers of a table.
pub struct Suspects {
    /// For each block: 0, no dead line pointer; or the number, from 1 on, of its set of offsets; or [`UNKNOWN`].
    blocks: Vec<u32>,
    offsets: Vec<Offsets>,
}

impl Suspects {
    /// The dead line pointers of the table of `index`; None where the callback may have other rows in mind, or the table is not a heap. Takes up
    /// to a quarter of `maintenance_work_mem`, and pages for which that does not suffice stay unknown; so do the rest where many are not in shared buffers.
    ///
    /// # Safety
    /// `index` is open, VACUUM has its table locked, and nothing is locked in the index.
    pub unsafe fn of(
        index: pg_sys::Relation,
        strategy: pg_sys::BufferAccessStrategy,
    ) -> Option<Self> {
        // SAFETY: the index and a process's own entry are there. Table and pages are used under their locks and pins.
        unsafe {
            // Validation of a concurrently built index wants to hear of all entries. It runs without this flag, which nobody but VACUUM sets,
            // and on an index that is not valid yet.
            let in_vacuum = (*pg_sys::MyProc).statusFlags & pg_sys::PROC_IN_VACUUM as u8 != 0;
            if !in_vacuum || !(*(*index).rd_index).indisvalid {
                return None;
            }
            let table = pg_sys::table_open((*(*index).rd_index).indrelid, ffi::NO_LOCK);
            let is_heap = std::ptr::eq((*table).rd_tableam, pg_sys::GetHeapamTableAmRoutine());
            let suspects = is_heap.then(|| Self::look(table, strategy));
            pg_sys::table_close(table, ffi::NO_LOCK);
            suspects
        }
    }

    /// # Safety
    /// `table` is an open heap, and VACUUM has passed it.
    unsafe fn look(table: pg_sys::Relation, strategy: pg_sys::BufferAccessStrategy) -> Self {
        // SAFETY: the table is open.
        let store = unsafe { IndexStore::vacuum(table, 0, strategy) };
        let fork = pg_sys::ForkNumber::MAIN_FORKNUM;
        // SAFETY: a setting and counters of this process; the table is open; the map's buffer is given back below.
        unsafe {
            let count = pg_sys::RelationGetNumberOfBlocksInFork(table, fork) as usize;
            let memory = usize::try_from(pg_sys::maintenance_work_mem).unwrap_or(0) * 1024 / 4;
            let mut suspects = Self {
                blocks: vec![UNKNOWN; count.min(memory / size_of::<u32>())],
                offsets: Vec::new(),
            };
            let most = (memory - size_of_val(suspects.blocks.as_slice())) / (OFFSETS / 8);
            let misses =
                || pg_sys::pgBufferUsage.shared_blks_read + pg_sys::pgBufferUsage.local_blks_read;
            let mut map = pg_sys::InvalidBuffer as pg_sys::Buffer;
            // Pages that VACUUM passes over are often not in shared buffers where those that it reads are, so each kind has its own.
            let mut budgets = [MISSES_AT_FIRST * MISSES; 2];
            for (block, known) in (0..).zip(&mut suspects.blocks) {
                store.interrupt();
                let status = pg_sys::visibilitymap_get_status(table, block, &raw mut map);
                let visible = u32::from(status) & pg_sys::VISIBILITYMAP_ALL_VISIBLE != 0;
                let budget = &mut budgets[usize::from(visible)];
                if suspects.offsets.len() >= most || *budget < 0 {
                    continue;
                }
                let before = misses();
                *known = match dead_offsets(&store, block) {
                    Some([0, 0, 0, 0, 0]) => 0,
                    Some(offsets) => {
                        suspects.offsets.push(offsets);
                        suspects.offsets.len() as u32
                    }
                    None => UNKNOWN,
                };
                *budget += 1 - (misses() - before) * MISSES;
            }
            if map != pg_sys::InvalidBuffer as pg_sys::Buffer {
                pg_sys::ReleaseBuffer(map);
            }
            suspects
        }
    }

    /// The offsets of the block whose line pointers are dead; None where that is not known.
    #[inline]
    pub fn offsets(&self, block: Block) -> Option<&Offsets> {
        /// Most blocks' where rows die side by side.
        static NONE: Offsets = [0; OFFSETS / 64];
        match *self.blocks.get(block as usize)? {
            0 => Some(&NONE),
            number => self.offsets.get(number as usize - 1),
        }
    }
}

/// A bit for each line pointer of the block that is dead; None if that does not tell.
///
/// # Safety
/// The store is of a heap, which has the block.
unsafe fn dead_offsets(store: &IndexStore, block: u32) -> Option<Offsets> {
    let page = store.read(block).ok()?;
    /// `pd_lower` is here in the header, which all pages of the server have, and which is so long.
    const LOWER: usize = 12;
    const HEADER: usize = 24;
    /// `#define LP_DEAD 3`, the flags of an `ItemIdData` that follow its 15 bits of offset.
    const LP_DEAD: u32 = 3;
    let lower = usize::from(learned::page::u16_at(&page, LOWER));
    let pointers = page.get(HEADER..lower).unwrap_or_default();
    let mut dead = [0; OFFSETS / 64];
    for (offset, pointer) in (1..).zip(pointers.as_chunks::<4>().0) {
        if u32::from_le_bytes(*pointer) >> 15 & 3 == LP_DEAD {
            *dead.get_mut(offset / 64)? |= 1u64 << (offset % 64);
        }
    }
    Some(dead)
}

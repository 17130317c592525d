//! The core's [`Store`] on shared buffers: reading, locking and allocating pages of an index.

use learned::page::{self, Block, Kind};
use learned::store::{Change, Guard, Store};
use learned::{Error, Result};
use pgrx::pg_sys;

use crate::pg::{ffi, query};
use crate::storage::guards::{Read, Write};
use crate::storage::index::IndexStore;
#[cfg(feature = "testing")]
use crate::storage::order::Waited;
use crate::storage::{room, wal, whereabouts};

// Page layout and WAL records are made for this page size only, and the core reads and writes the
// server's page header as little-endian.
const _: () = assert!(pg_sys::BLCKSZ as usize == page::PAGE_SIZE);
const _: () = assert!(cfg!(target_endian = "little"));

impl IndexStore {
    /// Pins a block.
    fn pin(&self, block: Block, mode: pg_sys::ReadBufferMode::Type) -> Result<pg_sys::Buffer> {
        // InvalidBlockNumber would extend the relation.
        if block == pg_sys::InvalidBlockNumber {
            return Err(Error::corrupted(block, "reference to no block"));
        }
        // SAFETY: the relation is open (contract of new).
        Ok(unsafe { pg_sys::ReadBufferExtended(self.rel, self.fork, block, mode, self.strategy) })
    }

    /// Pins a block, first where it was last met.
    #[inline]
    fn pin_where_met(&self, block: Block) -> Result<pg_sys::Buffer> {
        let met = if self.vacuum || self.fork != pg_sys::ForkNumber::MAIN_FORKNUM {
            None
        } else {
            // SAFETY: the relation is open.
            unsafe { whereabouts::pin(self.rel, block) }
        };
        match met {
            Some(buffer) => Ok(buffer),
            None => self.pin(block, pg_sys::ReadBufferMode::RBM_NORMAL),
        }
    }

    /// A zeroed buffer of an existing block, whatever was on disk.
    pub(super) fn overwrite(&self, block: Block) -> Result<Write> {
        let buffer = self.pin(block, pg_sys::ReadBufferMode::RBM_ZERO_AND_LOCK)?;
        // SAFETY: RBM_ZERO_AND_LOCK returns the buffer pinned and exclusively locked.
        Ok(unsafe { Write::new(buffer, block) })
    }

    /// A new block at the end, zeroed and locked.
    #[cfg(feature = "pg15")]
    pub fn extend(&self) -> Write {
        loop {
            // SAFETY: the relation is open, and the guard takes over pin and lock.
            let write = unsafe {
                let shared = !ffi::relation_is_local(self.rel);
                if shared {
                    pg_sys::LockRelationForExtension(self.rel, pg_sys::ExclusiveLock as i32);
                }
                let buffer = pg_sys::ReadBufferExtended(
                    self.rel,
                    self.fork,
                    pg_sys::InvalidBlockNumber,
                    pg_sys::ReadBufferMode::RBM_NORMAL,
                    self.strategy,
                );
                self.reached("extension: new page not locked");
                pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_EXCLUSIVE as i32);
                if shared {
                    pg_sys::UnlockRelationForExtension(self.rel, pg_sys::ExclusiveLock as i32);
                }
                Write::new(buffer, pg_sys::BufferGetBlockNumber(buffer))
            };
            // A free space map from before a crash may have offered the block to somebody who was
            // quicker to lock it.
            if page::is_new(&write) {
                return write;
            }
        }
    }

    /// A new block at the end, zeroed and locked before anyone else can come upon it.
    #[cfg(not(feature = "pg15"))]
    pub fn extend(&self) -> Write {
        // SAFETY: the relation is open, and the guard takes over pin and lock.
        unsafe {
            let buffer = pg_sys::ExtendBufferedRel(
                pg_sys::BufferManagerRelation {
                    rel: self.rel,
                    ..Default::default()
                },
                self.fork,
                self.strategy,
                pg_sys::ExtendBufferedFlags::EB_LOCK_FIRST,
            );
            Write::new(buffer, pg_sys::BufferGetBlockNumber(buffer))
        }
    }

    /// A reusable block from the free space map, if it has one that is really free.
    ///
    /// The map is not crash-safe: it may offer a page that is in use, even one that this backend
    /// has locked. So the lock is taken only if it is free, and the page itself has the say.
    fn recycle(&self) -> Result<Option<Write>> {
        loop {
            // SAFETY: the relation is open.
            let block = unsafe { pg_sys::GetFreeIndexPage(self.rel) };
            if block == pg_sys::InvalidBlockNumber {
                return Ok(None);
            }
            self.reached("free page: offered");
            let buffer = self.pin(block, pg_sys::ReadBufferMode::RBM_NORMAL)?;
            // SAFETY: the buffer is pinned; without the lock only the pin is given back.
            let write = unsafe {
                if !pg_sys::ConditionalLockBuffer(buffer) {
                    pg_sys::ReleaseBuffer(buffer);
                    continue;
                }
                Write::new(buffer, block)
            };
            let free = page::kind(&write) == Some(Kind::Free);
            if page::is_new(&write) || free && self.has_passed(page::freed_at(&write)) {
                return Ok(Some(write));
            }
        }
    }
}

/// The number under which the server's lock manager has the borders between leaves: that of the first leaf, since META's is the model.
const BORDERS: Block = 1;

impl Store for IndexStore {
    type Read = Read;
    type Write = Write;

    #[inline]
    fn read(&self, block: Block) -> Result<Read> {
        let buffer = self.pin_where_met(block)?;
        // SAFETY: the buffer is pinned; the guard takes over pin and lock.
        unsafe {
            #[cfg(feature = "testing")]
            crate::testing::let_stopped(buffer, false);
            ffi::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as i32);
            let read = Read::new(buffer, block);
            #[cfg(feature = "testing")]
            let read = read.in_order();
            whereabouts::remember(self, block, buffer, &read);
            Ok(read)
        }
    }

    #[inline(always)]
    fn prefetch(&self, block: Block, within: f32) {
        whereabouts::prefetch(self.rel, block, within);
    }

    fn write(&self, block: Block) -> Result<Write> {
        let buffer = self.pin_where_met(block)?;
        // SAFETY: the buffer is pinned; the guard takes over pin and lock.
        unsafe {
            #[cfg(feature = "testing")]
            crate::testing::let_stopped(buffer, false);
            lock_exclusively(buffer);
            let write = Write::new(buffer, block);
            #[cfg(feature = "testing")]
            let write = write.in_order();
            whereabouts::remember(self, block, buffer, &write);
            Ok(write)
        }
    }

    fn write_for_cleanup(&self, block: Block) -> Result<Write> {
        let buffer = self.pin(block, pg_sys::ReadBufferMode::RBM_NORMAL)?;
        // SAFETY: the buffer is pinned, once; the guard takes over pin and lock.
        unsafe {
            #[cfg(feature = "testing")]
            crate::testing::let_stopped(buffer, true);
            pg_sys::LockBufferForCleanup(buffer);
            let write = Write::new(buffer, block);
            #[cfg(feature = "testing")]
            let write = write.in_order();
            Ok(write)
        }
    }

    fn try_write_for_cleanup(&self, block: Block) -> Result<Option<Write>> {
        let buffer = self.pin(block, pg_sys::ReadBufferMode::RBM_NORMAL)?;
        // SAFETY: the buffer is pinned, once; the guard takes over pin and lock, or the pin is
        // given back.
        unsafe {
            if pg_sys::ConditionalLockBufferForCleanup(buffer) {
                return Ok(Some(Write::new(buffer, block)));
            }
            pg_sys::ReleaseBuffer(buffer);
        }
        Ok(None)
    }

    fn allocate(&self) -> Result<Write> {
        match self.recycle()? {
            Some(write) => Ok(write),
            None => Ok(self.extend()),
        }
    }

    fn allocate_spare(&self) -> Result<Option<Write>> {
        match self.recycle()? {
            Some(write) => Ok(Some(write)),
            None => Ok(room::is_ample(self.rel).then(|| self.extend())),
        }
    }

    fn commit(&self, changes: &mut [(&mut Write, Change)]) -> Result<()> {
        wal::commit(self, changes)
    }

    fn blocks(&self) -> Result<Block> {
        // Whoever extends the relation locks the new page before giving up the extension lock.
        // VACUUM records new pages as free, so it must not see one before that: it would be
        // given to two.
        // SAFETY: the relation is open; of locks on pages, VACUUM holds only heavyweight ones here.
        Ok(unsafe {
            let lock = pg_sys::ExclusiveLock as i32;
            if self.vacuum {
                pg_sys::LockRelationForExtension(self.rel, lock);
            }
            let blocks = pg_sys::RelationGetNumberOfBlocksInFork(self.rel, self.fork);
            if self.vacuum {
                pg_sys::UnlockRelationForExtension(self.rel, lock);
            }
            blocks
        })
    }

    /// The next transaction id. Whoever adds an entry has one, or keeps VACUUM out by a lock on the table.
    fn moment(&self) -> u64 {
        // SAFETY: may be asked at any time.
        unsafe { pg_sys::ReadNextFullTransactionId().value }
    }

    fn has_passed(&self, moment: u64) -> bool {
        let next = pg_sys::FullTransactionId { value: moment };
        // SAFETY: no relation means the horizon that is safe for all of them. VACUUM and whoever
        // inserts have a snapshot.
        moment == 0 || unsafe { pg_sys::GlobalVisCheckRemovableFullXid(std::ptr::null_mut(), next) }
    }

    #[cfg(feature = "testing")]
    fn reached(&self, step: &'static str) {
        crate::testing::stop(step);
    }

    #[inline(always)]
    fn inserting(&self, leaf: &Write) -> Result<()> {
        if query::is_serializable() {
            // SAFETY: the relation is open. An ERROR lets go of the leaf, which is unchanged.
            unsafe {
                let none = std::ptr::null_mut();
                query::CheckForSerializableConflictIn(self.rel, none, leaf.block());
            }
        }
        Ok(())
    }

    fn leaf_split(&self, left: &Write, right: &Write) {
        // SAFETY: the relation is open.
        unsafe { query::PredicateLockPageSplit(self.rel, left.block(), right.block()) };
    }

    fn leaves_joined(&self, left: &Write, right: &Write) {
        // SAFETY: the relation is open.
        unsafe { query::PredicateLockPageCombine(self.rel, right.block(), left.block()) };
    }

    fn vacuuming<R>(&self, work: impl FnOnce() -> R) -> R {
        let lock = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        // SAFETY: the relation is open, and nothing of it locked. After an ERROR the transaction's abort gives the lock back.
        unsafe { pg_sys::LockPage(self.rel, BORDERS, lock) };
        let done = work();
        // SAFETY: locked above.
        unsafe { pg_sys::UnlockPage(self.rel, BORDERS, lock) };
        done
    }

    fn unless_vacuuming<R>(&self, work: impl FnOnce() -> R) -> Option<R> {
        let lock = pg_sys::ShareLock as pg_sys::LOCKMODE;
        // SAFETY: as above; nobody waits here.
        if !unsafe { pg_sys::ConditionalLockPage(self.rel, BORDERS, lock) } {
            return None;
        }
        let done = work();
        // SAFETY: locked above.
        unsafe { pg_sys::UnlockPage(self.rel, BORDERS, lock) };
        Some(done)
    }

    fn freed(&self, block: Block) {
        // SAFETY: the relation is open. Whoever is offered the page looks at it. The map's upper levels are told, too: it
        // is to be found at once.
        unsafe {
            pg_sys::RecordFreeIndexPage(self.rel, block);
            pg_sys::FreeSpaceMapVacuumRange(self.rel, block, block.saturating_add(1));
        }
    }

    fn interrupt(&self) {
        if self.vacuum {
            // SAFETY: no lock is held (contract of the trait), so the process may sleep or ERROR.
            unsafe {
                #[cfg(feature = "pg18")]
                pg_sys::vacuum_delay_point(false);
                #[cfg(not(feature = "pg18"))]
                pg_sys::vacuum_delay_point();
            }
        } else {
            pgrx::check_for_interrupts!();
        }
    }
}

/// Locks a pinned buffer, for which other inserts may be waiting: the last leaf's of a table that is appended to, say. Mostly it is locked for a
/// microsecond or two, and to go to sleep takes longer. (nbtree's inserts at the right end try once, and then descend from the root.)
///
/// # Safety
/// The buffer is pinned, and not locked by this process.
#[inline(always)]
unsafe fn lock_exclusively(buffer: pg_sys::Buffer) {
    const TRIES: usize = 4;
    const PAUSES: usize = 8;
    for _ in 0..TRIES {
        // SAFETY: the caller's contract.
        if unsafe { ffi::ConditionalLockBuffer(buffer) } {
            return;
        }
        for _ in 0..PAUSES {
            std::hint::spin_loop();
        }
    }
    // SAFETY: the caller's contract.
    unsafe { ffi::LockBuffer(buffer, pg_sys::BUFFER_LOCK_EXCLUSIVE as i32) };
}

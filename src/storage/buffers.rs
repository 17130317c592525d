//! The core's [`Store`] on shared buffers: reading, locking and allocating pages of an index.

use learned::page::{self, Block, Kind};
use learned::store::{Change, Guard, Store};
use learned::{Error, Result};
use pgrx::pg_sys;

use crate::pg::ffi;
use crate::storage::guards::{ReadGuard, WriteGuard};
use crate::storage::index_store::IndexStore;
#[cfg(feature = "testing")]
use crate::storage::lock_order::LockOrder;
use crate::storage::{buffer_hints, disk_space, wal};

// The page layout and the WAL records are made for this page size only, and the core reads and
// writes the server's page header as little-endian.
const _: () = assert!(pg_sys::BLCKSZ as usize == page::PAGE_SIZE);
const _: () = assert!(cfg!(target_endian = "little"));

impl IndexStore {
    /// Pins a block.
    fn pin(&self, block: Block, mode: pg_sys::ReadBufferMode::Type) -> Result<pg_sys::Buffer> {
        // ReadBufferExtended would extend the relation for InvalidBlockNumber.
        if block == pg_sys::InvalidBlockNumber {
            return Err(Error::corrupted(block, "link to an invalid block number"));
        }
        // SAFETY: the relation is open as long as the store lives. A block beyond its end is an
        // ERROR of the server.
        Ok(unsafe { pg_sys::ReadBufferExtended(self.rel, self.fork, block, mode, self.strategy) })
    }

    /// Pins a block, if possible in the buffer where it was last found.
    #[inline]
    fn pin_by_hint(&self, block: Block) -> Result<pg_sys::Buffer> {
        let found = if self.vacuum || self.fork != pg_sys::ForkNumber::MAIN_FORKNUM {
            None
        } else {
            // SAFETY: the relation is open as long as the store lives.
            unsafe { buffer_hints::pin(self.rel, block) }
        };
        match found {
            Some(buffer) => Ok(buffer),
            None => self.pin(block, pg_sys::ReadBufferMode::RBM_NORMAL),
        }
    }

    /// A zeroed buffer of an existing block. What is on disk is not read.
    pub(super) fn overwrite(&self, block: Block) -> Result<WriteGuard> {
        let buffer = self.pin(block, pg_sys::ReadBufferMode::RBM_ZERO_AND_LOCK)?;
        // SAFETY: RBM_ZERO_AND_LOCK returns the buffer pinned and exclusively locked.
        Ok(unsafe { WriteGuard::new(buffer, block) })
    }

    /// A new block at the end, zeroed and locked.
    #[cfg(feature = "pg15")]
    pub fn extend(&self) -> WriteGuard {
        loop {
            // SAFETY: the relation is open. The new buffer is pinned and locked here, and both pass
            // to the guard.
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
                WriteGuard::new(buffer, pg_sys::BufferGetBlockNumber(buffer))
            };
            // A free space map from before a crash may have offered the new block to another
            // process, which was faster to lock it.
            if page::is_new(&write) {
                return write;
            }
        }
    }

    /// A new block at the end, zeroed, and locked before another process can find it.
    #[cfg(not(feature = "pg15"))]
    pub fn extend(&self) -> WriteGuard {
        // SAFETY: the relation is open. EB_LOCK_FIRST returns the buffer pinned and exclusively
        // locked, and both pass to the guard.
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
            WriteGuard::new(buffer, pg_sys::BufferGetBlockNumber(buffer))
        }
    }

    /// A free block that the free space map offers. None if the map offers none that is free.
    ///
    /// The map is not crash-safe: it may offer a page that is in use, or even one that this backend
    /// has locked. So the page is locked only if no process has it locked, and the page itself says
    /// whether it is free.
    fn recycle(&self) -> Result<Option<WriteGuard>> {
        loop {
            // SAFETY: the relation is open as long as the store lives.
            let block = unsafe { pg_sys::GetFreeIndexPage(self.rel) };
            if block == pg_sys::InvalidBlockNumber {
                return Ok(None);
            }
            self.reached("free page: offered");
            let buffer = self.pin(block, pg_sys::ReadBufferMode::RBM_NORMAL)?;
            // SAFETY: the buffer is pinned. If it was locked, pin and lock pass to the guard; if
            // not, the pin is given back.
            let write = unsafe {
                if !pg_sys::ConditionalLockBuffer(buffer) {
                    pg_sys::ReleaseBuffer(buffer);
                    continue;
                }
                WriteGuard::new(buffer, block)
            };
            let free = page::kind(&write) == Some(Kind::Free);
            if page::is_new(&write) || free && self.has_passed(page::freed_at(&write)) {
                return Ok(Some(write));
            }
        }
    }
}

/// The page lock that stands for the borders between leaves: that of block 1, the first leaf. The
/// page lock of META stands for the model.
const BORDERS: Block = 1;

impl Store for IndexStore {
    type Read = ReadGuard;
    type Write = WriteGuard;

    #[inline]
    fn read(&self, block: Block) -> Result<ReadGuard> {
        let buffer = self.pin_by_hint(block)?;
        // SAFETY: pin_by_hint() has pinned the buffer. The pin and the lock pass to the guard.
        unsafe {
            #[cfg(feature = "testing")]
            crate::testing::wait_for_stopped(buffer, false);
            ffi::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as i32);
            let read = ReadGuard::new(buffer, block);
            #[cfg(feature = "testing")]
            let read = read.in_order();
            buffer_hints::remember(self, block, buffer, &read);
            Ok(read)
        }
    }

    #[inline(always)]
    fn prefetch(&self, block: Block, within: f32) {
        buffer_hints::prefetch(self.rel, block, within);
    }

    fn write(&self, block: Block) -> Result<WriteGuard> {
        let buffer = self.pin_by_hint(block)?;
        // SAFETY: pin_by_hint() has pinned the buffer. The pin and the lock pass to the guard.
        unsafe {
            #[cfg(feature = "testing")]
            crate::testing::wait_for_stopped(buffer, false);
            lock_exclusively(buffer);
            let write = WriteGuard::new(buffer, block);
            #[cfg(feature = "testing")]
            let write = write.in_order();
            buffer_hints::remember(self, block, buffer, &write);
            Ok(write)
        }
    }

    fn write_for_cleanup(&self, block: Block) -> Result<WriteGuard> {
        let buffer = self.pin(block, pg_sys::ReadBufferMode::RBM_NORMAL)?;
        // SAFETY: the buffer is pinned, and this backend has no other pin of it. The pin and the
        // lock pass to the guard.
        unsafe {
            #[cfg(feature = "testing")]
            crate::testing::wait_for_stopped(buffer, true);
            pg_sys::LockBufferForCleanup(buffer);
            let write = WriteGuard::new(buffer, block);
            #[cfg(feature = "testing")]
            let write = write.in_order();
            Ok(write)
        }
    }

    fn try_write_for_cleanup(&self, block: Block) -> Result<Option<WriteGuard>> {
        let buffer = self.pin(block, pg_sys::ReadBufferMode::RBM_NORMAL)?;
        // SAFETY: the buffer is pinned, and this backend has no other pin of it. The pin and the
        // lock pass to the guard; without the lock the pin is given back.
        unsafe {
            if pg_sys::ConditionalLockBufferForCleanup(buffer) {
                return Ok(Some(WriteGuard::new(buffer, block)));
            }
            pg_sys::ReleaseBuffer(buffer);
        }
        Ok(None)
    }

    fn allocate(&self) -> Result<WriteGuard> {
        match self.recycle()? {
            Some(write) => Ok(write),
            None => Ok(self.extend()),
        }
    }

    fn allocate_spare(&self) -> Result<Option<WriteGuard>> {
        match self.recycle()? {
            Some(write) => Ok(Some(write)),
            None => Ok(disk_space::is_ample(self.rel).then(|| self.extend())),
        }
    }

    fn commit(&self, changes: &mut [(&mut WriteGuard, Change)]) -> Result<()> {
        wal::commit(self, changes)
    }

    fn blocks(&self) -> Result<Block> {
        // A process that extends the relation locks the new page before it gives up the extension
        // lock. VACUUM records new pages as free, so it must not see a page before that: two
        // processes would get it.
        // SAFETY: the relation is open. VACUUM holds no buffer lock here, so it may wait for the
        // extension lock.
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

    /// The next transaction ID. A process that adds an entry has a transaction ID, or keeps VACUUM
    /// away by its lock on the table.
    fn moment(&self) -> u64 {
        // SAFETY: the function reads a counter in shared memory, which every backend may do.
        unsafe { pg_sys::ReadNextFullTransactionId().value }
    }

    fn has_passed(&self, moment: u64) -> bool {
        let next = pg_sys::FullTransactionId { value: moment };
        // SAFETY: a null relation stands for the horizon that is safe for all relations. The
        // function needs a snapshot; VACUUM has one, and so has a process that inserts.
        moment == 0 || unsafe { pg_sys::GlobalVisCheckRemovableFullXid(std::ptr::null_mut(), next) }
    }

    #[cfg(feature = "testing")]
    fn reached(&self, step: &'static str) {
        crate::testing::stop(step);
    }

    #[inline(always)]
    fn inserting(&self, leaf: &WriteGuard) -> Result<()> {
        if ffi::is_serializable() {
            // SAFETY: the relation is open. After an ERROR transaction abort releases the leaf,
            // which is unchanged.
            unsafe {
                let none = std::ptr::null_mut();
                ffi::CheckForSerializableConflictIn(self.rel, none, leaf.block());
            }
        }
        Ok(())
    }

    fn leaf_split(&self, left: &WriteGuard, right: &WriteGuard) {
        // SAFETY: the relation is open, and both pages are locked.
        unsafe { ffi::PredicateLockPageSplit(self.rel, left.block(), right.block()) };
    }

    fn leaves_joined(&self, left: &WriteGuard, right: &WriteGuard) {
        // SAFETY: the relation is open, and both pages are locked.
        unsafe { ffi::PredicateLockPageCombine(self.rel, right.block(), left.block()) };
    }

    fn vacuuming<R>(&self, work: impl FnOnce() -> R) -> R {
        let lock = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        // SAFETY: the relation is open, and none of its pages is locked, so this process may wait.
        // After an ERROR transaction abort gives the lock back.
        unsafe { pg_sys::LockPage(self.rel, BORDERS, lock) };
        let done = work();
        // SAFETY: this function has taken the lock.
        unsafe { pg_sys::UnlockPage(self.rel, BORDERS, lock) };
        done
    }

    fn unless_vacuuming<R>(&self, work: impl FnOnce() -> R) -> Option<R> {
        let lock = pg_sys::ShareLock as pg_sys::LOCKMODE;
        // SAFETY: the relation is open. The function does not wait, so pages may be locked.
        if !unsafe { pg_sys::ConditionalLockPage(self.rel, BORDERS, lock) } {
            return None;
        }
        let done = work();
        // SAFETY: ConditionalLockPage has taken the lock.
        unsafe { pg_sys::UnlockPage(self.rel, BORDERS, lock) };
        Some(done)
    }

    fn freed(&self, block: Block) {
        // The upper levels of the map are updated, too, so that the page is found at once.
        // SAFETY: the relation is open. The map is only advice: recycle() checks the page.
        unsafe {
            pg_sys::RecordFreeIndexPage(self.rel, block);
            pg_sys::FreeSpaceMapVacuumRange(self.rel, block, block.saturating_add(1));
        }
    }

    fn interrupt(&self) {
        if self.vacuum {
            // SAFETY: the core calls interrupt() without a lock, so the process may sleep or raise
            // an ERROR.
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

/// Locks a pinned buffer for which other inserts may be waiting, such as the last leaf of a table
/// that is appended to. The lock is mostly held for a microsecond or two, and going to sleep takes
/// longer, so the lock is tried some times first. (nbtree's inserts at the right end try once, and
/// then descend from the root.)
///
/// # Safety
/// The buffer is pinned, and this process has not locked it.
#[inline(always)]
unsafe fn lock_exclusively(buffer: pg_sys::Buffer) {
    const TRIES: usize = 4;
    const PAUSES_PER_TRY: usize = 8;
    for _ in 0..TRIES {
        // SAFETY: the buffer is pinned.
        if unsafe { ffi::ConditionalLockBuffer(buffer) } {
            return;
        }
        for _ in 0..PAUSES_PER_TRY {
            std::hint::spin_loop();
        }
    }
    // SAFETY: the buffer is pinned, and no try has locked it.
    unsafe { ffi::LockBuffer(buffer, pg_sys::BUFFER_LOCK_EXCLUSIVE as i32) };
}

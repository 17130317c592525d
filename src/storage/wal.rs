//! Changes of up to four pages as one record of the generic resource manager, assembled by hand.
//!
//! Its redo routine, which every server has, applies to each block a list of
//! `{ offset u16, length u16, bytes }` and then zeroes the hole. `GenericXLogFinish` finds the list by
//! comparing pages byte by byte; we know what changes.
//!
//! A [`Patch`](learned::store::Patch) is such a list, and is both applied and logged, so that primary and replay do the same.
//! Whatever could fail is checked before the critical section. Inside, nothing allocates, panics or raises an error.

use learned::page::{Block, PAGE_SIZE, Page, SPECIAL, head, pd};
use learned::store::{Change, Guard, MAX_CHANGES};
use learned::{Error, Result};
use pgrx::pg_sys;

use super::guards::Write;
use super::index::IndexStore;
use crate::pg::ffi;

/// A longer list is logged as an image.
const MAX_LIST: usize = PAGE_SIZE / 2;
/// Offset and length before the bytes of each span.
const SPAN: usize = 4;

/// One page's change, checked and ready to be applied.
#[derive(Clone, Copy)]
struct Staged<'a> {
    buffer: pg_sys::Buffer,
    page: *mut u8,
    what: What<'a>,
    /// Logged as an image.
    image: bool,
    /// Ranges to be zeroed after the bytes were applied.
    zero: [(usize, usize); 2],
}

#[derive(Clone, Copy)]
enum What<'a> {
    /// The page from `pd::FLAGS` on.
    Page(&'a Page),
    /// A list of spans, as redo reads it.
    List(&'a [u8]),
}

/// Applies the changes and logs them as one record.
pub(super) fn commit(store: &IndexStore, changes: &mut [(&mut Write, Change)]) -> Result<()> {
    // The redo routine has room for four pages and does not check.
    if changes.len() > MAX_CHANGES {
        refuse(store, "too many pages in one record");
    }
    if changes.is_empty() {
        return Ok(());
    }
    let mut staged = [None; MAX_CHANGES];
    for (i, (write, change)) in changes.iter_mut().enumerate() {
        let (before, rest) = staged.split_at_mut(i);
        match stage(write, change) {
            Ok(s) if before.iter().flatten().any(|t: &Staged| t.page == s.page) => {
                refuse(store, "one page twice in a record")
            }
            Ok(s) => rest[0] = Some(s),
            Err(_) if matches!(change, Change::Patch(_)) && hole(header(write)).is_none() => {
                return Err(Error::corrupted(write.block(), "bad page header"));
            }
            Err(why) => refuse(store, &format!("block {}: {why}", write.block())),
        }
    }
    let logged = store.logged();
    // SAFETY: may be asked at any time. In the critical section the server's own check would end the process.
    if logged && !unsafe { ffi::XLogInsertAllowed() } {
        refuse(store, "change during recovery");
    }

    ffi::start_crit_section();
    // SAFETY: each page is pinned and exclusively locked by a guard that the caller has lent us
    // for writing; stage() checked every range against the page, and what it refers to is the
    // caller's and stays in place until XLogInsert has read it.
    unsafe {
        for s in staged.iter().flatten() {
            s.apply();
            ffi::MarkBufferDirty(s.buffer);
        }
        if logged {
            ffi::XLogBeginInsert();
            for (id, s) in (0u8..).zip(staged.iter().flatten()) {
                s.register(id);
            }
            let lsn = ffi::XLogInsert(pg_sys::RmgrIds::RM_GENERIC_ID as u8, 0);
            for s in staged.iter().flatten() {
                ffi::page_set_lsn(s.page, lsn);
            }
        }
    }
    ffi::end_crit_section();
    Ok(())
}

impl IndexStore {
    /// Logs that rows of these transactions, and of all before them, are about to be forgotten: standbys wait for the queries that may still see
    /// them, or cancel them, before they replay what follows. Generic records have no place for that, but there is a record that
    /// says nothing else: the one with which nbtree announces that a page is used again (access/nbtxlog.h).
    ///
    /// # Safety
    /// The table `heap` of this index is open, and no page is locked.
    pub unsafe fn log_conflict(
        &self,
        heap: pg_sys::Relation,
        block: Block,
        horizons: impl Iterator<Item = pg_sys::TransactionId>,
    ) {
        const XLOG_BTREE_REUSE_PAGE: u8 = 0xD0;
        let replica = pg_sys::WalLevel::WAL_LEVEL_REPLICA as i32;
        // SAFETY: set at server start.
        let standbys = unsafe { pg_sys::wal_level } >= replica;
        // SAFETY: always possible.
        let next = unsafe { pg_sys::ReadNextFullTransactionId() }.value;
        // Transactions that are still known of are less than 2^32 behind the next one.
        let full = |horizon: pg_sys::TransactionId| {
            let age = (next as u32).wrapping_sub(horizon.into_inner());
            next.saturating_sub(age.into())
        };
        let valid = horizons.filter(|horizon| *horizon != pg_sys::InvalidTransactionId);
        let Some(newest) = valid.map(full).max() else {
            return;
        };
        if !standbys || !self.logged() {
            return;
        }
        // SAFETY: the relations are open. The record has the fields of the server's xl_btree_reuse_page, in native order
        // without gaps.
        unsafe {
            let mut record = Vec::with_capacity(32);
            record.extend(ffi::file_of(self.raw()).map(u32::to_ne_bytes).concat());
            record.extend(block.to_ne_bytes());
            record.extend(newest.to_ne_bytes());
            #[cfg(not(feature = "pg15"))]
            record.push(ffi::is_accessible_in_logical_decoding(heap).into());
            #[cfg(feature = "pg15")]
            let _ = heap;
            pg_sys::XLogBeginInsert();
            pg_sys::XLogRegisterData(record.as_mut_ptr().cast(), record.len() as _);
            let btree = pg_sys::RmgrIds::RM_BTREE_ID as u8;
            pg_sys::XLogInsert(btree, XLOG_BTREE_REUSE_PAGE);
        }
    }
}

impl Staged<'_> {
    /// Does to the page what redo would do.
    ///
    /// # Safety
    /// As [`stage`] made it, and the page is still exclusively locked.
    unsafe fn apply(&self) {
        // SAFETY: stage() made sure that the list is a sequence of whole spans that lie within
        // the page, and that the ranges to zero do.
        unsafe {
            match self.what {
                What::Page(from) => {
                    let to = self.page.add(pd::FLAGS);
                    let from = from.as_ptr().add(pd::FLAGS);
                    from.copy_to_nonoverlapping(to, PAGE_SIZE - pd::FLAGS);
                }
                What::List(list) => {
                    let mut from = list.as_ptr();
                    let end = from.add(list.len());
                    while from < end {
                        let at = usize::from(from.cast::<u16>().read_unaligned());
                        let len = usize::from(from.add(2).cast::<u16>().read_unaligned());
                        from = from.add(SPAN);
                        from.copy_to_nonoverlapping(self.page.add(at), len);
                        from = from.add(len);
                    }
                }
            }
            for (start, end) in self.zero {
                self.page.add(start).write_bytes(0, end - start);
            }
        }
    }

    /// Adds the page, and its list of spans unless an image says it all, to the record.
    ///
    /// # Safety
    /// As for [`Staged::apply`]; between XLogBeginInsert and XLogInsert.
    unsafe fn register(&self, id: u8) {
        let flags = if self.image {
            pg_sys::REGBUF_STANDARD | pg_sys::REGBUF_FORCE_IMAGE
        } else {
            pg_sys::REGBUF_STANDARD
        };
        // SAFETY: the buffer is pinned, locked and dirty, and the bytes stay until XLogInsert.
        unsafe {
            ffi::XLogRegisterBuffer(id, self.buffer, flags as u8);
            if let What::List(list) = self.what
                && !self.image
            {
                ffi::XLogRegisterBufData(id, list.as_ptr().cast_mut(), list.len() as u32);
            }
        }
    }
}

/// Checks one page's change.
fn stage<'a>(
    write: &mut Write,
    change: &'a Change,
) -> std::result::Result<Staged<'a>, &'static str> {
    let (what, image, zero) = match change {
        Change::Image(page) => {
            let hole = hole(header(page)).ok_or("image with a bad header")?;
            (What::Page(page), true, [hole, (0, 0)])
        }
        Change::Patch(patch) => {
            let mut header = *header(write);
            let old = hole(&header).ok_or("patch of a page with a bad header")?;
            let mut bytes = 0;
            for (at, span) in patch.spans() {
                if at < pd::FLAGS || span.is_empty() || at + span.len() > PAGE_SIZE {
                    return Err("patch outside the page");
                }
                for (to, from) in header.iter_mut().skip(at).zip(span) {
                    *to = *from;
                }
                bytes += SPAN + span.len();
            }
            let list = patch.list();
            if list.len() != bytes {
                return Err("patch of a broken list");
            }
            let new = hole(&header).ok_or("patch leaves a bad header")?;
            // The old hole is zero already. What else of the new one needs zeroing, as redo does?
            let (lower, upper) = new;
            let touched = patch
                .spans()
                .any(|(at, s)| at < upper && lower < at + s.len());
            let zero = if touched || old.1 <= lower || upper <= old.0 {
                [new, (0, 0)]
            } else {
                [(lower, old.0.max(lower)), (old.1.min(upper), upper)]
            };
            (What::List(list), list.len() > MAX_LIST, zero)
        }
    };
    Ok(Staged {
        buffer: write.buffer(),
        page: write.page_mut(),
        what,
        image,
        zero,
    })
}

/// PostgreSQL's header of a page.
fn header(page: &Page) -> &[u8; pd::BYTES] {
    const { assert!(pd::BYTES <= PAGE_SIZE) };
    match page.first_chunk() {
        Some(header) => header,
        None => &[0; pd::BYTES],
    }
}

/// The hole, if the header is one that redo can work with: with lower beyond upper it would zero
/// all of memory, and the server would never start again.
fn hole(header: &[u8; pd::BYTES]) -> Option<(usize, usize)> {
    let field = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let (lower, upper) = (field(pd::LOWER), field(pd::UPPER));
    let sane = head::END <= lower && lower <= upper && upper <= SPECIAL;
    (sane && field(pd::SPECIAL) == SPECIAL).then_some((lower, upper))
}

/// Refuses a change before anything has happened: the fault is ours.
#[cold]
fn refuse(store: &IndexStore, why: &str) -> ! {
    crate::error::internal(store.raw(), why)
}

//! Changes of up to four pages as one record of the generic resource manager, assembled by hand.
//!
//! Every server has the redo routine of that manager. It applies to each block a list of `{ offset
//! u16, length u16, bytes }`, and then zeroes the hole. `GenericXLogFinish` finds the list by
//! comparing pages byte by byte, which is not necessary here: the core knows what changes.
//!
//! A [`Patch`](learned::store::Patch) is such a list. The same list is applied and logged, so the
//! primary and replay make the same change. Whatever could fail is checked before the critical
//! section. Nothing within it allocates, panics or raises an error.

use learned::page::{PAGE_SIZE, Page, SPECIAL, head, pd};
use learned::store::{Change, Guard, MAX_CHANGES};
use learned::{Error, Result};
use pgrx::pg_sys;

use super::guards::WriteGuard;
use super::index_store::IndexStore;
use crate::pg::ffi;

/// The longest list, in bytes, that is logged as such. For a longer one the page is logged as an
/// image.
const MAX_LIST_BYTES: usize = PAGE_SIZE / 2;
/// Bytes of the offset and the length before each span.
const SPAN_HEADER_BYTES: usize = 4;

/// One page's change, checked and ready to be applied.
#[derive(Clone, Copy)]
struct StagedChange<'a> {
    buffer: pg_sys::Buffer,
    page: *mut u8,
    content: Content<'a>,
    /// Whether the page is logged as an image.
    image: bool,
    /// Ranges that are zeroed after the content was applied.
    zero: [(usize, usize); 2],
}

#[derive(Clone, Copy)]
enum Content<'a> {
    /// A whole page, of which everything from `pd::FLAGS` on is applied.
    Page(&'a Page),
    /// A list of spans, in the format of the redo routine.
    List(&'a [u8]),
}

/// Applies the changes and logs them as one record.
pub(super) fn commit(store: &IndexStore, changes: &mut [(&mut WriteGuard, Change)]) -> Result<()> {
    // The redo routine has room for four pages and does not check.
    if changes.len() > MAX_CHANGES {
        refuse(store, "a change has too many pages");
    }
    if changes.is_empty() {
        return Ok(());
    }
    let mut staged = [None; MAX_CHANGES];
    for (i, (write, change)) in changes.iter_mut().enumerate() {
        let (before, rest) = staged.split_at_mut(i);
        match stage(write, change) {
            Ok(s)
                if before
                    .iter()
                    .flatten()
                    .any(|t: &StagedChange| t.page == s.page) =>
            {
                refuse(store, "a change has one page twice")
            }
            Ok(s) => rest[0] = Some(s),
            Err(_) if matches!(change, Change::Patch(_)) && hole(header(write)).is_none() => {
                return Err(Error::corrupted(write.block(), "bad page header"));
            }
            Err(why) => refuse(store, &format!("block {}: {why}", write.block())),
        }
    }
    let logged = store.is_logged();
    // SAFETY: XLogInsertAllowed() reads variables of this process. It is called here since the
    // check of XLogBeginInsert, in the critical section, would end the process.
    if logged && !unsafe { ffi::XLogInsertAllowed() } {
        refuse(store, "a change is attempted during recovery");
    }

    ffi::start_crit_section();
    // SAFETY: each page is pinned and exclusively locked by a guard that is borrowed mutably until
    // the end of this function. stage() has checked every range against the page. The lists belong
    // to `changes`, and stay in place until XLogInsert has read them.
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

impl StagedChange<'_> {
    /// Changes the page as redo would.
    ///
    /// # Safety
    /// [`stage`] has made the change, and the page is still exclusively locked.
    unsafe fn apply(&self) {
        // SAFETY: stage() has checked that the list is a sequence of whole spans, and that the
        // spans and the ranges to zero lie within the page.
        unsafe {
            match self.content {
                Content::Page(from) => {
                    let to = self.page.add(pd::FLAGS);
                    let from = from.as_ptr().add(pd::FLAGS);
                    from.copy_to_nonoverlapping(to, PAGE_SIZE - pd::FLAGS);
                }
                Content::List(list) => {
                    let mut from = list.as_ptr();
                    let end = from.add(list.len());
                    while from < end {
                        let at = usize::from(from.cast::<u16>().read_unaligned());
                        let len = usize::from(from.add(2).cast::<u16>().read_unaligned());
                        from = from.add(SPAN_HEADER_BYTES);
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

    /// Adds the page to the record, with its list of spans unless it is logged as an image.
    ///
    /// # Safety
    /// As for [`StagedChange::apply`]. The call is between XLogBeginInsert and XLogInsert.
    unsafe fn register(&self, id: u8) {
        let flags = if self.image {
            pg_sys::REGBUF_STANDARD | pg_sys::REGBUF_FORCE_IMAGE
        } else {
            pg_sys::REGBUF_STANDARD
        };
        // SAFETY: the buffer is pinned, locked and marked dirty. The server keeps the list's
        // address until XLogInsert, and the list lives longer.
        unsafe {
            ffi::XLogRegisterBuffer(id, self.buffer, flags as u8);
            if let Content::List(list) = self.content
                && !self.image
            {
                ffi::XLogRegisterBufData(id, list.as_ptr().cast_mut(), list.len() as u32);
            }
        }
    }
}

/// Checks one page's change. The error says what is wrong with it.
fn stage<'a>(
    write: &mut WriteGuard,
    change: &'a Change,
) -> std::result::Result<StagedChange<'a>, &'static str> {
    let (content, image, zero) = match change {
        Change::Image(page) => {
            let hole = hole(header(page)).ok_or("image with a bad header")?;
            (Content::Page(page), true, [hole, (0, 0)])
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
                bytes += SPAN_HEADER_BYTES + span.len();
            }
            let list = patch.list();
            if list.len() != bytes {
                return Err("patch of a broken list");
            }
            let new = hole(&header).ok_or("patch leaves a bad header")?;
            // Redo zeroes the whole new hole. Here the part that was in the old hole is zero
            // already, unless the patch has written to it.
            let (lower, upper) = new;
            let touched = patch
                .spans()
                .any(|(at, s)| at < upper && lower < at + s.len());
            let zero = if touched || old.1 <= lower || upper <= old.0 {
                [new, (0, 0)]
            } else {
                [(lower, old.0.max(lower)), (old.1.min(upper), upper)]
            };
            (Content::List(list), list.len() > MAX_LIST_BYTES, zero)
        }
    };
    Ok(StagedChange {
        buffer: write.buffer(),
        page: write.page_mut(),
        content,
        image,
        zero,
    })
}

/// The server's header of a page.
fn header(page: &Page) -> &[u8; pd::BYTES] {
    const { assert!(pd::BYTES <= PAGE_SIZE) };
    match page.first_chunk() {
        Some(header) => header,
        None => &[0; pd::BYTES],
    }
}

/// The hole, from `pd_lower` to `pd_upper`. None if the header is one that redo cannot work with:
/// with `pd_lower` beyond `pd_upper` redo would zero memory far beyond the page, and the server
/// would not start again.
fn hole(header: &[u8; pd::BYTES]) -> Option<(usize, usize)> {
    let field = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let (lower, upper) = (field(pd::LOWER), field(pd::UPPER));
    let sane = head::END <= lower && lower <= upper && upper <= SPECIAL;
    (sane && field(pd::SPECIAL) == SPECIAL).then_some((lower, upper))
}

/// Refuses a change before anything is changed: the core has made a mistake.
#[cold]
fn refuse(store: &IndexStore, why: &str) -> ! {
    crate::error::internal(store.index(), why)
}

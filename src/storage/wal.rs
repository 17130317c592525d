//! Changes of up to four pages as one record of the generic resource manager, assembled by hand.
//!
//! Its redo routine, which every server has, applies to each block a list of
//! `{ offset u16, length u16, bytes }` and then zeroes the hole. `GenericXLogFinish` finds the list by
//! comparing pages byte by byte; we know what changes.
//!
//! Whatever could fail is done before the critical section: the lists are assembled in one buffer,
//! checked, and then both logged and applied, so that primary and replay do the same. Inside,
//! nothing allocates, panics or raises an error.

use learned::page::{PAGE_SIZE, Page, SPECIAL, head, pd};
use learned::store::{Change, Guard, MAX_CHANGES};
use pgrx::pg_sys;
use smallvec::SmallVec;

use super::buffers::{Relation, Write};
use crate::pg::ffi;

/// A patch of more bytes is logged as an image.
const MAX_PATCH: usize = PAGE_SIZE / 2;
/// Offset and length before the bytes of each span.
const SPAN: usize = 4;
/// The header fields that each list ends with where they change, lower and upper: redo zeroes the hole between them.
const FIELDS: std::ops::Range<usize> = pd::LOWER..pd::SPECIAL;

/// The lists of a record; those of an insert need no allocation.
type Bytes = SmallVec<[u8; 256]>;

/// One page's change, checked and ready to be applied.
#[derive(Clone, Copy)]
struct Staged {
    buffer: pg_sys::Buffer,
    page: *mut u8,
    /// The bytes are the page from `pd::FLAGS` on; else a list of spans.
    whole: bool,
    /// Logged as an image.
    image: bool,
    /// Where in the record's buffer the bytes are.
    from: usize,
    to: usize,
    /// Ranges to be zeroed after the bytes were applied.
    zero: [(usize, usize); 2],
}

/// Applies the changes and logs them as one record.
pub(super) fn commit(store: &Relation, changes: &mut [(&mut Write, Change)]) {
    // The redo routine has room for four pages and does not check.
    if changes.len() > MAX_CHANGES {
        refuse(store, "too many pages in one record");
    }
    let mut bytes = Bytes::with_capacity(changes.iter().map(|(_, c)| capacity(c)).sum());
    let mut staged = [None; MAX_CHANGES];
    for (i, (write, change)) in changes.iter_mut().enumerate() {
        let (before, rest) = staged.split_at_mut(i);
        match stage(write, change, &mut bytes) {
            Ok(s) if before.iter().flatten().any(|t: &Staged| t.page == s.page) => {
                refuse(store, "one page twice in a record")
            }
            Ok(s) => rest[0] = Some(s),
            Err(why) => refuse(store, &format!("block {}: {why}", write.block())),
        }
    }
    if changes.is_empty() {
        return;
    }
    let logged = store.logged();
    if logged {
        // SAFETY: may raise an error (in recovery), and is the last call that may.
        unsafe { pg_sys::XLogBeginInsert() };
    }

    ffi::start_crit_section();
    // SAFETY: each page is pinned and exclusively locked by a guard that the caller has lent us
    // for writing; stage() checked every range against the page and made `bytes`, which stays in
    // place until XLogInsert has read it.
    unsafe {
        for s in staged.iter().flatten() {
            s.apply(&bytes);
            ffi::MarkBufferDirty(s.buffer);
        }
        if logged {
            for (id, s) in (0u8..).zip(staged.iter().flatten()) {
                s.register(id, &bytes);
            }
            let lsn = ffi::XLogInsert(pg_sys::RmgrIds::RM_GENERIC_ID as u8, 0);
            for s in staged.iter().flatten() {
                ffi::page_set_lsn(s.page, lsn);
            }
        }
    }
    ffi::end_crit_section();
}

impl Staged {
    /// Does to the page what redo would do.
    ///
    /// # Safety
    /// `bytes` is what [`stage`] filled, and the page is still exclusively locked.
    unsafe fn apply(&self, bytes: &[u8]) {
        let mut from = bytes.as_ptr().wrapping_add(self.from);
        let end = bytes.as_ptr().wrapping_add(self.to);
        // SAFETY: stage() made `from..to` either a page less its first bytes or a sequence of
        // whole spans that lie within the page, and the ranges to zero lie within the page.
        unsafe {
            if self.whole {
                let to = self.page.add(pd::FLAGS);
                from.copy_to_nonoverlapping(to, PAGE_SIZE - pd::FLAGS);
            } else {
                while from < end {
                    let at = usize::from(from.cast::<u16>().read_unaligned());
                    let len = usize::from(from.add(2).cast::<u16>().read_unaligned());
                    from.add(SPAN)
                        .copy_to_nonoverlapping(self.page.add(at), len);
                    from = from.add(SPAN + len);
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
    unsafe fn register(&self, id: u8, bytes: &[u8]) {
        let flags = if self.image {
            pg_sys::REGBUF_STANDARD | pg_sys::REGBUF_FORCE_IMAGE
        } else {
            pg_sys::REGBUF_STANDARD
        };
        // SAFETY: the buffer is pinned, locked and dirty, and the bytes stay until XLogInsert.
        unsafe {
            ffi::XLogRegisterBuffer(id, self.buffer, flags as u8);
            if !self.image {
                let list = bytes.as_ptr().add(self.from).cast_mut();
                ffi::XLogRegisterBufData(id, list, (self.to - self.from) as u32);
            }
        }
    }
}

/// Bytes that a change can take in the record's buffer.
fn capacity(change: &Change) -> usize {
    match change {
        Change::Image(_) => PAGE_SIZE,
        Change::Patch(patch) => patch.len() + SPAN * (patch.spans().count() + 1) + FIELDS.len(),
    }
}

/// Assembles and checks one page's change.
fn stage(write: &mut Write, change: &Change, bytes: &mut Bytes) -> Result<Staged, &'static str> {
    let from = bytes.len();
    let (whole, image, zero) = match change {
        Change::Image(page) => {
            let hole = hole(header(page)).ok_or("image with a bad header")?;
            bytes.extend_from_slice(&page[pd::FLAGS..]);
            (true, true, [hole, (0, 0)])
        }
        Change::Patch(patch) => {
            let mut header = *header(write);
            let old = hole(&header).ok_or("patch of a page with a bad header")?;
            for (at, span) in patch.spans() {
                if at < pd::FLAGS || span.is_empty() || at + span.len() > PAGE_SIZE {
                    return Err("patch outside the page");
                }
                for (to, from) in header.iter_mut().skip(at).zip(span) {
                    *to = *from;
                }
                // The list's end says those anyway.
                if at < FIELDS.start || FIELDS.end < at + span.len() {
                    push(bytes, at, span);
                }
            }
            let new = hole(&header).ok_or("patch leaves a bad header")?;
            let before = self::header(write);
            let changed = |at: &usize| header[*at] != before[*at];
            if let (Some(first), Some(last)) = (
                FIELDS.clone().find(changed),
                FIELDS.clone().rev().find(changed),
            ) {
                push(bytes, first, &header[first..=last]);
            }
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
            (false, patch.len() > MAX_PATCH, zero)
        }
    };
    Ok(Staged {
        buffer: write.buffer(),
        page: write.page_mut(),
        whole,
        image,
        from,
        to: bytes.len(),
        zero,
    })
}

/// Appends a span to a list.
fn push(bytes: &mut Bytes, at: usize, span: &[u8]) {
    bytes.extend_from_slice(&(at as u16).to_ne_bytes());
    bytes.extend_from_slice(&(span.len() as u16).to_ne_bytes());
    bytes.extend_from_slice(span);
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
fn refuse(store: &Relation, why: &str) -> ! {
    crate::error::internal(store.raw(), why)
}

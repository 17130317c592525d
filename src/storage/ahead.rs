//! Asking for the table's pages that an index scan will want next.
//!
//! Rows that are neighbours in the index are often on pages of their own: those of a device, among thousands that report. The server
//! fetches one after the other, and each page is a read, or else half a dozen cache misses. The scan knows the rows to come, so it asks for their pages some rows
//! ahead: the operating system for those that are not in shared buffers, as bitmap heap scans do, and the CPU for the others. ARCHITECTURE.md has
//! the figures. All of this is advice.

use learned::Entry;
use pgrx::pg_sys;

use super::lines;

/// Rows returned before the first look ahead: most scans end before.
const FIRST: u32 = 3;
/// At the first look so many rows ahead are asked for, and twice as many at each of the next...
const NEAR: usize = 4;
/// ...up to this.
const FAR: usize = 16;

/// What a scan has asked for.
pub struct Ahead {
    /// Rows until the next look.
    rows: u32,
    /// How many rows ahead to ask for.
    reach: usize,
    /// Rows of the batch for whose pages and for whose line pointers' contents was asked.
    asked: usize,
    fetched: usize,
    /// Buffer and offset of the last rows asked for, by their number in the batch.
    places: [(pg_sys::Buffer, u16); FAR],
    /// How many pages may be on their way from disk after a look; none: looks are of no use in this scan.
    reads: Option<i32>,
}

impl Default for Ahead {
    fn default() -> Self {
        Self {
            rows: u32::MAX,
            reach: NEAR,
            asked: 0,
            fetched: 0,
            places: [(0, 0); FAR],
            reads: None,
        }
    }
}

impl Ahead {
    /// Counts a row to be returned; false, and none is: it is time to look.
    #[inline(always)]
    pub fn count(&mut self) -> bool {
        if self.rows == 0 {
            return false;
        }
        self.rows -= 1;
        true
    }

    /// Another batch, the first of its range or not.
    pub fn restart(&mut self, first: bool, index_only: bool) {
        (self.asked, self.fetched) = (0, 0);
        if first {
            self.reach = NEAR;
        }
        self.rows = match (index_only || self.reads == Some(0), first) {
            (true, _) => u32::MAX,
            (_, true) => FIRST,
            _ => 0,
        };
    }

    /// Looks at what is left of the batch, `rows`, of which `next` were returned, if it is time.
    ///
    /// # Safety
    /// The table of the scan is open.
    #[inline]
    pub unsafe fn look<const W: usize>(
        &mut self,
        scan: &pg_sys::IndexScanDescData,
        next: usize,
        rows: &[Entry<W>],
    ) {
        if self.rows == 0 {
            // SAFETY: the caller's contract.
            unsafe { self.look_now(scan.heapRelation, next, rows) };
        }
    }

    #[inline(never)]
    unsafe fn look_now<const W: usize>(
        &mut self,
        heap: pg_sys::Relation,
        next: usize,
        rows: &[Entry<W>],
    ) {
        self.rows = u32::MAX;
        if rows.is_empty() || heap.is_null() {
            return;
        }
        // SAFETY: the table is open.
        let reads = *self.reads.get_or_insert_with(|| unsafe { may_read(heap) });
        if reads == 0 {
            return;
        }
        // What was asked for some rows ago is there by now.
        for row in next.max(self.fetched)..self.asked {
            let (buffer, offset) = self.places[row % FAR];
            lines::fetch_tuple(buffer, offset);
        }
        self.fetched = self.asked.max(next);
        let mut begun = 0;
        let mut last = (pg_sys::InvalidBlockNumber, 0);
        let far = rows.iter().take(self.reach).enumerate();
        for (row, entry) in far.skip(self.fetched - next) {
            let (block, offset) = ((entry.tie >> 16) as u32, entry.tie as u16);
            if block != last.0 && begun < reads {
                let fork = pg_sys::ForkNumber::MAIN_FORKNUM;
                // SAFETY: the table is open.
                let found = unsafe { pg_sys::PrefetchBuffer(heap, fork, block) };
                begun += i32::from(found.initiated_io);
                last = (block, found.recent_buffer);
            } else if block != last.0 {
                last = (block, 0);
            }
            self.places[(next + row) % FAR] = (last.1, offset);
            lines::fetch_page(last.1, offset);
        }
        self.asked = self.fetched.max(next + self.reach.min(rows.len()));
        self.rows = (self.reach / 2) as u32;
        self.reach = FAR.min(self.reach * 2);
    }
}

/// The setting `effective_io_concurrency` where the table is; 0 if it is not a heap, since other tables' TIDs may not tell a page.
///
/// # Safety
/// The table is open.
unsafe fn may_read(heap: pg_sys::Relation) -> i32 {
    // SAFETY: the caller's contract.
    unsafe {
        if std::ptr::eq((*heap).rd_tableam, pg_sys::GetHeapamTableAmRoutine()) {
            pg_sys::get_tablespace_io_concurrency((*(*heap).rd_rel).reltablespace)
        } else {
            0
        }
    }
}

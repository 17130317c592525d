//! Prefetching the table's pages that an index scan is about to read.
//!
//! Rows that are neighbours in the index are often on different pages of the table: those of one
//! device among the rows of thousands, for example. The server fetches one row after the other, and
//! each page costs a read, or half a dozen cache misses. The scan knows which rows come next and
//! requests their pages in advance: from the operating system if a page is not in shared buffers,
//! as bitmap heap scans do, else from the CPU. docs/measurements.md has the figures. All of this is
//! advice.

use learned::Entry;
use pgrx::pg_sys;

use super::cache_lines;
use crate::pg::scan_desc::ScanDesc;
use crate::pg::table::Table;

/// Rows that a scan returns before its first request. Most scans end before.
const ROWS_BEFORE_FIRST: u32 = 3;
/// How many rows in advance the first request reaches. Each later one reaches twice as far...
const FIRST_DISTANCE: usize = 4;
/// ...up to this many rows.
const MAX_DISTANCE: usize = 16;

/// What a scan has requested.
pub struct HeapPrefetch {
    /// Rows until the next request.
    rows: u32,
    /// How many rows in advance the next request reaches.
    distance: usize,
    /// Number of rows of the batch whose pages and line pointers were requested.
    pages: usize,
    /// Number of rows of the batch whose contents were requested.
    contents: usize,
    /// Buffer and offset of the rows whose pages were requested last, by the row's number in the
    /// batch.
    places: [(pg_sys::Buffer, u16); MAX_DISTANCE],
    /// How many reads a request may start. 0: requests are of no use in this scan. None: unknown.
    max_reads: Option<i32>,
}

impl Default for HeapPrefetch {
    fn default() -> Self {
        Self {
            rows: u32::MAX,
            distance: FIRST_DISTANCE,
            pages: 0,
            contents: 0,
            places: [(0, 0); MAX_DISTANCE],
            max_reads: None,
        }
    }
}

impl HeapPrefetch {
    /// Counts a row that is about to be returned. Returns false, and counts nothing, if it is time
    /// for a request.
    #[inline(always)]
    pub fn count_row(&mut self) -> bool {
        if self.rows == 0 {
            return false;
        }
        self.rows -= 1;
        true
    }

    /// Begins another batch: the first of its range or a later one.
    pub fn start_batch(&mut self, first: bool, index_only: bool) {
        (self.pages, self.contents) = (0, 0);
        if first {
            self.distance = FIRST_DISTANCE;
        }
        self.rows = match (index_only || self.max_reads == Some(0), first) {
            (true, _) => u32::MAX,
            (_, true) => ROWS_BEFORE_FIRST,
            _ => 0,
        };
    }

    /// Requests pages if it is time. `rows` is what is left of the batch, of which `next` rows were
    /// returned.
    #[inline]
    pub fn request<const W: usize>(&mut self, scan: &ScanDesc, next: usize, rows: &[Entry<W>]) {
        if self.rows == 0 {
            self.request_now(scan.table(), next, rows);
        }
    }

    #[inline(never)]
    fn request_now<const W: usize>(
        &mut self,
        table: Option<Table>,
        next: usize,
        rows: &[Entry<W>],
    ) {
        self.rows = u32::MAX;
        let Some(table) = table.filter(|_| !rows.is_empty()) else {
            return;
        };
        // How many reads a request may start.
        let max_reads = *self.max_reads.get_or_insert_with(|| table.io_concurrency());
        if max_reads == 0 {
            return;
        }
        // The line pointers that were requested some rows ago have arrived by now.
        for row in next.max(self.contents)..self.pages {
            let (buffer, offset) = self.places[row % MAX_DISTANCE];
            cache_lines::fetch_tuple(buffer, offset);
        }
        self.contents = self.pages.max(next);
        let mut reads = 0;
        let mut last = (pg_sys::InvalidBlockNumber, 0);
        let coming = rows.iter().take(self.distance).enumerate();
        for (row, entry) in coming.skip(self.contents - next) {
            let (block, offset) = ((entry.tie >> 16) as u32, entry.tie as u16);
            if block != last.0 && reads < max_reads {
                let found = table.prefetch(block);
                reads += i32::from(found.initiated_io);
                last = (block, found.recent_buffer);
            } else if block != last.0 {
                last = (block, 0);
            }
            self.places[(next + row) % MAX_DISTANCE] = (last.1, offset);
            cache_lines::fetch_page(last.1, offset);
        }
        self.pages = self.contents.max(next + self.distance.min(rows.len()));
        self.rows = (self.distance / 2) as u32;
        self.distance = MAX_DISTANCE.min(self.distance * 2);
    }
}

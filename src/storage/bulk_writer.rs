//! The pages of an index under construction: written to shared buffers, and logged together at the
//! end.

use learned::Result;
use learned::page::{self, Block, Page};
use learned::store::{Guard, Store};
use learned::tree::Sink;
use pgrx::pg_sys;

use super::index_store::IndexStore;

/// Writes pages without logging each of them. No other process may use the index until
/// [`BulkWriter::finish`].
pub struct BulkWriter<'r> {
    store: &'r IndexStore,
    blocks: Block,
}

impl<'r> BulkWriter<'r> {
    /// Starts with the blocks that the relation's file has now: none, in a build.
    pub fn new(store: &'r IndexStore) -> Result<Self> {
        Ok(Self {
            store,
            blocks: store.blocks()?,
        })
    }

    /// Ends a build of `used` blocks. Marks the blocks that an abandoned first attempt has left
    /// behind as free, and logs all pages if the relation is logged.
    pub fn finish(mut self, used: Block, words: usize) -> Result<()> {
        let free = page::free(words, 0);
        for block in used..self.blocks {
            self.put(block, &free)?;
        }
        if self.store.is_logged() {
            // SAFETY: the relation is open and has `blocks` blocks. The pages have standard
            // headers, and the server skips blocks that were never written, since they are new.
            unsafe {
                pg_sys::log_newpage_range(
                    self.store.raw(),
                    pg_sys::ForkNumber::MAIN_FORKNUM,
                    0,
                    self.blocks,
                    true,
                );
            }
        }
        Ok(())
    }
}

impl Sink for BulkWriter<'_> {
    fn put(&mut self, block: Block, page: &Page) -> Result<()> {
        let mut write = loop {
            if block < self.blocks {
                break self.store.overwrite(block)?;
            }
            let new = self.store.extend();
            self.blocks = new.block().saturating_add(1);
            if new.block() == block {
                break new;
            }
        };
        // SAFETY: the guard has the buffer pinned and exclusively locked. Everything but LSN and
        // checksum is copied, from a private page of the same size.
        unsafe {
            let from = page.as_ptr().add(page::pd::FLAGS);
            let to = write.page_mut().add(page::pd::FLAGS);
            from.copy_to_nonoverlapping(to, page::PAGE_SIZE - page::pd::FLAGS);
            pg_sys::MarkBufferDirty(write.buffer());
        }
        drop(write);
        self.store.interrupt();
        Ok(())
    }
}

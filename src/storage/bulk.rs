//! Pages of an index under construction: written to shared buffers, logged all at once at the end.

use learned::Result;
use learned::page::{self, Block, Page};
use learned::store::{Guard, Store};
use learned::tree::Sink;
use pgrx::pg_sys;

use super::index::IndexStore;

/// Writes pages without logging each. Nobody else may use the index until [`Bulk::finish`].
pub struct Bulk<'r> {
    store: &'r IndexStore,
    blocks: Block,
}

impl<'r> Bulk<'r> {
    /// Starts with what the relation's file has now (nothing, in a build).
    pub fn new(store: &'r IndexStore) -> Result<Self> {
        Ok(Self {
            store,
            blocks: store.blocks()?,
        })
    }

    /// Ends a build of `used` blocks: stamps what is left of an abandoned first attempt as free,
    /// and logs all pages, where the relation is logged.
    pub fn finish(mut self, used: Block, words: usize) -> Result<()> {
        let free = page::free(words, 0);
        for block in used..self.blocks {
            self.put(block, &free)?;
        }
        if self.store.logged() {
            // SAFETY: the relation is open and has this many blocks; our pages have a standard
            // header, and blocks never written are skipped as new.
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

impl Sink for Bulk<'_> {
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
        // SAFETY: the buffer is pinned and exclusively locked. Everything but LSN and checksum is
        // copied, from a private page of the same size.
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

//! The meta page: where the root and the model are, and what the index was made for.
//!
//! Block 0. Behind the header that all pages have ([`crate::page`]):
//!
//! ```text
//!      +-------------------------------+---------------+---------------+
//!   40 | magic "OmLI"                  | format        | words         |
//!      +-------------------------------+---------------+---------------+
//!   48 | root                          | level of the root             |
//!      +-------------------------------+-------------------------------+
//!   56 | generation of the model                                       |
//!      +-------------------------------+-------------------------------+
//!   64 | first model page              | number of model pages         |
//!      +-------------------------------+-------------------------------+
//!   72 | bytes of the model                                            |
//!      +---------------------------------------------------------------+
//!   80 | descriptor of the key's columns (opaque here)                 |
//!      +---------------+---------------+-------------------------------+
//!   88 | fill factor   | reserved      | blocks when the model was     |
//!      |               |               | trained                       |
//!      +---------------+---------------+-------------------------------+
//!   96   end: `lower`
//! ```
//!
//! # The on-disk format and its version
//! [`FORMAT`] is the version of the index as a whole: of every page, and of the order of keys that
//! the PostgreSQL side encodes. It changes with every change after which a library of the other
//! version would read a page wrongly, be it older or newer. It does not change where both read the
//! same entries: other thresholds ([`crate::policy`]), reserved bytes that both ignore, and the
//! model's own format ([`crate::model::layout::VERSION`]), since a model of another version is
//! ignored and trained again.
//!
//! A library reads and writes exactly one version. [`Meta::open`] refuses every other one, older or
//! newer, with [`Error::Version`], which names both; the way out is REINDEX. Nothing else of such
//! an index is read: every session reads the meta page before it has a root or a model to start a
//! search from, and REINDEX makes sessions forget both. So other pages need no check of their own.

use crate::error::{Error, Result};
use crate::inner::MAX_LEVEL;
use crate::page::{self, Block, Kind, META, NO_BLOCK, Page, pd, put, u16_at, u32_at, u64_at};
use crate::store::Patch;

/// "OmLI", first in the meta page's content.
pub const MAGIC: u32 = 0x494C_6D4F;
/// Version of the index as a whole: see the [module](self).
pub const FORMAT: u16 = 3;

mod at {
    use crate::page::head::END;
    pub const MAGIC: usize = END;
    pub const FORMAT: usize = END + 4;
    pub const WORDS: usize = END + 6;
    pub const ROOT: usize = END + 8;
    pub const LEVEL: usize = END + 12;
    pub const GENERATION: usize = END + 16;
    pub const FIRST: usize = END + 24;
    pub const PAGES: usize = END + 28;
    pub const BYTES: usize = END + 32;
    pub const DESCRIPTOR: usize = END + 40;
    pub const FILL: usize = END + 48;
    pub const BLOCKS: usize = END + 52;
    pub const END_OF_META: usize = END + 56;
}

/// Where the model is: `pages` model pages, the first one at `first`, each linked to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelLocation {
    /// Number of the model; 0 before the first one.
    pub generation: u64,
    /// The first model page; [`NO_BLOCK`] without a model.
    pub first: Block,
    /// Number of model pages.
    pub pages: u32,
    /// Bytes of the model.
    pub bytes: u64,
    /// Length of the index in blocks when the model was trained.
    pub blocks: Block,
}

impl ModelLocation {
    /// No model.
    pub const NONE: Self = Self {
        generation: 0,
        first: NO_BLOCK,
        pages: 0,
        bytes: 0,
        blocks: 0,
    };
}

/// The meta page's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// The page where each descent starts.
    pub root: Block,
    /// The root's level: 0 while it is a leaf.
    pub level: u8,
    /// The current model.
    pub model: ModelLocation,
    /// The key's columns and their order; opaque here.
    pub descriptor: [u8; 8],
    /// Percentage of a page that builds and ascending inserts fill, at most 100.
    pub fill: u8,
}

impl Meta {
    /// Reads the meta page of an index with keys of `W` words.
    ///
    /// # Errors
    /// [`Error::Version`] if the index has another format. [`Error::Corrupted`] if the page is not
    /// a meta page, or is one for keys of another number of words, or has values out of range.
    pub fn open<const W: usize>(page: &Page) -> Result<Self> {
        if page::kind(page) != Some(Kind::Meta) || u32_at(page, at::MAGIC) != MAGIC {
            return Err(Error::corrupted(META, "not the meta page of an index"));
        }
        let (format, words) = (u16_at(page, at::FORMAT), u16_at(page, at::WORDS));
        if format != FORMAT {
            return Err(Error::Version {
                found: format,
                supported: FORMAT,
            });
        }
        if usize::from(words) != W {
            let fault = format!("keys of {words} words where the columns make {W}");
            return Err(Error::corrupted(META, fault));
        }
        let (root, level) = (u32_at(page, at::ROOT), u32_at(page, at::LEVEL));
        let fill = u16_at(page, at::FILL);
        if root == META || root == NO_BLOCK || level > u32::from(MAX_LEVEL) || fill > 100 {
            return Err(Error::corrupted(
                META,
                format!("root {root} at level {level}, fill factor {fill}"),
            ));
        }
        Ok(Self {
            root,
            level: level as u8,
            model: ModelLocation {
                generation: u64_at(page, at::GENERATION),
                first: u32_at(page, at::FIRST),
                pages: u32_at(page, at::PAGES),
                bytes: u64_at(page, at::BYTES),
                blocks: u32_at(page, at::BLOCKS),
            },
            descriptor: u64_at(page, at::DESCRIPTOR).to_le_bytes(),
            fill: fill as u8,
        })
    }

    /// The whole meta page.
    pub fn to_page<const W: usize>(&self) -> Box<Page> {
        let mut page = page::init(Kind::Meta, 0, W);
        put(&mut page, at::MAGIC, &MAGIC.to_le_bytes());
        put(&mut page, at::FORMAT, &FORMAT.to_le_bytes());
        put(&mut page, at::WORDS, &(W as u16).to_le_bytes());
        put(&mut page, at::DESCRIPTOR, &self.descriptor);
        put(&mut page, at::FILL, &u16::from(self.fill).to_le_bytes());
        put(
            &mut page,
            pd::LOWER,
            &(at::END_OF_META as u16).to_le_bytes(),
        );
        Self::root_patch(self.root, self.level).apply(&mut page);
        Self::model_patch(&self.model).apply(&mut page);
        page
    }

    /// The change that sets another root.
    pub fn root_patch(root: Block, level: u8) -> Patch {
        let mut patch = Patch::new();
        patch.put(at::ROOT, &root.to_le_bytes());
        patch.put(at::LEVEL, &u32::from(level).to_le_bytes());
        patch
    }

    /// The change that sets another model.
    pub fn model_patch(model: &ModelLocation) -> Patch {
        let mut patch = Patch::new();
        patch.put(at::GENERATION, &model.generation.to_le_bytes());
        patch.put(at::FIRST, &model.first.to_le_bytes());
        patch.put(at::PAGES, &model.pages.to_le_bytes());
        patch.put(at::BYTES, &model.bytes.to_le_bytes());
        patch.put(at::BLOCKS, &model.blocks.to_le_bytes());
        patch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> (Meta, Box<Page>) {
        let meta = Meta {
            root: 7,
            level: 2,
            model: ModelLocation {
                generation: 5,
                first: 9,
                pages: 3,
                bytes: 20_000,
                blocks: 100,
            },
            descriptor: *b"columns!",
            fill: 97,
        };
        (meta, meta.to_page::<2>())
    }

    #[test]
    fn a_meta_page_is_read_as_it_was_written() {
        let (meta, page) = sound();
        assert_eq!(Meta::open::<2>(&page), Ok(meta));
        assert!(matches!(
            Meta::open::<3>(&page),
            Err(Error::Corrupted { block: META, .. })
        ));
    }

    /// Older and newer indexes are refused with both versions named, whatever else the page says.
    #[test]
    fn other_formats_are_refused() {
        for found in [0, FORMAT - 1, FORMAT + 1, u16::MAX] {
            let (_, mut page) = sound();
            put(&mut page, at::FORMAT, &found.to_le_bytes());
            put(&mut page, at::ROOT, &0u32.to_le_bytes());
            let refused = Meta::open::<2>(&page);
            let supported = FORMAT;
            assert_eq!(refused, Err(Error::Version { found, supported }));
            // The words of the key may have been stored elsewhere in that format.
            assert_eq!(Meta::open::<3>(&page), refused);
            let message = refused.unwrap_err().to_string();
            let versions = format!("index format {found}, library format {FORMAT}");
            assert!(message.contains(&versions), "{message}");
        }
    }
}

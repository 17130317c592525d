//! The meta page: where the root and the model are, and what the index was made for.

use crate::error::{Error, Result};
use crate::inner::MAX_LEVEL;
use crate::page::{self, Block, Kind, META, NO_BLOCK, Page, pd, put, u16_at, u32_at, u64_at};
use crate::store::Patch;

/// "OmLI", first in the meta page's content.
pub const MAGIC: u32 = 0x494C_6D4F;
/// Version of the index as a whole.
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

/// Where the model is: `pages` model pages, the first at `first`, each linked to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelAt {
    /// Counts the models; 0 before the first.
    pub generation: u64,
    /// The first model page, NO_BLOCK without a model.
    pub first: Block,
    /// Number of model pages.
    pub pages: u32,
    /// Bytes of the model.
    pub bytes: u64,
    /// Blocks of the index when the model was trained.
    pub blocks: Block,
}

impl ModelAt {
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
    /// Where each descent starts.
    pub root: Block,
    /// The root's level: 0 while it is a leaf.
    pub level: u8,
    /// The current model.
    pub model: ModelAt,
    /// The key's columns and orientation; opaque here.
    pub descriptor: [u8; 8],
    /// Percentage of a page that builds and ascending inserts fill.
    pub fill: u8,
}

impl Meta {
    /// Reads the meta page of an index with keys of `W` words.
    pub fn open<const W: usize>(page: &Page) -> Result<Self> {
        if page::kind(page) != Some(Kind::Meta) || u32_at(page, at::MAGIC) != MAGIC {
            return Err(Error::corrupted(META, "not the meta page of an index"));
        }
        let (format, words) = (u16_at(page, at::FORMAT), u16_at(page, at::WORDS));
        if format != FORMAT || usize::from(words) != W {
            return Err(Error::corrupted(
                META,
                format!("format {format} with keys of {words} words, wanted {FORMAT} with {W}"),
            ));
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
            model: ModelAt {
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

    /// The meta page anew.
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
        Self::with_root(self.root, self.level).apply(&mut page);
        Self::with_model(&self.model).apply(&mut page);
        page
    }

    /// Sets another root.
    pub fn with_root(root: Block, level: u8) -> Patch {
        let mut patch = Patch::new();
        patch.put(at::ROOT, &root.to_le_bytes());
        patch.put(at::LEVEL, &u32::from(level).to_le_bytes());
        patch
    }

    /// Sets another model.
    pub fn with_model(model: &ModelAt) -> Patch {
        let mut patch = Patch::new();
        patch.put(at::GENERATION, &model.generation.to_le_bytes());
        patch.put(at::FIRST, &model.first.to_le_bytes());
        patch.put(at::PAGES, &model.pages.to_le_bytes());
        patch.put(at::BYTES, &model.bytes.to_le_bytes());
        patch.put(at::BLOCKS, &model.blocks.to_le_bytes());
        patch
    }
}

//! Placeholder model: the trained points themselves, searched by halving.

use crate::key::Entry;
use crate::page::Block;

pub struct Training<const W: usize> {
    points: Vec<u8>,
    leaves: u32,
}

impl<const W: usize> Default for Training<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const W: usize> Training<W> {
    pub fn new() -> Self {
        Self {
            points: Vec::new(),
            leaves: 0,
        }
    }
    pub fn push(&mut self, low: &Entry<W>, block: Block) {
        for word in &low.key {
            self.points.extend_from_slice(&word.to_le_bytes());
        }
        self.points.extend_from_slice(&block.to_le_bytes());
        self.leaves += 1;
    }
    pub fn finish(self, _generation: u64, _now_micros: i64) -> Vec<u8> {
        let mut bytes = (W as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.points);
        bytes
    }
}

pub struct Model<'a> {
    words: usize,
    points: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
pub struct Prediction {
    pub ordinal: u32,
    pub below: u32,
    pub above: u32,
}

impl<'a> Model<'a> {
    pub fn open(bytes: &'a [u8]) -> Option<Self> {
        let (words, points) = bytes.split_first_chunk()?;
        let words = u32::from_le_bytes(*words) as usize;
        (words < 100 && points.len() % (8 * words + 4) == 0).then_some(Self { words, points })
    }
    fn point(&self, i: usize) -> Option<&[u8]> {
        let size = 8 * self.words + 4;
        self.points
            .get(i.checked_mul(size)?..(i + 1).checked_mul(size)?)
    }
    pub fn leaves(&self) -> u32 {
        (self.points.len() / (8 * self.words + 4)) as u32
    }
    pub fn stages(&self) -> usize {
        1
    }
    pub fn segments(&self) -> usize {
        self.leaves() as usize
    }
    pub fn block(&self, ordinal: u32) -> Option<Block> {
        let point = self.point(ordinal as usize)?;
        Some(u32::from_le_bytes(*point.last_chunk()?))
    }
    pub fn predict<const W: usize>(&self, key: &[u64; W]) -> Option<Prediction> {
        let low = |i| -> [u64; W] {
            std::array::from_fn(|w| {
                let bytes = self.point(i).and_then(|p| p.get(8 * w..)?.first_chunk());
                u64::from_le_bytes(bytes.copied().unwrap_or_default())
            })
        };
        let (mut from, mut to) = (0, self.leaves() as usize);
        while from < to {
            let middle = (from + to) / 2;
            if low(middle) <= *key {
                from = middle + 1
            } else {
                to = middle
            }
        }
        Some(Prediction {
            ordinal: from.checked_sub(1)? as u32,
            below: u32::from(W == self.words) + 1,
            above: 1,
        })
    }
}

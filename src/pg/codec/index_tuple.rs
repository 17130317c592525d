//! The row of an index-only scan: an index tuple built from an entry.

use learned::Entry;
use pgrx::pg_sys;

use super::column::BitDecoder;
use super::entry::{EntryCodec, MAX_COLUMNS};

/// Bytes of the bitmap of NULLs: 32 bits, rounded up to the alignment of values.
const NULL_BITMAP_BYTES: usize = 8;
/// Bytes for the bitmap and for values of at most 16 bytes each.
const BODY_BYTES: usize = NULL_BITMAP_BYTES + 16 * MAX_COLUMNS;

/// Builds index tuples, one at a time in the same memory: `IndexTupleData`, then the bitmap if a
/// column is NULL, then the values, each aligned.
#[repr(C, align(8))]
pub struct IndexTupleBuilder {
    head: pg_sys::IndexTupleData,
    body: [u8; BODY_BYTES],
    fast: FastPath,
}

/// How to build the tuple of an entry without NULLs if all columns have a [`BitDecoder`].
struct FastPath {
    /// The decoder of each column, and where its value goes in the body.
    columns: [(BitDecoder, u8); MAX_COLUMNS],
    /// The number of columns; 0 if a column has no decoder.
    count: u8,
    /// The tuple's `t_info`.
    info: u16,
}

const HEAD: usize = size_of::<pg_sys::IndexTupleData>();
const _: () = assert!(HEAD == 8 && std::mem::offset_of!(IndexTupleBuilder, body) == HEAD);

impl FastPath {
    const NONE: Self = Self {
        columns: [(BitDecoder::NONE, 0); MAX_COLUMNS],
        count: 0,
        info: 0,
    };

    fn new(codec: &EntryCodec) -> Self {
        let mut fast = Self::NONE;
        let mut end = 0usize;
        for (to, column) in fast.columns.iter_mut().zip(codec.columns()) {
            let Some(decoder) = column.bit_decoder() else {
                return Self::NONE;
            };
            let (length, align) = column.key_type.layout();
            let at = end.next_multiple_of(align);
            end = at + length;
            *to = (decoder, at as u8);
            fast.count += 1;
        }
        fast.info = (HEAD + end.next_multiple_of(8)) as u16;
        fast
    }
}

impl IndexTupleBuilder {
    /// A builder for the entries of an index.
    pub fn new(codec: &EntryCodec) -> Self {
        Self {
            fast: FastPath::new(codec),
            head: pg_sys::IndexTupleData {
                t_tid: pg_sys::ItemPointerData::default(),
                t_info: 0,
            },
            body: [0; BODY_BYTES],
        }
    }

    /// The tuple of an entry. It is valid until the next call.
    #[inline(always)]
    pub fn build<const W: usize>(
        &mut self,
        codec: &EntryCodec,
        entry: &Entry<W>,
    ) -> pg_sys::IndexTuple {
        if !self.build_fast(entry) {
            self.build_any(codec, entry);
        }
        &raw mut self.head
    }

    /// Builds the tuple with the columns' decoders. Returns false if they do not apply.
    #[inline(always)]
    fn build_fast<const W: usize>(&mut self, entry: &Entry<W>) -> bool {
        // An entry of one word has one column.
        let most = if W == 1 { 1 } else { MAX_COLUMNS };
        let count = usize::from(self.fast.count).min(most);
        for (decoder, at) in self.fast.columns.iter().take(count) {
            // Eight bytes are written for each value, the value's and then zeroes. The next value
            // overwrites the zeroes.
            let to = self.body.get_mut(usize::from(*at)..);
            let (Some(bytes), Some(to)) = (
                decoder.bytes(entry),
                to.and_then(|to| to.first_chunk_mut::<8>()),
            ) else {
                return false;
            };
            *to = bytes;
        }
        self.head.t_info = self.fast.info;
        count > 0
    }

    /// Builds the tuple of any entry.
    #[inline(never)]
    fn build_any<const W: usize>(&mut self, codec: &EntryCodec, entry: &Entry<W>) {
        let mut values = [None; MAX_COLUMNS];
        // A bit of the bitmap says that the column is not NULL.
        let (mut bits, mut nulls) = (0u8, false);
        for (i, (value, column)) in values.iter_mut().zip(codec.columns()).enumerate() {
            *value = column.bytes(entry);
            bits |= u8::from(value.is_some()) << i;
            nulls |= value.is_none();
        }
        let mut end = 0;
        if nulls {
            self.body.fill(0);
            self.body[0] = bits;
            end = NULL_BITMAP_BYTES;
        }
        for (value, column) in values.iter().zip(codec.columns()) {
            let Some(bytes) = value else { continue };
            let (length, align) = column.key_type.layout();
            let at = end.next_multiple_of(align);
            end = at + length;
            if let (Some(to), Some(from)) = (self.body.get_mut(at..end), bytes.get(..length)) {
                to.copy_from_slice(from);
            }
        }
        let null = if nulls {
            pg_sys::INDEX_NULL_MASK as u16
        } else {
            0
        };
        self.head.t_info = (HEAD + end.next_multiple_of(8)) as u16 | null;
    }
}

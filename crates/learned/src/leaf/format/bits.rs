//! Bit fields in byte slices, low bits first. A read beyond the slice returns zeros.

/// A word whose low `width` bits are set; all of them where `width` is 64 or more.
#[inline(always)]
pub(in crate::leaf) fn mask(width: u32) -> u64 {
    match 64u32.checked_sub(width) {
        Some(64) => 0,
        Some(down) => u64::MAX >> down,
        None => u64::MAX,
    }
}

/// The eight bytes at `at`; those beyond the end are zeros.
#[inline(always)]
pub(in crate::leaf) fn load(data: &[u8], at: usize) -> u64 {
    match data.get(at..).and_then(|s| s.first_chunk()) {
        Some(b) => u64::from_le_bytes(*b),
        None => load_end(data, at),
    }
}

#[cold]
fn load_end(data: &[u8], at: usize) -> u64 {
    let mut b = [0; 8];
    for (to, from) in b.iter_mut().zip(data.get(at..).unwrap_or_default()) {
        *to = *from;
    }
    u64::from_le_bytes(b)
}

/// The `width` bits (0 to 64) from bit `bit` on; `mask` is `mask(width)`.
#[inline(always)]
pub(in crate::leaf) fn read(data: &[u8], bit: usize, width: u32, mask: u64) -> u64 {
    let at = bit >> 3;
    let down = (bit & 7) as u32;
    let mut v = load(data, at) >> down;
    if width + down > 64 {
        // The field has bits in a ninth byte: `down` is at least 1 here.
        v |= u64::from(data.get(at + 8).copied().unwrap_or(0)) << (64 - down);
    }
    v & mask
}

/// ORs the low `width` bits (0 to 64) of `v` to `data`, from bit `bit` on. The other bits of `v`
/// are 0. Bits beyond the slice are lost.
#[inline(always)]
pub(in crate::leaf) fn or(data: &mut [u8], bit: usize, v: u64, width: u32) {
    let up = (bit & 7) as u32;
    let v = u128::from(v) << up;
    let bytes = (up + width).div_ceil(8) as usize;
    for (to, from) in data
        .iter_mut()
        .skip(bit >> 3)
        .zip(v.to_le_bytes())
        .take(bytes)
    {
        *to |= from;
    }
}

/// Appends bit fields to a byte vector.
pub(in crate::leaf) struct Writer {
    bytes: Vec<u8>,
    acc: u64,
    used: u32,
}

impl Writer {
    /// A writer with room for `bits` bits.
    pub(in crate::leaf) fn new(bits: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bits / 8 + 16),
            acc: 0,
            used: 0,
        }
    }

    /// Appends the low `width` bits (0 to 64) of `v`. The other bits of `v` are 0.
    #[inline(always)]
    pub(in crate::leaf) fn push(&mut self, v: u64, width: u32) {
        if width == 0 {
            return;
        }
        self.acc |= v << self.used;
        let used = self.used + width;
        if used >= 64 {
            self.bytes.extend_from_slice(&self.acc.to_le_bytes());
            // The bits that did not fit `acc`. A shift by 64 means that there are none.
            self.acc = v.checked_shr(64 - self.used).unwrap_or(0);
            self.used = used - 64;
        } else {
            self.used = used;
        }
    }

    /// The bytes; the last one is padded with zero bits.
    pub(in crate::leaf) fn finish(mut self) -> Vec<u8> {
        let tail = self.used.div_ceil(8) as usize;
        self.bytes
            .extend_from_slice(self.acc.to_le_bytes().get(..tail).unwrap_or_default());
        self.bytes
    }
}

/// The `count` bits of `data` from bit `from` on, moved to a byte boundary.
pub(in crate::leaf) fn copy(data: &[u8], from: usize, count: usize) -> Vec<u8> {
    if let Some(bytes) = data.get(from / 8..from / 8 + count.div_ceil(8))
        && from.is_multiple_of(8)
    {
        let mut bytes = bytes.to_vec();
        if let Some(last) = bytes.last_mut()
            && !count.is_multiple_of(8)
        {
            *last &= mask((count % 8) as u32) as u8;
        }
        return bytes;
    }
    let mut out = Writer::new(count);
    let mut done = 0;
    while done < count {
        let width = (count - done).min(64) as u32;
        out.push(read(data, from + done, width, mask(width)), width);
        done += width as usize;
    }
    out.finish()
}

/// Whether bit `i` is set.
#[inline(always)]
pub(in crate::leaf) fn test(bitmap: &[u8], i: usize) -> bool {
    bitmap.get(i >> 3).is_some_and(|b| b >> (i & 7) & 1 == 1)
}

/// Sets bit `i` to `to`, if it is within the bitmap.
pub(in crate::leaf) fn assign(bitmap: &mut [u8], i: usize, to: bool) {
    if let Some(b) = bitmap.get_mut(i >> 3) {
        *b = *b & !(1 << (i & 7)) | u8::from(to) << (i & 7);
    }
}

/// The numbers of the bits that are set in `words`, among `from..to`, ascending.
pub(in crate::leaf) fn ones(words: &[u64], from: usize, to: usize) -> impl Iterator<Item = usize> {
    let some = words
        .iter()
        .enumerate()
        .take(to.div_ceil(64))
        .skip(from / 64);
    some.flat_map(move |(i, &word)| {
        let first = 64 * i;
        let mut left = word & u64::MAX << from.saturating_sub(first).min(63);
        left &= mask((to - first).min(64) as u32);
        std::iter::from_fn(move || {
            let bit = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (bit < 64).then_some(first + bit)
        })
    })
}

/// Number of bits that are set.
pub(in crate::leaf) fn count(bitmap: &[u8]) -> usize {
    bitmap.iter().map(|b| b.count_ones() as usize).sum()
}

use std::ops::Range;

use crate::{Error, Field, HEADER_LEN, Result, aead::TAG_LEN};

/// How many plaintext bytes a chunk holds: a power of two that readers accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkSize(u8);

impl ChunkSize {
    /// 64 KiB, what writers use.
    pub const DEFAULT: Self = Self(16);

    /// From the base-2 logarithm in a header or a row.
    ///
    /// # Errors
    /// [`Error::Unsupported`] unless it is 14, 16, 18 or 20.
    pub fn from_log2(log2: u8) -> Result<Self> {
        match log2 {
            14 | 16 | 18 | 20 => Ok(Self(log2)),
            _ => Err(Error::Unsupported(Field::ChunkSize)),
        }
    }

    /// The base-2 logarithm, as headers and rows hold it.
    pub const fn log2(self) -> u8 {
        self.0
    }

    /// The plaintext bytes of a full chunk.
    pub const fn bytes(self) -> usize {
        1 << self.0
    }

    /// The bytes of a full sealed chunk: plaintext and tag.
    pub const fn stride(self) -> usize {
        self.bytes() + TAG_LEN
    }
}

/// Where the chunks of a blob stand, from its chunk size and plaintext length alone.
///
/// ```text
/// 0        192                                              footer_start()
/// | header | chunk 0 + tag | chunk 1 + tag | … | last + tag | footer | len | "BLKF" |
///          '--- stride ----'--- stride ----'   '- shorter --'
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    chunk_size: ChunkSize,
    plaintext_len: u64,
}

/// The one read of a blob that serves a range of its plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Bytes of the blob to read: whole sealed chunks.
    pub blob: Range<u64>,
    /// The chunks in them.
    pub chunks: Range<u64>,
    /// Plaintext bytes of the first chunk that stand before the range.
    pub skip: usize,
}

impl Layout {
    /// The layout of a blob that holds `plaintext_len` bytes.
    ///
    /// # Errors
    /// [`Error::Damaged`] when that would take more than 2^32 chunks.
    pub fn new(chunk_size: ChunkSize, plaintext_len: u64) -> Result<Self> {
        if plaintext_len >> chunk_size.log2() >= CHUNKS_MAX {
            return Err(Error::Damaged(Field::Length));
        }
        Ok(Self {
            chunk_size,
            plaintext_len,
        })
    }

    /// The layout of a whole blob of `blob_len` bytes whose last eight bytes are `trailer`: for
    /// readers that have the blob and not its row.
    ///
    /// # Errors
    /// [`Error::Damaged`] when no blob has that length, so that one cut anywhere is refused.
    pub fn of_blob(
        chunk_size: ChunkSize,
        blob_len: u64,
        trailer: &[u8; TRAILER_LEN],
    ) -> Result<Self> {
        let footer_len = u64::from(footer_len(trailer)?);
        let sealed = blob_len
            .checked_sub(HEADER_LEN as u64 + TRAILER_LEN as u64)
            .and_then(|rest| rest.checked_sub(footer_len))
            .ok_or(Error::Damaged(Field::Length))?;
        let stride = chunk_size.stride() as u64;
        let last = (sealed % stride)
            .checked_sub(TAG_LEN as u64)
            .ok_or(Error::Damaged(Field::Chunk))?;
        // `sealed / stride` is below 2^50, so the product cannot overflow.
        Self::new(
            chunk_size,
            (sealed / stride) * chunk_size.bytes() as u64 + last,
        )
    }

    /// The chunk size.
    pub fn chunk_size(&self) -> ChunkSize {
        self.chunk_size
    }

    /// The plaintext length in bytes.
    pub fn plaintext_len(&self) -> u64 {
        self.plaintext_len
    }

    /// The number of chunks: every full one, and the last, which is shorter and may be empty.
    pub fn chunks(&self) -> u64 {
        (self.plaintext_len >> self.chunk_size.log2()) + 1
    }

    /// The plaintext bytes of chunk `index`, or `None` past the last.
    pub fn chunk_len(&self, index: u64) -> Option<usize> {
        let last = self.chunks() - 1;
        match index {
            _ if index < last => Some(self.chunk_size.bytes()),
            _ if index == last => Some(self.last_len()),
            _ => None,
        }
    }

    /// Where the footer begins in the blob, which is where the last chunk ends.
    pub fn footer_start(&self) -> u64 {
        self.chunk_end(self.chunks() - 1)
    }

    /// The whole blob's length with a footer map of `map_len` bytes.
    ///
    /// # Errors
    /// [`Error::Misuse`] when a footer cannot hold the map.
    pub fn blob_len(&self, map_len: usize) -> Result<u64> {
        Ok(self.footer_start() + tail_len(map_len)? as u64)
    }

    /// The read that serves the plaintext bytes `range`, or `None` when the range is empty or
    /// goes past the end.
    pub fn span(&self, range: Range<u64>) -> Option<Span> {
        if range.start >= range.end || range.end > self.plaintext_len {
            return None;
        }
        let first = range.start >> self.chunk_size.log2();
        let last = (range.end - 1) >> self.chunk_size.log2();
        Some(Span {
            blob: self.chunk_start(first)..self.chunk_end(last),
            chunks: first..last + 1,
            skip: (range.start & (self.chunk_size.bytes() as u64 - 1)) as usize,
        })
    }

    fn last_len(&self) -> usize {
        (self.plaintext_len & (self.chunk_size.bytes() as u64 - 1)) as usize
    }

    // Chunk numbers are below 2^32 and strides at most 2^20 + 16: no sum here comes near 2^64.
    fn chunk_start(&self, index: u64) -> u64 {
        HEADER_LEN as u64 + index * self.chunk_size.stride() as u64
    }

    fn chunk_end(&self, index: u64) -> u64 {
        let len = self.chunk_len(index).unwrap_or(0);
        self.chunk_start(index) + (len + TAG_LEN) as u64
    }
}

/// The length of the sealed footer, from the last eight bytes of a blob. The footer itself stands
/// before them.
///
/// # Errors
/// [`Error::Damaged`] when the blob does not end as blobs do.
pub fn footer_len(trailer: &[u8; TRAILER_LEN]) -> Result<u32> {
    let [a, b, c, d, magic @ ..] = *trailer;
    if magic != TRAILER_MAGIC {
        return Err(Error::Damaged(Field::Footer));
    }
    let len = u32::from_be_bytes([a, b, c, d]);
    let padded = len
        .checked_sub(TAG_LEN as u32)
        .ok_or(Error::Damaged(Field::Footer))?;
    if padded == 0 || !padded.is_multiple_of(PAD as u32) {
        return Err(Error::Damaged(Field::Footer));
    }
    Ok(len)
}

/// The bytes after the last chunk for a footer map of `map_len` bytes: footer, length, magic.
pub(crate) fn tail_len(map_len: usize) -> Result<usize> {
    map_len
        .checked_next_multiple_of(PAD)
        .and_then(|padded| padded.checked_add(TAG_LEN))
        .filter(|sealed| map_len > 0 && u32::try_from(*sealed).is_ok())
        .map(|sealed| sealed + TRAILER_LEN)
        .ok_or(Error::Misuse("a footer map holds from one byte to 4 GiB"))
}

/// The bytes at the end of a blob: the footer's length and a magic.
pub const TRAILER_LEN: usize = 8;
pub(crate) const TRAILER_MAGIC: [u8; 4] = *b"BLKF";
/// Footers and small records are filled up to a multiple of this.
pub(crate) const PAD: usize = 256;
pub(crate) const CHUNKS_MAX: u64 = 1 << 32;

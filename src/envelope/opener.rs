use zeroize::Zeroizing;

use crate::{
    ChunkSize, Error, Field, Header, Layout, Result,
    aead::{NONCE_ZERO, TAG_LEN},
    cbor,
    chunks::ContentKeys,
    dek::Content,
    layout::{TRAILER_LEN, footer_len},
};

/// A blob whose header was verified: its content keys exist now. With the plaintext's length it
/// becomes an [`Opener`].
///
/// Made by [`Header::open`], and in no other way.
pub struct Opened {
    keys: ContentKeys,
    chunk_size: ChunkSize,
}

impl Opened {
    pub(crate) fn new(header: &Header, content: Content) -> Self {
        Self {
            keys: ContentKeys::new(header.kind(), &content, header.identity()),
            chunk_size: header.chunk_size(),
        }
    }

    /// The opener of the chunks of `plaintext_len` bytes, the length that the row says. A wrong
    /// one shows at the last chunk and in the footer.
    ///
    /// # Errors
    /// [`Error::Damaged`] when no blob is that long.
    pub fn with_len(self, plaintext_len: u64) -> Result<Opener> {
        Ok(Opener {
            layout: Layout::new(self.chunk_size, plaintext_len)?,
            keys: self.keys,
        })
    }
}

/// Opens the chunks of one blob, in any order, in the caller's buffers.
pub struct Opener {
    keys: ContentKeys,
    layout: Layout,
}

impl Opener {
    /// Where the chunks stand, and which of them a range needs.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Opens chunk `index` in place and gives its plaintext. `sealed` is the whole sealed chunk
    /// with its tag, and exactly as long as this chunk of this blob is: a full stride, or for the
    /// last one what the plaintext's length leaves.
    ///
    /// # Errors
    /// [`Error::Damaged`]. The buffer then holds no plaintext, and the body must not go on.
    pub fn open_chunk<'a>(&self, index: u64, sealed: &'a mut [u8]) -> Result<&'a mut [u8]> {
        let damaged = Error::Damaged(Field::Chunk);
        let (chunk, tag) = sealed.split_last_chunk_mut::<TAG_LEN>().ok_or(damaged)?;
        self.open_detached(index, chunk, tag)?;
        Ok(chunk)
    }

    /// Opens the chunks from `first` on, as they stand one after another in `sealed`, in place:
    /// afterwards the plaintext of each stands where its ciphertext stood, at multiples of
    /// [`ChunkSize::stride`], with its tag still behind it. Meant for a blocking thread.
    ///
    /// # Errors
    /// [`Error::Damaged`], also when `sealed` does not end where a chunk ends. What was opened
    /// before is not to be used.
    pub fn open_strides(&self, first: u64, sealed: &mut [u8]) -> Result<()> {
        let stride = self.layout.chunk_size().stride();
        for (index, chunk) in (first..).zip(sealed.chunks_mut(stride)) {
            self.open_chunk(index, chunk)?;
        }
        Ok(())
    }

    /// Opens the end of a blob, from [`Layout::footer_start`] to its last byte, and gives the
    /// CBOR map without the zeros behind it.
    ///
    /// # Errors
    /// [`Error::Damaged`], also when the blob holds another number of bytes than this opener was
    /// made for.
    pub fn open_footer(&self, tail: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let damaged = Error::Damaged(Field::Footer);
        let (sealed, trailer) = tail.split_last_chunk::<TRAILER_LEN>().ok_or(damaged)?;
        if usize::try_from(footer_len(trailer)?) != Ok(sealed.len()) {
            return Err(damaged);
        }
        let (padded, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(damaged)?;
        let mut map = Zeroizing::new(padded.to_vec());
        self.keys
            .footer
            .open(
                &NONCE_ZERO,
                &self.keys.footer_aad(&self.layout),
                &mut map,
                tag,
            )
            .map_err(|_| damaged)?;
        let map_len = cbor::map_len(&map).ok_or(damaged)?;
        if map.iter().skip(map_len).any(|byte| *byte != 0) {
            return Err(Error::Damaged(Field::Padding));
        }
        map.truncate(map_len);
        Ok(map)
    }

    pub(crate) fn open_detached(
        &self,
        index: u64,
        chunk: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<()> {
        // The last-chunk rule, seen from the reader: a full chunk where the last one should be, or
        // a chunk behind it, is refused before any tag is looked at.
        if self.layout.chunk_len(index) != Some(chunk.len()) {
            chunk.fill(0);
            return Err(Error::Damaged(Field::Chunk));
        }
        self.keys
            .chunk
            .open(&self.keys.nonce(index), &[], chunk, tag)
            .map_err(|_| Error::Damaged(Field::Chunk))
    }
}

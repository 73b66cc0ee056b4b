use crate::{
    ChunkSize, CustomerKey, Error, Header, Id, Kek, Layout, Place, Random, Result,
    aead::{NONCE_ZERO, TAG_LEN},
    cbor,
    chunks::ContentKeys,
    header::Identity,
    layout::{CHUNKS_MAX, PAD, TRAILER_MAGIC, tail_len},
};

/// A blob about to be sealed.
#[derive(Clone, Copy)]
pub struct NewBlob<'a> {
    /// What it is, and the place it is sealed for.
    pub place: Place<'a>,
    /// Its identifier, a UUIDv7 of its own for every attempt to write:
    /// [`new_blob_id`](crate::new_blob_id).
    pub blob_id: Id,
    /// Now, in milliseconds since the epoch.
    pub created_ms: u64,
    /// The chunk size, [`ChunkSize::DEFAULT`] as a rule.
    pub chunk_size: ChunkSize,
    /// The customer's key that takes part, if one does (SSE-C).
    pub customer_key: Option<&'a CustomerKey>,
}

/// Seals one blob, chunk by chunk, in the caller's buffers.
///
/// ```text
/// Sealer::new ──► header() ──► seal_chunk | seal_strides … ──► seal_last ──► Tail::finish
///                 192 bytes    full chunks, any number         shorter       footer ‖ len ‖ "BLKF"
/// ```
///
/// It is moved and cannot be cloned, it counts the nonces itself, and the last chunk consumes it:
/// no chunk key meets a nonce twice, and nothing follows the last chunk. A failed write is tried
/// again with a new sealer, or by sending the same bytes again.
///
/// A sealer is `Send`: a batch of strides may be sealed on a blocking thread and the sealer moved
/// back.
pub struct Sealer {
    header: Header,
    keys: ContentKeys,
    next: u64,
}

impl Sealer {
    /// Draws a data key and derives the content keys of a new blob.
    ///
    /// # Errors
    /// [`Error::RandomFailed`].
    pub fn new(kek: &Kek, blob: &NewBlob<'_>, random: &dyn Random) -> Result<Self> {
        let identity = Identity {
            org_id: kek.org_id(),
            kind: blob.place.kind(),
            blob_id: blob.blob_id,
            created_ms: blob.created_ms,
            chunk_size: blob.chunk_size,
            customer_key: blob.customer_key.is_some(),
        };
        let (header, content) =
            Header::seal(kek, &identity, &blob.place, blob.customer_key, random)?;
        let keys = ContentKeys::new(identity.kind, &content, header.identity());
        Ok(Self {
            header,
            keys,
            next: 0,
        })
    }

    /// The header: the first bytes of the blob, and what its row keeps.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Seals a full chunk in place and gives the tag to write behind it.
    ///
    /// # Errors
    /// [`Error::Misuse`] unless the chunk has exactly the chunk size, or after 2^32 - 1 of them.
    pub fn seal_chunk(&mut self, chunk: &mut [u8]) -> Result<[u8; TAG_LEN]> {
        if chunk.len() != self.header.chunk_size().bytes() {
            return Err(Error::Misuse("every chunk but the last is full"));
        }
        // One number is kept for the last chunk.
        if self.next >= CHUNKS_MAX - 1 {
            return Err(Error::Misuse("a blob has at most 2^32 chunks"));
        }
        self.seal(chunk)
    }

    /// Seals a batch of full chunks in place. `strides` holds for each the plaintext and room for
    /// its tag: a multiple of [`ChunkSize::stride`].
    ///
    /// # Errors
    /// [`Error::Misuse`] when its length is another.
    pub fn seal_strides(&mut self, strides: &mut [u8]) -> Result<()> {
        let chunk_size = self.header.chunk_size();
        if !strides.len().is_multiple_of(chunk_size.stride()) {
            return Err(Error::Misuse("a batch holds whole strides"));
        }
        for stride in strides.chunks_exact_mut(chunk_size.stride()) {
            let (chunk, tag) = stride.split_at_mut(chunk_size.bytes());
            tag.copy_from_slice(&self.seal_chunk(chunk)?);
        }
        Ok(())
    }

    /// Seals the last chunk in place, which every blob has: strictly shorter than the chunk size,
    /// empty if need be. A blob cut at a border between chunks thus shows.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the chunk is not shorter.
    pub fn seal_last(mut self, chunk: &mut [u8]) -> Result<([u8; TAG_LEN], Tail)> {
        let chunk_size = self.header.chunk_size();
        if chunk.len() >= chunk_size.bytes() {
            return Err(Error::Misuse("the last chunk is shorter than the others"));
        }
        let plaintext_len = (self.next << chunk_size.log2()) + chunk.len() as u64;
        let layout = Layout::new(chunk_size, plaintext_len)?;
        let tag = self.seal(chunk)?;
        Ok((
            tag,
            Tail {
                header: self.header,
                keys: self.keys,
                layout,
            },
        ))
    }

    fn seal(&mut self, chunk: &mut [u8]) -> Result<[u8; TAG_LEN]> {
        let nonce = self.keys.nonce(self.next);
        // Counted before it is used: a failed attempt spends the nonce.
        self.next += 1;
        self.keys
            .chunk
            .seal(&nonce, &[], chunk)
            .map_err(|_| Error::Misuse("a chunk is within what GCM allows"))
    }
}

/// A blob whose chunks are all sealed; only its footer is missing.
pub struct Tail {
    header: Header,
    keys: ContentKeys,
    layout: Layout,
}

impl Tail {
    /// The header, as the sealer gave it.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How much was sealed, and where it stands.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Seals the footer: `map` is one CBOR map in deterministic encoding (RFC 8949, 4.2.1), `a0`
    /// when there is nothing to say. Gives the bytes that end the blob:
    ///
    /// ```text
    /// | map ‖ zeros to a multiple of 256, sealed ‖ tag | be32(len) | "BLKF" |
    /// '--------------------- len ----------------------'
    /// ```
    ///
    /// # Errors
    /// [`Error::Misuse`] when `map` is no such map.
    pub fn finish(self, map: &[u8]) -> Result<Vec<u8>> {
        if cbor::map_len(map) != Some(map.len()) {
            return Err(Error::Misuse(
                "a footer is one CBOR map in deterministic encoding",
            ));
        }
        let padded_len = map.len().next_multiple_of(PAD);
        let mut tail = Vec::with_capacity(tail_len(map.len())?);
        tail.extend_from_slice(map);
        tail.resize(padded_len, 0);
        let tag = self
            .keys
            .footer
            .seal(&NONCE_ZERO, &self.keys.footer_aad(&self.layout), &mut tail)
            .map_err(|_| Error::Misuse("a footer is within what GCM allows"))?;
        tail.extend_from_slice(&tag);
        let sealed_len = u32::try_from(tail.len())
            .map_err(|_| Error::Misuse("a footer map holds from one byte to 4 GiB"))?;
        tail.extend_from_slice(&sealed_len.to_be_bytes());
        tail.extend_from_slice(&TRAILER_MAGIC);
        Ok(tail)
    }
}

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use envelope::{ChunkSize, Sealer, Tail};

use super::memory::Reserved;

/// A stretch of a body, laid out as it will stand in its blob, so that it is sealed in place and
/// never copied again:
///
/// ```text
/// | chunk 0, 64 KiB | room for its tag, 16 | chunk 1 | room | … | what has come of the next |
/// ```
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Bytes of the chunk that is not full yet.
    open: usize,
    pool: Arc<Pool>,
    /// Gives the room back when the batch goes on to the blob store, whose writer counts its own.
    reserved: Option<Reserved>,
}

/// Buffers for batches that were used before: a fresh one costs a page fault for every 4 KiB.
#[derive(Default)]
pub(super) struct Pool {
    free: Mutex<Vec<Vec<u8>>>,
}

impl Batch {
    /// An empty batch for at most `bytes_expected` more bytes of plaintext. Without a reservation
    /// of its own it lives on its caller's.
    pub(super) fn new(
        pool: &Arc<Pool>,
        reserved: Option<Reserved>,
        bytes_expected: Option<u64>,
    ) -> Self {
        let capacity = Self::capacity(bytes_expected);
        Self {
            bytes: match capacity {
                BATCH_BYTES_MAX => pool.take(),
                smaller => Vec::with_capacity(smaller),
            },
            open: 0,
            pool: Arc::clone(pool),
            reserved,
        }
    }

    /// The memory that a batch takes.
    pub(super) fn capacity(bytes_expected: Option<u64>) -> usize {
        let plaintext_max = (STRIDES_MAX * CHUNK.bytes()) as u64;
        match bytes_expected {
            Some(bytes) if bytes < plaintext_max => {
                bytes as usize + (bytes as usize / CHUNK.bytes() + 1) * TAG_BYTES
            }
            _ => BATCH_BYTES_MAX,
        }
    }

    /// Takes bytes off the front of `piece` until it is empty or the batch is full.
    pub(super) fn fill(&mut self, piece: &mut Bytes) {
        while !piece.is_empty() && !self.is_full() {
            let taken = piece.len().min(CHUNK.bytes() - self.open);
            self.bytes.extend_from_slice(&piece.split_to(taken));
            self.open += taken;
            if self.open == CHUNK.bytes() {
                self.bytes.extend_from_slice(&[0; TAG_BYTES]);
                self.open = 0;
            }
        }
    }

    /// Whether it takes no more.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() == STRIDES_MAX * CHUNK.stride()
    }

    /// How many bytes it holds, tags and room for tags included.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The plaintext, chunk by chunk, while it is not sealed.
    pub(super) fn plaintext(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes
            .chunks(CHUNK.stride())
            .map(|chunk| &chunk[..chunk.len().min(CHUNK.bytes())])
    }

    /// Seals a full batch that is not the last.
    pub(super) fn seal(&mut self, sealer: &mut Sealer) -> envelope::Result<()> {
        sealer.seal_strides(&mut self.bytes)
    }

    /// Seals the batch that ends the body, full or not.
    pub(super) fn seal_last(&mut self, mut sealer: Sealer) -> envelope::Result<Tail> {
        let full = self.bytes.len() - self.open;
        let (strides, last) = self.bytes.split_at_mut(full);
        sealer.seal_strides(strides)?;
        let (tag, tail) = sealer.seal_last(last)?;
        self.bytes.extend_from_slice(&tag);
        Ok(tail)
    }

    /// Hands the sealed bytes on. Their buffer comes back to the pool once nobody reads it.
    pub(super) fn into_sealed(mut self) -> Bytes {
        self.reserved = None;
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Batch {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.pool.give_back(mem::take(&mut self.bytes));
    }
}

impl Pool {
    fn take(&self) -> Vec<u8> {
        match self.free().pop() {
            Some(buffer) => buffer,
            None => Vec::with_capacity(BATCH_BYTES_MAX),
        }
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() != BATCH_BYTES_MAX {
            return;
        }
        buffer.clear();
        let mut free = self.free();
        if free.len() < FREE_MAX {
            free.push(buffer);
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What writers seal in.
pub(super) const CHUNK: ChunkSize = ChunkSize::DEFAULT;
const TAG_BYTES: usize = CHUNK.stride() - CHUNK.bytes();

/// Chunks in a batch: 256 KiB, so that a batch is a write of the disk and a task on the blocking
/// pool is worth its switch.
const STRIDES_MAX: usize = 4;

/// A batch that ends with an empty last chunk holds one more tag.
pub(super) const BATCH_BYTES_MAX: usize = STRIDES_MAX * CHUNK.stride() + TAG_BYTES;

/// Buffers kept for later, 8 MiB.
const FREE_MAX: usize = 32;

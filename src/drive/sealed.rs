use std::sync::Arc;

use bytes::Bytes;
use envelope::{HEADER_LEN, Place, Sealer, Tail};
use names::{BlobId, OrgId};

use super::DriveError;
use super::batch::{BATCH_BYTES_MAX, Batch, CHUNK};
use super::digests::{Digested, Digests};
use super::memory::Reserved;
use super::service::Shared;
use super::task::Task;
use crate::blobs::BlobWriter;
use crate::catalog::{BlobRow, Slice};
use crate::keyring::OrgKeys;

/// A body on its way into the blob store, in batches that pass three stages at a time:
///
/// ```text
/// door ──► filled ──► hashed ──► sealed in place ──► blob store
///            n+2        n+1           n               n-1
/// ```
///
/// Hashing, the slowest, so runs beside sealing and writing. Each step is a task of its own on the
/// blocking pool and none waits there for bytes: a client that is slow holds a buffer, never a
/// thread.
pub(super) struct SealedWriter {
    shared: Arc<Shared>,
    org: OrgId,
    room: Room,
    /// Gone while `hashing` has them.
    digests: Option<Digests>,
    hashing: Option<Task<(Digests, Batch)>>,
    /// Gone while `sealing` has it.
    sealer: Option<Sealer>,
    sealing: Option<Task<envelope::Result<(Sealer, Batch)>>>,
    filling: Option<Batch>,
    writer: Box<dyn BlobWriter>,
    blob: BlobId,
    header: [u8; HEADER_LEN],
    kind: u8,
    key_version: u32,
    /// How much plaintext is still to come, if that is known.
    left_expected: Option<u64>,
    length: u64,
    sealed_len: u64,
}

/// Whose memory a body's batches are in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Each is reserved when it is begun.
    Own,
    /// The caller has reserved [`ROOM_BYTES`] for them before: it holds other memory, and so must
    /// not wait for more.
    Callers,
}

/// A body that is hashed as a whole: only its last batch, its footer and the sync are missing.
pub(super) struct Hashed {
    writer: SealedWriter,
    last: Batch,
}

/// A blob that is durable and that no row names yet.
pub(super) struct NewBlob {
    pub(super) row: BlobRow,
    /// The whole of its plaintext.
    pub(super) slice: Slice,
}

impl SealedWriter {
    /// Begins a blob of about `length_expected` bytes, or of any number.
    pub(super) async fn begin(
        shared: &Arc<Shared>,
        keys: &OrgKeys,
        (place, room): (Place<'_>, Room),
        digests: Digests,
        length_expected: Option<u64>,
    ) -> Result<Self, DriveError> {
        let org = keys.org();
        let (blob, sealer) = keys.sealer(place).map_err(DriveError::sealing)?;
        let header = *sealer.header().as_bytes();
        let key_version = sealer.header().kek_version();
        let sealed_len_expected =
            length_expected.map(|length| length + length / CHUNK.bytes() as u64 * 16 + FRAME_BYTES);
        let mut writer = shared.blobs.writer(org, blob, sealed_len_expected).await?;
        writer.write(Bytes::copy_from_slice(&header)).await?;
        Ok(Self {
            shared: Arc::clone(shared),
            org,
            room,
            digests: Some(digests),
            hashing: None,
            sealer: Some(sealer),
            sealing: None,
            filling: None,
            writer,
            blob,
            header,
            kind: place.kind() as u8,
            key_version,
            left_expected: length_expected,
            length: 0,
            sealed_len: HEADER_LEN as u64,
        })
    }

    /// Takes the next bytes.
    pub(super) async fn write(&mut self, mut piece: Bytes) -> Result<(), DriveError> {
        self.length += piece.len() as u64;
        while !piece.is_empty() {
            let mut batch = match self.filling.take() {
                // Sent on only now that more follows: the last batch is another matter.
                Some(full) if full.is_full() => {
                    self.hash(full).await?;
                    self.new_batch().await?
                }
                Some(batch) => batch,
                None => self.new_batch().await?,
            };
            let before = piece.len() as u64;
            batch.fill(&mut piece);
            if let Some(left) = &mut self.left_expected {
                *left = left.saturating_sub(before - piece.len() as u64);
            }
            self.filling = Some(batch);
        }
        Ok(())
    }

    /// Ends the plaintext, and gives its digests.
    pub(super) async fn end(mut self) -> Result<(Hashed, Digested), DriveError> {
        let last = match self.filling.take() {
            Some(batch) => batch,
            None => self.new_batch().await?,
        };
        self.hash(last).await?;
        let (digests, last) = match self.hashing.take() {
            Some(task) => task.join().await?,
            None => return Err(out_of_step()),
        };
        let hashed = Hashed { writer: self, last };
        Ok((hashed, digests.finish()))
    }

    /// Gives up, and removes what was written.
    pub(super) async fn abort(self) {
        let (org, blob) = (self.org, self.blob);
        if let Err(error) = self.writer.abort().await {
            tracing::warn!(%org, %blob, %error, "an unfinished blob was not removed");
        }
    }

    /// Room for more. If there is none, all that this body holds goes on to the blob store before
    /// it waits: whoever waits holds nothing.
    async fn new_batch(&mut self) -> Result<Batch, DriveError> {
        let bytes = Batch::capacity(self.left_expected);
        let reserved = match self.room {
            Room::Callers => None,
            Room::Own => Some(self.reserve(bytes).await?),
        };
        Ok(Batch::new(&self.shared.pool, reserved, self.left_expected))
    }

    async fn reserve(&mut self, bytes: usize) -> Result<Reserved, DriveError> {
        if let Some(reserved) = self.shared.memory.try_reserve(self.org, bytes) {
            return Ok(reserved);
        }
        self.drain().await?;
        self.shared.memory.reserve(self.org, bytes).await
    }

    async fn drain(&mut self) -> Result<(), DriveError> {
        if let Some(task) = self.hashing.take() {
            let (digests, batch) = task.join().await?;
            self.digests = Some(digests);
            self.seal(batch).await?;
        }
        self.sealer = Some(self.take_sealer().await?);
        Ok(())
    }

    /// Sends a batch into hashing, and the one that comes out of it into sealing.
    async fn hash(&mut self, batch: Batch) -> Result<(), DriveError> {
        let mut digests = match self.hashing.take() {
            Some(task) => {
                let (digests, hashed) = task.join().await?;
                self.seal(hashed).await?;
                digests
            }
            None => self.digests.take().ok_or_else(out_of_step)?,
        };
        let bytes = if digests.is_empty() { 0 } else { batch.len() };
        self.hashing = Some(Task::start(bytes, move || {
            for chunk in batch.plaintext() {
                digests.update(chunk);
            }
            (digests, batch)
        }));
        Ok(())
    }

    /// Sends a batch into sealing, and the one that comes out of it to the blob store.
    async fn seal(&mut self, mut batch: Batch) -> Result<(), DriveError> {
        let mut sealer = self.take_sealer().await?;
        self.sealing = Some(Task::start(batch.len(), move || {
            batch.seal(&mut sealer)?;
            Ok((sealer, batch))
        }));
        Ok(())
    }

    /// Waits for the batch that is being sealed, and sends it to the blob store.
    async fn take_sealer(&mut self) -> Result<Sealer, DriveError> {
        match self.sealing.take() {
            Some(task) => {
                let (sealer, sealed) = task.join().await?.map_err(misused)?;
                self.send(sealed.into_sealed()).await?;
                Ok(sealer)
            }
            None => self.sealer.take().ok_or_else(out_of_step),
        }
    }

    async fn send(&mut self, sealed: Bytes) -> Result<(), DriveError> {
        self.sealed_len += sealed.len() as u64;
        Ok(self.writer.write(sealed).await?)
    }
}

impl Hashed {
    /// Seals the end with `footer`, and returns once the blob is durable.
    pub(super) async fn finish(self, footer: &[u8]) -> Result<NewBlob, DriveError> {
        let Self { mut writer, last } = self;
        match writer.seal_last(last, footer).await {
            Ok(()) => writer.publish().await,
            Err(error) => {
                writer.abort().await;
                Err(error)
            }
        }
    }

    /// Gives up, and removes what was written.
    pub(super) async fn abort(self) {
        self.writer.abort().await;
    }
}

impl SealedWriter {
    async fn seal_last(&mut self, mut last: Batch, footer: &[u8]) -> Result<(), DriveError> {
        let sealer = self.take_sealer().await?;
        let task: Task<envelope::Result<(Tail, Batch)>> = Task::start(last.len(), move || {
            let tail = last.seal_last(sealer)?;
            Ok((tail, last))
        });
        let (tail, last) = task.join().await?.map_err(misused)?;
        self.send(last.into_sealed()).await?;
        let end = tail.finish(footer).map_err(misused)?;
        self.send(end.into()).await
    }

    async fn publish(self) -> Result<NewBlob, DriveError> {
        self.writer.finish().await?;
        let commitment = self.header.last_chunk().copied().ok_or_else(out_of_step)?;
        Ok(NewBlob {
            row: BlobRow {
                blob: self.blob,
                header: self.header.to_vec(),
                key_version: self.key_version,
                sealed_len: self.sealed_len,
            },
            slice: Slice {
                part: 0,
                blob: self.blob,
                commitment,
                blob_len: self.length,
                chunk_log2: CHUNK.log2(),
                kind: self.kind,
                offset: 0,
                length: self.length,
            },
        })
    }
}

/// A stage has lost what it hands on: an earlier step has failed, or this file is wrong.
fn out_of_step() -> DriveError {
    DriveError::Unavailable("a body is written to after its writing failed".to_owned())
}

fn misused(error: envelope::Error) -> DriveError {
    DriveError::Unavailable(format!("sealing a body failed: {error}"))
}

/// What the batches of one body take at most: one in each stage.
pub(super) const ROOM_BYTES: usize = 3 * BATCH_BYTES_MAX;

/// About what header, last tag, footer and trailer take.
const FRAME_BYTES: u64 = 1024;

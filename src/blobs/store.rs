use std::ops::Range;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use names::{BlobId, OrgId};

use super::BlobError;

/// A place for blobs. A blob is written once, whole, under a name never used before or again,
/// and is then read and at last deleted; it is never changed.
///
/// Whoever calls brings the organization from a permit. An implementation keeps each
/// organization's blobs below a path of its own and cannot mistake one for the other, since the
/// organization is part of every name.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Begins a blob. Nothing is durable, and on most backends nothing is visible, until
    /// [`BlobWriter::finish`] returns.
    ///
    /// `size_expected` is a hint in bytes: it bounds what is reserved, and a blob of another size
    /// is written all the same.
    async fn writer(
        &self,
        org: OrgId,
        blob: BlobId,
        size_expected: Option<u64>,
    ) -> Result<Box<dyn BlobWriter>, BlobError>;

    /// Writes a small blob that is at hand as a whole; durable when it returns.
    async fn put(&self, org: OrgId, blob: BlobId, pieces: Vec<Bytes>) -> Result<(), BlobError> {
        let size = pieces.iter().map(|piece| piece.len() as u64).sum();
        let mut writer = self.writer(org, blob, Some(size)).await?;
        for piece in pieces {
            writer.write(piece).await?;
        }
        writer.finish().await
    }

    /// Opens a range of a blob, in bytes, to be read from front to back.
    ///
    /// The catalog knows how long a blob is, so a range that reaches beyond the blob's end is
    /// [`BlobError::Damaged`], here or from the reader at the latest; it is never cut silently.
    /// Every buffer but the last is a whole multiple of `stride` bytes, so that a caller whose
    /// range starts on a sealed chunk gets whole chunks. An empty range does not touch the blob.
    async fn read(
        &self,
        org: OrgId,
        blob: BlobId,
        range: Range<u64>,
        stride: usize,
    ) -> Result<Box<dyn BlobReader>, BlobError>;

    /// Deletes a blob; a missing one is deleted already. Not synced: a deletion that a power loss
    /// undoes is repeated by whoever keeps the list of garbage.
    async fn delete(&self, org: OrgId, blob: BlobId) -> Result<(), BlobError>;

    /// All blobs of one organization, in no order.
    fn list(&self, org: OrgId) -> BoxStream<'static, Result<BlobEntry, BlobError>>;

    /// All blobs, in no order; for the sweeper of orphans. Files that are not blobs are passed
    /// over.
    fn list_all(&self) -> BoxStream<'static, Result<BlobEntry, BlobError>>;

    /// Removes what writers that died left behind and no list shows, begun before `before`.
    /// Returns how many there were.
    async fn sweep_leftovers(&self, before: SystemTime) -> Result<u64, BlobError>;

    /// Whether the backend answers and lets us in; for readiness and for a clear error at start.
    async fn check(&self) -> Result<(), BlobError>;
}

/// A blob being written. Dropped without [`finish`](Self::finish), it cleans up in the
/// background; [`abort`](Self::abort) does so before it returns.
#[async_trait]
pub trait BlobWriter: Send {
    /// Appends. Pieces are gathered into backend writes of [`WRITE_SIZE`] or more without being
    /// copied, one of which is under way while the caller prepares the next; it waits when the
    /// backend is slower than the caller. After an error the writer is of no more use.
    async fn write(&mut self, piece: Bytes) -> Result<(), BlobError>;

    /// Makes the blob durable: when this returns, a power loss does not undo it.
    async fn finish(self: Box<Self>) -> Result<(), BlobError>;

    /// Gives up, and removes what was written.
    async fn abort(self: Box<Self>) -> Result<(), BlobError>;
}

/// A range of a blob being read.
#[async_trait]
pub trait BlobReader: Send {
    /// The next bytes, or `None` at the end of the range. The buffer is the caller's, to be
    /// opened in place. The following one is fetched meanwhile.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BlobError>;
}

/// A blob as a list shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobEntry {
    /// The organization below whose path it lies.
    pub org: OrgId,
    /// Its name. When its writer began is in [`BlobId::created_ms`].
    pub blob: BlobId,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written to, by the backend's clock.
    pub modified: SystemTime,
}

/// How many bytes a reader fetches at a time, rounded down to the stride but at least one
/// stride. A reader holds two such buffers and its caller one: 64 readers stay below 50 MB.
pub const READ_SIZE: usize = 256 * 1024 + 4 * 16;

/// How many bytes the disk's writer gathers for one system call. A writer holds at most twice
/// this and one piece.
pub const WRITE_SIZE: usize = 256 * 1024;

/// The buffer size for a stride.
pub(super) fn buffer_size(stride: usize) -> usize {
    let stride = stride.max(1);
    (READ_SIZE / stride).max(1) * stride
}

use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use names::{BlobId, OrgId};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::super::{BlobError, BlobWriter};
use super::store::Limits;

/// Gathers pieces into parts. A blob that ends within its first part is one PUT; a larger one is
/// a multipart upload with parts of equal size, some of which are on their way at a time.
///
/// Room for a part is reserved as a whole before its first byte is taken. So a writer that waits
/// for room holds only parts that are on their way and give their room back by themselves, and
/// writers cannot wait for each other in a circle.
pub(super) struct ObjectWriter {
    store: Arc<dyn ObjectStore>,
    path: Path,
    org: OrgId,
    blob: BlobId,
    limits: Limits,
    memory: Arc<Semaphore>,
    /// How many bytes are still to come, as far as we were told.
    left_expected: Option<u64>,
    part: Vec<Bytes>,
    part_bytes: usize,
    reserved: Option<OwnedSemaphorePermit>,
    upload: Option<Box<dyn MultipartUpload>>,
    uploading: JoinSet<object_store::Result<()>>,
}

impl ObjectWriter {
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        path: Path,
        (org, blob): (OrgId, BlobId),
        (limits, memory): (Limits, Arc<Semaphore>),
        size_expected: Option<u64>,
    ) -> Self {
        Self {
            store,
            path,
            org,
            blob,
            limits,
            memory,
            left_expected: size_expected,
            part: Vec::new(),
            part_bytes: 0,
            reserved: None,
            upload: None,
            uploading: JoinSet::new(),
        }
    }

    async fn reserve(&mut self) -> Result<(), BlobError> {
        if self.reserved.is_some() {
            return Ok(());
        }
        let part_size = self.limits.part_size as u64;
        let expected = match self.left_expected {
            Some(left @ 1..) => left.min(part_size),
            _ => part_size,
        };
        let memory = Arc::clone(&self.memory);
        let reserved = memory
            .acquire_many_owned(units(expected))
            .await
            .map_err(|_| BlobError::Unavailable("the blob store is closed".into()))?;
        self.reserved = Some(reserved);
        Ok(())
    }

    /// Sends the gathered part on its way, after waiting for one of the earlier ones if there
    /// are as many as there may be.
    async fn send_part(&mut self) -> Result<(), BlobError> {
        while self.uploading.len() >= self.limits.parts_in_flight_max {
            self.join_part().await?;
        }
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => {
                let begun = self.store.put_multipart(&self.path).await;
                self.upload.insert(begun.map_err(|e| self.failed(&e))?)
            }
        };
        let part = upload.put_part(PutPayload::from_iter(mem::take(&mut self.part)));
        let reserved = self.reserved.take();
        self.part_bytes = 0;
        self.uploading.spawn(async move {
            let sent = part.await;
            drop(reserved);
            sent
        });
        Ok(())
    }

    async fn join_part(&mut self) -> Result<(), BlobError> {
        match self.uploading.join_next().await {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => Err(self.failed(&error)),
            Some(Err(error)) => Err(BlobError::from_join(&error)),
        }
    }

    /// Sends what is left and lets the blob appear as a whole.
    async fn complete(&mut self) -> Result<(), BlobError> {
        if self.upload.is_none() {
            let payload = PutPayload::from_iter(mem::take(&mut self.part));
            let put = self.store.put(&self.path, payload).await;
            return put.map(drop).map_err(|e| self.failed(&e));
        }
        if !self.part.is_empty() {
            self.send_part().await?;
        }
        while !self.uploading.is_empty() {
            self.join_part().await?;
        }
        if let Some(upload) = &mut self.upload {
            let completed = upload.complete().await;
            completed.map_err(|e| self.failed(&e))?;
        }
        // There is nothing to abort any more.
        self.upload = None;
        Ok(())
    }

    async fn clean_up(&mut self) -> Result<(), BlobError> {
        self.uploading.shutdown().await;
        match self.upload.take() {
            Some(mut upload) => upload.abort().await.map_err(|e| self.failed(&e)),
            None => Ok(()),
        }
    }

    fn failed(&self, error: &object_store::Error) -> BlobError {
        match BlobError::from_blob_object_store(self.org, self.blob, "writing", error) {
            // What is missing is the upload or the bucket, not the blob.
            BlobError::NotFound { .. } => BlobError::from_object_store("writing a blob", error),
            judged => judged,
        }
    }
}

#[async_trait]
impl BlobWriter for ObjectWriter {
    async fn write(&mut self, mut piece: Bytes) -> Result<(), BlobError> {
        while !piece.is_empty() {
            // A full part is sent only when more follows, so that a blob of exactly one part is
            // one PUT.
            if self.part_bytes == self.limits.part_size {
                self.send_part().await?;
            }
            self.reserve().await?;
            let taken = piece.len().min(self.limits.part_size - self.part_bytes);
            self.part.push(piece.split_to(taken));
            self.part_bytes += taken;
            if let Some(left) = &mut self.left_expected {
                *left = left.saturating_sub(taken as u64);
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), BlobError> {
        let completed = self.complete().await;
        if completed.is_err() {
            // The first error is the one that tells; what the abort leaves is swept.
            let _ = self.clean_up().await;
        }
        completed
    }

    async fn abort(mut self: Box<Self>) -> Result<(), BlobError> {
        self.clean_up().await
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        if let Some(mut upload) = self.upload.take()
            && let Ok(runtime) = Handle::try_current()
        {
            let mut uploading = mem::take(&mut self.uploading);
            let path = self.path.clone();
            runtime.spawn(async move {
                uploading.shutdown().await;
                if let Err(error) = upload.abort().await {
                    tracing::warn!(%path, %error, "an upload to the blob store was not aborted");
                }
            });
        }
    }
}

/// Memory is counted in KiB, since a semaphore counts no further than `u32` in one step.
pub(super) fn units(size_bytes: u64) -> u32 {
    u32::try_from(size_bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

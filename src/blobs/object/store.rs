use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt};
use names::{BlobId, OrgId};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::sync::Semaphore;

use super::super::s3::Uploads;
use super::super::{BlobEntry, BlobError, BlobReader, BlobWriter, Blobs, layout};
use super::read::{EmptyReader, ObjectReader};
use super::write::{ObjectWriter, units};

/// Blobs as objects: in this process's memory, or in a bucket of an S3 endpoint (see
/// [`S3Settings`](super::super::S3Settings)).
pub struct ObjectBlobs {
    store: Arc<dyn ObjectStore>,
    location: Location,
    limits: Limits,
    memory: Arc<Semaphore>,
    /// The multipart uploads of a store that keeps them when their writer dies.
    uploads: Option<Uploads>,
}

/// How much a writer may have on its way.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Limits {
    /// Bytes of one part, and of the largest blob that is written by one PUT.
    pub(in super::super) part_size: usize,
    /// Parts of one blob on their way at a time.
    pub(in super::super) parts_in_flight_max: usize,
    /// Bytes that all writers together hold in memory.
    pub(in super::super) memory_max: u64,
}

impl ObjectBlobs {
    /// Blobs that live as long as this value; for tests and for trying things out.
    pub fn memory() -> Self {
        let limits = Limits {
            part_size: usize::MAX,
            parts_in_flight_max: 1,
            memory_max: u64::MAX,
        };
        Self::new(Arc::new(InMemory::new()), Location::default(), limits, None)
    }

    pub(in super::super) fn new(
        store: Arc<dyn ObjectStore>,
        location: Location,
        limits: Limits,
        uploads: Option<Uploads>,
    ) -> Self {
        let memory = match limits.memory_max {
            u64::MAX => Semaphore::MAX_PERMITS,
            // Room for one part at least, or no writer could ever begin.
            bytes => units(bytes.max(limits.part_size as u64)) as usize,
        };
        Self {
            store,
            location,
            limits,
            memory: Arc::new(Semaphore::new(memory)),
            uploads,
        }
    }

    /// How many multipart uploads of blobs are neither completed nor aborted.
    #[cfg(test)]
    pub(in super::super) async fn uploads_open(&self) -> Result<usize, BlobError> {
        match &self.uploads {
            Some(uploads) => Ok(uploads.list(&self.location).await?.len()),
            None => Ok(0),
        }
    }

    fn list_below(&self, path: &str) -> BoxStream<'static, Result<BlobEntry, BlobError>> {
        let location = self.location.clone();
        self.store
            .list(Some(&self.location.path(path)))
            .filter_map(move |listed| {
                let entry = match listed {
                    Ok(meta) => location.entry(&meta).map(Ok),
                    Err(error) => Some(Err(BlobError::from_object_store("listing blobs", &error))),
                };
                std::future::ready(entry)
            })
            .boxed()
    }
}

#[async_trait]
impl Blobs for ObjectBlobs {
    async fn writer(
        &self,
        org: OrgId,
        blob: BlobId,
        size_expected: Option<u64>,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        Ok(Box::new(ObjectWriter::new(
            Arc::clone(&self.store),
            self.location.blob(org, blob),
            (org, blob),
            (self.limits, Arc::clone(&self.memory)),
            size_expected,
        )))
    }

    async fn read(
        &self,
        org: OrgId,
        blob: BlobId,
        range: Range<u64>,
        stride: usize,
    ) -> Result<Box<dyn BlobReader>, BlobError> {
        if range.is_empty() {
            return Ok(Box::new(EmptyReader));
        }
        let path = self.location.blob(org, blob);
        let reader = ObjectReader::open(&*self.store, &path, org, blob, range, stride).await?;
        Ok(Box::new(reader))
    }

    async fn delete(&self, org: OrgId, blob: BlobId) -> Result<(), BlobError> {
        let deleted = self.store.delete(&self.location.blob(org, blob)).await;
        let judge = |e| BlobError::from_blob_object_store(org, blob, "deleting", &e);
        match deleted.map_err(judge) {
            Err(BlobError::NotFound { .. }) => Ok(()),
            deleted => deleted,
        }
    }

    fn list(&self, org: OrgId) -> BoxStream<'static, Result<BlobEntry, BlobError>> {
        self.list_below(&layout::org_path(org))
    }

    fn list_all(&self) -> BoxStream<'static, Result<BlobEntry, BlobError>> {
        self.list_below(layout::ROOT)
    }

    async fn sweep_leftovers(&self, before: SystemTime) -> Result<u64, BlobError> {
        match &self.uploads {
            Some(uploads) => uploads.sweep(&self.location, before).await,
            None => Ok(0),
        }
    }

    async fn check(&self) -> Result<(), BlobError> {
        let mut listed = self.list_below(layout::ROOT);
        listed.next().await.transpose().map(drop)
    }
}

/// The part of a bucket that the blobs may use: all of it, or what lies below a prefix.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Location {
    /// Empty, or the prefix with a `/` at its end.
    prefix: String,
}

impl Location {
    pub(in super::super) fn below(prefix: &str) -> Result<Self, BlobError> {
        let prefix = Path::parse(prefix).map_err(|error| {
            BlobError::Unavailable(format!("the prefix of the blob store's bucket: {error}"))
        })?;
        let prefix = match prefix.as_ref() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self { prefix })
    }

    pub(in super::super) fn path(&self, path: &str) -> Path {
        Path::from(format!("{}{path}", self.prefix))
    }

    /// Whose blob lies at a path of the bucket, if it is one.
    pub(in super::super) fn parse(&self, path: &str) -> Option<(OrgId, BlobId)> {
        layout::parse_path(path.strip_prefix(&self.prefix)?)
    }

    fn blob(&self, org: OrgId, blob: BlobId) -> Path {
        self.path(&layout::blob_path(org, blob))
    }

    fn entry(&self, meta: &ObjectMeta) -> Option<BlobEntry> {
        let (org, blob) = self.parse(meta.location.as_ref())?;
        Some(BlobEntry {
            org,
            blob,
            size: meta.size,
            modified: meta.last_modified.into(),
        })
    }
}

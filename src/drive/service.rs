use std::sync::Arc;
use std::time::Duration;

use names::{PartNumber, UploadId};

use super::batch::{BATCH_BYTES_MAX, Pool};
use super::bucket_cache::BucketCache;
use super::memory::Memory;
use super::model::*;
use super::sequence::Sequences;
use super::session::Session;
use super::{DriveError, Incoming, ObjectReader};
use crate::authz::{
    AbortUpload, Allowance, CompleteUpload, CreateBucket, CreateUpload, DeleteBucket, DeleteObject,
    GetObject, HeadBucket, ListBuckets, ListObjects, ListParts, ListUploads, Permit, PutObject,
    PutPart, Receipt,
};
use crate::blobs::Blobs;
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::keyring::Keyring;

/// Files of organizations. Each call takes the permit for it, and works in that permit's
/// organization alone.
pub struct Drive {
    shared: Arc<Shared>,
}

/// What the Drive is set to.
#[derive(Debug, Clone)]
pub struct DriveSettings {
    /// Bodies up to this many bytes live sealed in their catalog row.
    pub inline_max: u64,
    /// Bytes of body buffers that all requests share.
    pub memory_max: u64,
    /// Answers ETags that are no MD5.
    pub opaque_etags: bool,
    /// How long a replaced blob stays for the readers that have begun.
    pub trash_delay: Duration,
}

/// What all calls share.
pub(super) struct Shared {
    pub(super) catalog: Catalog,
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) settings: DriveSettings,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    pub(super) memory: Memory,
    pub(super) pool: Arc<Pool>,
    pub(super) buckets: BucketCache,
    pub(super) sequences: Sequences,
}

impl Shared {
    /// When what is replaced now may be collected.
    pub(super) fn trash_not_before_ms(&self) -> u64 {
        let delay = self.settings.trash_delay.as_millis();
        let delay_ms = u64::try_from(delay).unwrap_or(u64::MAX);
        self.clock.now_ms().saturating_add(delay_ms)
    }
}

/// What a call gives, with its receipt.
pub(super) type Done<T> = Result<(T, Receipt), DriveError>;

impl Drive {
    /// Files in `catalog` and `blobs`, sealed with the keys of `keyring`.
    pub fn new(
        catalog: Catalog,
        blobs: Arc<dyn Blobs>,
        keyring: Arc<Keyring>,
        settings: DriveSettings,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        let memory = Memory::new(settings.memory_max, BATCH_BYTES_MAX);
        Self {
            shared: Arc::new(Shared {
                catalog,
                blobs,
                keyring,
                settings,
                clock,
                entropy,
                memory,
                pool: Arc::default(),
                buckets: BucketCache::new(),
                sequences: Sequences::default(),
            }),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Up to `max` buckets whose names begin with `prefix` and come after `after`, and whether
    /// there are more.
    pub async fn list_buckets(
        &self,
        permit: Permit<ListBuckets>,
        prefix: &str,
        after: Option<&str>,
        max: u32,
    ) -> Done<(Vec<Bucket>, bool)> {
        let session = Session::open(&self.shared, permit).await?;
        session.list_buckets(prefix, after, max).await
    }

    /// Makes a bucket; [`DriveError::BucketExists`] if the organization has one of this name.
    pub async fn create_bucket(&self, permit: Permit<CreateBucket>) -> Done<Bucket> {
        let session = Session::open(&self.shared, permit).await?;
        session.create_bucket().await
    }

    /// Finds a bucket.
    pub async fn head_bucket(&self, permit: Permit<HeadBucket>) -> Done<Bucket> {
        let session = Session::open(&self.shared, permit).await?;
        session.head_bucket().await
    }

    /// Deletes a bucket that holds no objects. Uploads in progress are given up with it.
    pub async fn delete_bucket(&self, permit: Permit<DeleteBucket>) -> Done<()> {
        let session = Session::open(&self.shared, permit).await?;
        session.delete_bucket().await
    }

    /// Writes an object. It becomes visible as a whole, once its bytes are durable and are those
    /// that the client meant; otherwise what was there before stands.
    pub async fn put(
        &self,
        permit: Permit<PutObject>,
        allowance: Allowance,
        request: PutRequest,
        body: Incoming,
    ) -> Done<Written> {
        let session = Session::open(&self.shared, permit).await?;
        session.put(&allowance, request, body).await
    }

    /// Finds an object; never touches its blobs.
    pub async fn head(&self, permit: Permit<GetObject>, request: ReadRequest) -> Done<Selection> {
        let session = Session::open(&self.shared, permit).await?;
        session.head(&request).await
    }

    /// Reads an object, a range or a part of it. The first bytes are verified when it returns.
    ///
    /// The receipt counts the bytes that the answer will hold; a reader that is dropped early
    /// knows how many it [delivered](ObjectReader::delivered).
    pub async fn get(
        &self,
        permit: Permit<GetObject>,
        request: ReadRequest,
    ) -> Done<(Selection, ObjectReader)> {
        let session = Session::open(&self.shared, permit).await?;
        session.get(&request).await
    }

    /// Deletes an object. Succeeds when there is none, whatever the conditions: as in Amazon's
    /// API, a deletion states what shall not be there.
    pub async fn delete(
        &self,
        permit: Permit<DeleteObject>,
        allowance: Allowance,
        conditions: DeleteConditions,
    ) -> Done<()> {
        let session = Session::open(&self.shared, permit).await?;
        session.delete(&allowance, &conditions).await
    }

    /// Copies an object inside the organization, by reference to the same blobs.
    ///
    /// Since no byte is read, the copy of an object that was completed from parts keeps its parts
    /// and its ETag with `-N`, where Amazon computes that of one whole.
    pub async fn copy(
        &self,
        source: Permit<GetObject>,
        permit: Permit<PutObject>,
        allowance: Allowance,
        request: CopyRequest,
    ) -> Done<Written> {
        let source = Session::open(&self.shared, source).await?;
        let session = Session::open(&self.shared, permit).await?;
        session.copy(source, &allowance, request).await
    }

    /// A page of objects.
    pub async fn list(&self, permit: Permit<ListObjects>, request: ListRequest) -> Done<Listing> {
        let session = Session::open(&self.shared, permit).await?;
        session.list(request).await
    }

    /// Begins a multipart upload.
    pub async fn create_upload(
        &self,
        permit: Permit<CreateUpload>,
        request: NewUpload,
    ) -> Done<UploadInfo> {
        let session = Session::open(&self.shared, permit).await?;
        session.create_upload(request).await
    }

    /// Writes a part; one that was uploaded under the number before is replaced.
    pub async fn put_part(
        &self,
        permit: Permit<PutPart>,
        allowance: Allowance,
        upload: UploadId,
        part: PartNumber,
        body: Incoming,
    ) -> Done<PartInfo> {
        let session = Session::open(&self.shared, permit).await?;
        session.put_part(&allowance, upload, part, body).await
    }

    /// Makes a part of an object or a range of it, by reference to the same blobs.
    #[expect(clippy::too_many_arguments, reason = "as many as the S3 API has")]
    pub async fn copy_part(
        &self,
        source: Permit<GetObject>,
        permit: Permit<PutPart>,
        allowance: Allowance,
        upload: UploadId,
        part: PartNumber,
        range: Option<RangeRequest>,
        conditions: ReadConditions,
    ) -> Done<PartInfo> {
        let source = Session::open(&self.shared, source).await?;
        let session = Session::open(&self.shared, permit).await?;
        session
            .copy_part(source, &allowance, (upload, part), range, &conditions)
            .await
    }

    /// Makes the parts of an upload an object. Asked again for what it has done, it answers the
    /// same again.
    pub async fn complete_upload(
        &self,
        permit: Permit<CompleteUpload>,
        allowance: Allowance,
        request: CompleteRequest,
    ) -> Done<Written> {
        let session = Session::open(&self.shared, permit).await?;
        session.complete_upload(&allowance, &request).await
    }

    /// Gives up an upload and its parts.
    pub async fn abort_upload(
        &self,
        permit: Permit<AbortUpload>,
        allowance: Allowance,
        upload: UploadId,
    ) -> Done<()> {
        let session = Session::open(&self.shared, permit).await?;
        session.abort_upload(&allowance, upload).await
    }

    /// A page of an upload's parts, with numbers above `after`.
    pub async fn list_parts(
        &self,
        permit: Permit<ListParts>,
        upload: UploadId,
        after: Option<PartNumber>,
        max: u32,
    ) -> Done<PartListing> {
        let session = Session::open(&self.shared, permit).await?;
        session.list_parts(upload, after, max).await
    }

    /// A page of uploads in progress.
    pub async fn list_uploads(
        &self,
        permit: Permit<ListUploads>,
        delimiter: Option<String>,
        after: UploadMarker,
        max: u32,
    ) -> Done<UploadListing> {
        let session = Session::open(&self.shared, permit).await?;
        session.list_uploads(delimiter, after, max).await
    }
}

use std::sync::Arc;

use names::{BlobId, BucketId, BucketName, NodeId, ObjectKey, OrgId, PartNumber, UploadId};

use super::commit::{CommitError, commit_one};
use crate::catalog::{
    AuditSegmentRow, BlobRow, BucketRow, CatalogError, Class, Conflict, Content, Effect, Found,
    ListQuery, Listed, Mutation, Page, PartRow, RecordKind, RecordQuery, RecordRow, Stamp, Store,
    Stored, Unverified, UploadRow, UsageDelta, UsageSubjectKind, VersionRow,
};

/// The catalog of one organization, as a permit opened it.
pub struct OrgCatalog {
    pub(super) store: Arc<dyn Store>,
    pub(super) org: OrgId,
}

impl OrgCatalog {
    /// The organization.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// What is known of the organization's rows now: see [`Coherence`](crate::catalog::Coherence).
    pub fn stamp(&self, class: Class) -> Option<Stamp> {
        self.store.coherence().stamp(self.org, class)
    }

    /// Applies one mutation and returns once it is durable. What is for the platform and for
    /// background jobs alone is [`Conflict::Missing`] here.
    pub async fn commit(&self, mutation: Mutation) -> Result<Effect, CommitError> {
        if !mutation.is_open_to_permits() {
            return Err(Conflict::Missing.into());
        }
        commit_one(&*self.store, self.org, mutation).await
    }

    /// A bucket by its name.
    pub async fn bucket(&self, name: &BucketName) -> Found<Unverified<BucketRow>> {
        self.store.bucket(self.org, name).await
    }

    /// Up to `max` buckets with a prefix after a name.
    pub async fn buckets(
        &self,
        prefix: &str,
        after: Option<&str>,
        max: u32,
    ) -> Page<Unverified<BucketRow>> {
        self.store.buckets(self.org, prefix, after, max).await
    }

    /// The current version of a key.
    pub async fn version(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
    ) -> Found<Unverified<VersionRow>> {
        self.store.version(self.org, bucket, key).await
    }

    /// The current version of a key with what it holds.
    pub async fn object(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
    ) -> Found<(Unverified<VersionRow>, Content)> {
        self.store.object(self.org, bucket, key).await
    }

    /// What is known of blobs.
    pub async fn blobs(&self, blobs: &[BlobId]) -> Result<Vec<BlobRow>, CatalogError> {
        self.store.blobs(self.org, blobs).await
    }

    /// A page of objects.
    pub async fn list(
        &self,
        bucket: BucketId,
        query: &ListQuery,
    ) -> Result<Listed<Unverified<VersionRow>>, CatalogError> {
        self.store.list(self.org, bucket, query).await
    }

    /// An upload in progress.
    pub async fn upload(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        upload: UploadId,
    ) -> Found<Unverified<UploadRow>> {
        self.store.upload(self.org, bucket, key, upload).await
    }

    /// A page of uploads.
    pub async fn uploads(
        &self,
        bucket: BucketId,
        query: &ListQuery,
    ) -> Result<Listed<Unverified<UploadRow>>, CatalogError> {
        self.store.uploads(self.org, bucket, query).await
    }

    /// A page of an upload's parts.
    pub async fn parts(
        &self,
        upload: UploadId,
        after: Option<PartNumber>,
        max: u32,
    ) -> Page<Unverified<PartRow>> {
        self.store.parts(self.org, upload, after, max).await
    }

    /// Sums of usage.
    pub async fn usage(
        &self,
        from_ms: u64,
        until_ms: u64,
    ) -> Result<Vec<UsageDelta>, CatalogError> {
        self.store.usage(self.org, from_ms, until_ms).await
    }

    /// Sums of usage by principal or by bucket.
    pub async fn usage_by(
        &self,
        from_ms: u64,
        until_ms: u64,
        subjects: UsageSubjectKind,
    ) -> Result<Vec<UsageDelta>, CatalogError> {
        self.store
            .usage_by(self.org, from_ms, until_ms, subjects)
            .await
    }

    /// A record.
    pub async fn record(&self, kind: RecordKind, id: &[u8; 16]) -> Found<Unverified<RecordRow>> {
        self.store.record(self.org, kind, id).await
    }

    /// A record by its blind name.
    pub async fn record_by_lookup(
        &self,
        kind: RecordKind,
        lookup: &[u8; 32],
    ) -> Found<Unverified<RecordRow>> {
        self.store.record_by_lookup(self.org, kind, lookup).await
    }

    /// A page of records of a kind.
    pub async fn records(
        &self,
        kind: RecordKind,
        query: RecordQuery,
    ) -> Page<Unverified<RecordRow>> {
        self.store.records(self.org, kind, query).await
    }

    /// How many records of a kind there are.
    pub async fn count_records(
        &self,
        kind: RecordKind,
        state: Option<u8>,
    ) -> Result<u64, CatalogError> {
        self.store.count_records(self.org, kind, state).await
    }

    /// What is stored.
    pub async fn stored(&self) -> Result<Stored, CatalogError> {
        self.store.stored(self.org).await
    }

    /// A page of a node's chain of the activity log.
    pub async fn audit_segments(&self, node: NodeId, from: u64, max: u32) -> Page<AuditSegmentRow> {
        self.store.audit_segments(self.org, node, from, max).await
    }

    /// A page of the segments of the activity log that hold events of a time.
    pub async fn audit_segments_between(
        &self,
        from_ms: u64,
        until_ms: u64,
        after: Option<(NodeId, u64)>,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.store
            .audit_segments_between(self.org, from_ms, until_ms, after, max)
            .await
    }

    /// The same, from the last segment to the first.
    pub async fn audit_segments_backwards(
        &self,
        from_ms: u64,
        until_ms: u64,
        before: Option<(NodeId, u64)>,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.store
            .audit_segments_backwards(self.org, from_ms, until_ms, before, max)
            .await
    }

    /// The chains of the activity log.
    pub async fn audit_chains(&self) -> Result<Vec<(NodeId, u64)>, CatalogError> {
        self.store.audit_chains(self.org).await
    }
}

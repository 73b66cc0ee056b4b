use std::sync::Arc;

use names::{BlobId, NodeId, OrgId, UploadId};

use super::commit::{CommitError, commit_one};
use crate::catalog::{
    BlobRow, Bound, BucketRow, CatalogError, Conflict, Effect, Found, Mutation, NamesKey,
    OrganizationRow, Page, RecordKind, RecordQuery, RecordRow, Recount, Store, Stored, TagCursor,
    TaggedRow, Unverified, UploadRow, UsageDelta, UsageSubjectKind,
};

/// The right to open the catalog for background jobs. Only `ops` holds it.
#[derive(Clone)]
pub struct Jobs {
    pub(super) store: Arc<dyn Store>,
}

/// The catalog of one organization, as a named background job opened it.
#[derive(Clone)]
pub struct JobCatalog {
    store: Arc<dyn Store>,
    org: OrgId,
    job: &'static str,
}

impl Jobs {
    /// Opens an organization for the background job that is named.
    pub fn open(&self, org: OrgId, job: &'static str) -> JobCatalog {
        JobCatalog {
            store: Arc::clone(&self.store),
            org,
            job,
        }
    }

    /// Takes or renews the lock of a job.
    pub async fn lease(
        &self,
        job: &str,
        holder: NodeId,
        seconds: u32,
    ) -> Result<Option<u64>, CatalogError> {
        self.store.lease(job, holder, seconds).await
    }

    /// Gives the lock of a job back.
    pub async fn release(&self, job: &str, holder: NodeId) -> Result<(), CatalogError> {
        self.store.release(job, holder).await
    }

    /// Claims that have not been forgotten.
    pub async fn claims(&self, max: u32) -> Page<(OrgId, BlobId)> {
        self.store.claims(max).await
    }

    /// Records of a kind that have expired, of all organizations.
    pub async fn expired_records(
        &self,
        kind: RecordKind,
        now_ms: u64,
        max: u32,
    ) -> Page<Unverified<RecordRow>> {
        self.store.expired_records(kind, now_ms, max).await
    }

    /// Uploads that nobody has gone on with since a time, of all organizations.
    pub async fn idle_uploads(
        &self,
        idle_since_ms: u64,
        after: Option<(u64, OrgId, UploadId)>,
        max: u32,
    ) -> Page<Unverified<UploadRow>> {
        self.store.idle_uploads(idle_since_ms, after, max).await
    }

    /// The organizations whose grace period before deletion has ended, and those whose destruction
    /// has not come to its end.
    pub async fn organizations_due_for_destruction(
        &self,
        now_ms: u64,
        max: u32,
    ) -> Page<Unverified<OrganizationRow>> {
        self.store
            .organizations_due_for_destruction(now_ms, max)
            .await
    }

    /// The organizations with garbage that is due.
    pub async fn orgs_with_trash(&self, now_ms: u64, max: u32) -> Page<OrgId> {
        self.store.orgs_with_trash(now_ms, max).await
    }

    /// The nodes that are alive.
    pub async fn nodes(&self, seconds: u32) -> Result<Vec<(NodeId, u64)>, CatalogError> {
        self.store.nodes(seconds).await
    }

    /// Makes deleted rows vanish from pages and log.
    pub async fn scrub(&self) -> Result<(), CatalogError> {
        self.store.scrub().await
    }
}

impl JobCatalog {
    /// The organization.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// The job.
    pub fn job(&self) -> &'static str {
        self.job
    }

    /// Applies one mutation.
    pub async fn commit(&self, mutation: Mutation) -> Result<Effect, CommitError> {
        commit_one(&*self.store, self.org, mutation).await
    }

    /// Applies mutations together. Each is judged by itself.
    pub async fn commit_all(
        &self,
        mutations: Vec<Mutation>,
    ) -> Result<Vec<Result<Effect, Conflict>>, CatalogError> {
        let org = self.org;
        let bind = |mutation| Bound { org, mutation };
        self.store
            .commit(mutations.into_iter().map(bind).collect())
            .await
    }

    /// Things that name a key version.
    pub async fn named_by_key(&self, version: u32, max: u32) -> Page<NamesKey> {
        self.store.named_by_key(self.org, version, max).await
    }

    /// Every authenticated row, a page at a time.
    pub async fn tags(
        &self,
        after: Option<TagCursor>,
        max: u32,
    ) -> Result<(Vec<TaggedRow>, Option<TagCursor>), CatalogError> {
        self.store.tags(self.org, after, max).await
    }

    /// A page of buckets, by name.
    pub async fn buckets(&self, after: Option<&str>, max: u32) -> Page<Unverified<BucketRow>> {
        self.store.buckets(self.org, "", after, max).await
    }

    /// What is known of blobs.
    pub async fn blobs(&self, blobs: &[BlobId]) -> Result<Vec<BlobRow>, CatalogError> {
        self.store.blobs(self.org, blobs).await
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

    /// What is stored, counted in every way there is.
    pub async fn recount(&self) -> Result<Recount, CatalogError> {
        self.store.recount(self.org).await
    }
}

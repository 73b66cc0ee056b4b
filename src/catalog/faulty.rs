use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use names::{
    AccountId, BlobId, BucketId, BucketName, NodeId, ObjectKey, OrgId, PartNumber, RootId, Slug,
    UploadId,
};

use super::census::{CensusTaker, FoldedChanges, LogBase};
use super::change::Change;
use super::coherence::Coherence;
use super::mutation::{Bound, Conflict, Effect, UsageDelta, UsageSubjectKind};
use super::record::{RecordKind, RecordQuery, RecordRow};
use super::row::Unverified;
use super::rows::{
    AuditSegmentRow, BlobRow, BucketRow, Content, CredentialRow, NameKeyRow, OrgKeyRow,
    OrganizationRow, PartRow, UploadRow, VersionRow,
};
use super::store::{
    CatalogError, CredentialQuery, Found, ListQuery, Listed, NamesKey, Page, Recount, Store,
    Stored, TagCursor, TaggedRow,
};

/// A store that counts its calls and fails on command, in front of a real one; for tests.
#[doc(hidden)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    plan: Mutex<Plan>,
}

/// How a faulty store fails.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// As on ENOSPC.
    Full,
    /// As when the database does not answer; nothing was done.
    Unavailable,
    /// As when the answer is lost: it was done, and its caller does not know.
    Unanswered,
}

/// How often each method was called since the store was made, by its name.
#[doc(hidden)]
pub type Calls = BTreeMap<&'static str, u64>;

#[derive(Default)]
struct Plan {
    calls: Calls,
    /// How many more commits succeed, and what the ones after them meet.
    commits: Option<(u64, Fault)>,
    reads: Option<(u64, Fault)>,
    /// Whether a call has met a fault since there were none.
    has_failed: bool,
}

impl FaultyStore {
    /// Puts a store in front of `inner` that does not fail yet.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            plan: Mutex::default(),
        }
    }

    /// Lets `count` more commits succeed (other writes count as commits) and fails all that
    /// follow until [`heal`](Self::heal).
    pub fn fail_commits_after(&self, count: u64, fault: Fault) {
        self.plan().commits = Some((count, fault));
    }

    /// The same for reads.
    pub fn fail_reads_after(&self, count: u64, fault: Fault) {
        self.plan().reads = Some((count, fault));
    }

    /// Ends all faults, and says whether a call has met one.
    pub fn heal(&self) -> bool {
        let mut plan = self.plan();
        (plan.commits, plan.reads) = (None, None);
        std::mem::take(&mut plan.has_failed)
    }

    /// The calls so far.
    pub fn calls(&self) -> Calls {
        self.plan().calls.clone()
    }

    fn reading(&self, method: &'static str) -> Result<(), CatalogError> {
        let mut plan = self.plan();
        let fault = plan.read_step(method);
        fault.map_or(Ok(()), |fault| Err(error(fault)))
    }

    async fn writing<T>(
        &self,
        method: &'static str,
        work: impl Future<Output = Result<T, CatalogError>> + Send,
    ) -> Result<T, CatalogError> {
        let fault = self.plan().commit_step(method);
        match fault {
            None => work.await,
            Some(Fault::Unanswered) => {
                work.await?;
                Err(error(Fault::Unanswered))
            }
            Some(fault) => Err(error(fault)),
        }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn commit(
        &self,
        mutations: Vec<Bound>,
    ) -> Result<Vec<Result<Effect, Conflict>>, CatalogError> {
        self.writing("commit", self.inner.commit(mutations)).await
    }

    async fn bucket(&self, org: OrgId, name: &BucketName) -> Found<Unverified<BucketRow>> {
        self.reading("bucket")?;
        self.inner.bucket(org, name).await
    }

    async fn buckets(
        &self,
        org: OrgId,
        prefix: &str,
        after: Option<&str>,
        max: u32,
    ) -> Page<Unverified<BucketRow>> {
        self.reading("buckets")?;
        self.inner.buckets(org, prefix, after, max).await
    }

    async fn version(
        &self,
        org: OrgId,
        bucket: BucketId,
        key: &ObjectKey,
    ) -> Found<Unverified<VersionRow>> {
        self.reading("version")?;
        self.inner.version(org, bucket, key).await
    }

    async fn object(
        &self,
        org: OrgId,
        bucket: BucketId,
        key: &ObjectKey,
    ) -> Found<(Unverified<VersionRow>, Content)> {
        self.reading("object")?;
        self.inner.object(org, bucket, key).await
    }

    async fn blobs(&self, org: OrgId, blobs: &[BlobId]) -> Result<Vec<BlobRow>, CatalogError> {
        self.reading("blobs")?;
        self.inner.blobs(org, blobs).await
    }

    async fn list(
        &self,
        org: OrgId,
        bucket: BucketId,
        query: &ListQuery,
    ) -> Result<Listed<Unverified<VersionRow>>, CatalogError> {
        self.reading("list")?;
        self.inner.list(org, bucket, query).await
    }

    async fn upload(
        &self,
        org: OrgId,
        bucket: BucketId,
        key: &ObjectKey,
        upload: UploadId,
    ) -> Found<Unverified<UploadRow>> {
        self.reading("upload")?;
        self.inner.upload(org, bucket, key, upload).await
    }

    async fn uploads(
        &self,
        org: OrgId,
        bucket: BucketId,
        query: &ListQuery,
    ) -> Result<Listed<Unverified<UploadRow>>, CatalogError> {
        self.reading("uploads")?;
        self.inner.uploads(org, bucket, query).await
    }

    async fn parts(
        &self,
        org: OrgId,
        upload: UploadId,
        after: Option<PartNumber>,
        max: u32,
    ) -> Page<Unverified<PartRow>> {
        self.reading("parts")?;
        self.inner.parts(org, upload, after, max).await
    }

    async fn record(
        &self,
        org: OrgId,
        kind: RecordKind,
        id: &[u8; 16],
    ) -> Found<Unverified<RecordRow>> {
        self.reading("record")?;
        self.inner.record(org, kind, id).await
    }

    async fn record_by_lookup(
        &self,
        org: OrgId,
        kind: RecordKind,
        lookup: &[u8; 32],
    ) -> Found<Unverified<RecordRow>> {
        self.reading("record_by_lookup")?;
        self.inner.record_by_lookup(org, kind, lookup).await
    }

    async fn records(
        &self,
        org: OrgId,
        kind: RecordKind,
        query: RecordQuery,
    ) -> Page<Unverified<RecordRow>> {
        self.reading("records")?;
        self.inner.records(org, kind, query).await
    }

    async fn count_records(
        &self,
        org: OrgId,
        kind: RecordKind,
        state: Option<u8>,
    ) -> Result<u64, CatalogError> {
        self.reading("count_records")?;
        self.inner.count_records(org, kind, state).await
    }

    async fn seats(
        &self,
        account: AccountId,
        after: Option<OrgId>,
        max: u32,
    ) -> Page<Unverified<RecordRow>> {
        self.reading("seats")?;
        self.inner.seats(account, after, max).await
    }

    async fn usage(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
    ) -> Result<Vec<UsageDelta>, CatalogError> {
        self.reading("usage")?;
        self.inner.usage(org, from_ms, until_ms).await
    }

    async fn usage_by(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
        subjects: UsageSubjectKind,
    ) -> Result<Vec<UsageDelta>, CatalogError> {
        self.reading("usage_by")?;
        self.inner.usage_by(org, from_ms, until_ms, subjects).await
    }

    async fn stored(&self, org: OrgId) -> Result<Stored, CatalogError> {
        self.reading("stored")?;
        self.inner.stored(org).await
    }

    async fn recount(&self, org: OrgId) -> Result<Recount, CatalogError> {
        self.reading("recount")?;
        self.inner.recount(org).await
    }

    async fn audit_segments(
        &self,
        org: OrgId,
        node: NodeId,
        from: u64,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.reading("audit_segments")?;
        self.inner.audit_segments(org, node, from, max).await
    }

    async fn audit_segments_between(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
        after: Option<(NodeId, u64)>,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.reading("audit_segments_between")?;
        self.inner
            .audit_segments_between(org, from_ms, until_ms, after, max)
            .await
    }

    async fn audit_segments_backwards(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
        before: Option<(NodeId, u64)>,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.reading("audit_segments_backwards")?;
        self.inner
            .audit_segments_backwards(org, from_ms, until_ms, before, max)
            .await
    }

    async fn audit_chains(&self, org: OrgId) -> Result<Vec<(NodeId, u64)>, CatalogError> {
        self.reading("audit_chains")?;
        self.inner.audit_chains(org).await
    }

    async fn organization(&self, org: OrgId) -> Found<Unverified<OrganizationRow>> {
        self.reading("organization")?;
        self.inner.organization(org).await
    }

    async fn organization_by_slug(&self, slug: &Slug) -> Found<Unverified<OrganizationRow>> {
        self.reading("organization_by_slug")?;
        self.inner.organization_by_slug(slug).await
    }

    async fn organizations(
        &self,
        after: Option<OrgId>,
        max: u32,
    ) -> Page<Unverified<OrganizationRow>> {
        self.reading("organizations")?;
        self.inner.organizations(after, max).await
    }

    async fn org_keys(&self, org: OrgId) -> Page<Unverified<OrgKeyRow>> {
        self.reading("org_keys")?;
        self.inner.org_keys(org).await
    }

    async fn org_keys_wrapped_before(
        &self,
        root: RootId,
        root_version: u32,
        max: u32,
    ) -> Page<Unverified<OrgKeyRow>> {
        self.reading("org_keys_wrapped_before")?;
        self.inner
            .org_keys_wrapped_before(root, root_version, max)
            .await
    }

    async fn name_key(&self, org: OrgId) -> Found<NameKeyRow> {
        self.reading("name_key")?;
        self.inner.name_key(org).await
    }

    async fn credential(&self, lookup: &[u8; 32]) -> Found<Unverified<CredentialRow>> {
        self.reading("credential")?;
        self.inner.credential(lookup).await
    }

    async fn credentials(
        &self,
        org: OrgId,
        query: CredentialQuery,
    ) -> Page<Unverified<CredentialRow>> {
        self.reading("credentials")?;
        self.inner.credentials(org, query).await
    }

    async fn credential_uses(
        &self,
        org: OrgId,
        lookups: &[[u8; 32]],
    ) -> Result<Vec<([u8; 32], u64)>, CatalogError> {
        self.reading("credential_uses")?;
        self.inner.credential_uses(org, lookups).await
    }

    async fn changes_since(&self, seq: u64, max: u32) -> Page<Change> {
        self.reading("changes_since")?;
        self.inner.changes_since(seq, max).await
    }

    async fn last_change(&self) -> Result<(u64, [u8; 32]), CatalogError> {
        self.reading("last_change")?;
        self.inner.last_change().await
    }

    async fn log_base(&self) -> Result<LogBase, CatalogError> {
        self.reading("log_base")?;
        self.inner.log_base().await
    }

    async fn folded_changes(&self, orgs: &[OrgId]) -> Page<FoldedChanges> {
        self.reading("folded_changes")?;
        self.inner.folded_changes(orgs).await
    }

    async fn census(&self, take: CensusTaker) -> Result<(), CatalogError> {
        self.reading("census")?;
        self.inner.census(take).await
    }

    async fn named_by_key(&self, org: OrgId, version: u32, max: u32) -> Page<NamesKey> {
        self.reading("named_by_key")?;
        self.inner.named_by_key(org, version, max).await
    }

    async fn claims(&self, max: u32) -> Page<(OrgId, BlobId)> {
        self.reading("claims")?;
        self.inner.claims(max).await
    }

    async fn expired_records(
        &self,
        kind: RecordKind,
        now_ms: u64,
        max: u32,
    ) -> Page<Unverified<RecordRow>> {
        self.reading("expired_records")?;
        self.inner.expired_records(kind, now_ms, max).await
    }

    async fn idle_uploads(
        &self,
        idle_since_ms: u64,
        after: Option<(u64, OrgId, UploadId)>,
        max: u32,
    ) -> Page<Unverified<UploadRow>> {
        self.reading("idle_uploads")?;
        self.inner.idle_uploads(idle_since_ms, after, max).await
    }

    async fn organizations_due_for_destruction(
        &self,
        now_ms: u64,
        max: u32,
    ) -> Page<Unverified<OrganizationRow>> {
        self.reading("organizations_due_for_destruction")?;
        self.inner
            .organizations_due_for_destruction(now_ms, max)
            .await
    }

    async fn orgs_with_trash(&self, now_ms: u64, max: u32) -> Page<OrgId> {
        self.reading("orgs_with_trash")?;
        self.inner.orgs_with_trash(now_ms, max).await
    }

    async fn tags(
        &self,
        org: OrgId,
        after: Option<TagCursor>,
        max: u32,
    ) -> Result<(Vec<TaggedRow>, Option<TagCursor>), CatalogError> {
        self.reading("tags")?;
        self.inner.tags(org, after, max).await
    }

    async fn lease(
        &self,
        job: &str,
        holder: NodeId,
        seconds: u32,
    ) -> Result<Option<u64>, CatalogError> {
        self.writing("lease", self.inner.lease(job, holder, seconds))
            .await
    }

    async fn release(&self, job: &str, holder: NodeId) -> Result<(), CatalogError> {
        self.writing("release", self.inner.release(job, holder))
            .await
    }

    async fn node_seen(&self, node: NodeId, seen_seq: u64) -> Result<(), CatalogError> {
        self.writing("node_seen", self.inner.node_seen(node, seen_seq))
            .await
    }

    async fn nodes(&self, seconds: u32) -> Result<Vec<(NodeId, u64)>, CatalogError> {
        self.reading("nodes")?;
        self.inner.nodes(seconds).await
    }

    async fn node_gone(&self, node: NodeId) -> Result<(), CatalogError> {
        self.writing("node_gone", self.inner.node_gone(node)).await
    }

    async fn scrub(&self) -> Result<(), CatalogError> {
        self.writing("scrub", self.inner.scrub()).await
    }

    fn coherence(&self) -> &Coherence {
        self.inner.coherence()
    }

    async fn poll(&self) -> Result<(), CatalogError> {
        self.reading("poll")?;
        self.inner.poll().await
    }

    async fn stopped(&self) -> CatalogError {
        self.inner.stopped().await
    }

    async fn ready(&self) -> Result<(), CatalogError> {
        self.writing("ready", self.inner.ready()).await
    }
}

impl Plan {
    fn commit_step(&mut self, method: &'static str) -> Option<Fault> {
        *self.calls.entry(method).or_default() += 1;
        take_step(&mut self.commits, &mut self.has_failed)
    }

    fn read_step(&mut self, method: &'static str) -> Option<Fault> {
        *self.calls.entry(method).or_default() += 1;
        take_step(&mut self.reads, &mut self.has_failed)
    }
}

/// Counts a step down; the fault once there are none left.
fn take_step(steps: &mut Option<(u64, Fault)>, has_failed: &mut bool) -> Option<Fault> {
    let (left, fault) = steps.as_mut()?;
    match left.checked_sub(1) {
        Some(less) => {
            *left = less;
            None
        }
        None => {
            *has_failed = true;
            Some(*fault)
        }
    }
}

fn error(fault: Fault) -> CatalogError {
    match fault {
        Fault::Full => CatalogError::Full,
        Fault::Unavailable | Fault::Unanswered => {
            CatalogError::Unavailable("by a fault of a test".to_owned())
        }
    }
}

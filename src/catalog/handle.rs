use std::sync::Arc;
use std::time::Duration;

use names::{
    AccountId, BlobId, BucketId, BucketName, NodeId, ObjectKey, OrgId, PartNumber, RootId, Slug,
    UploadId,
};

use super::change::Change;
use super::coherence::{Class, Stamp};
use super::mutation::{Bound, Conflict, Effect, Mutation, UsageDelta, UsageSubjectKind};
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
use crate::authz::{Action, Permit};

/// The catalog as the domain modules hold it: a door that opens only to a permit.
#[derive(Clone)]
pub struct Catalog {
    store: Arc<dyn Store>,
}

/// The catalog of one organization, as a permit opened it.
pub struct OrgCatalog {
    store: Arc<dyn Store>,
    org: OrgId,
}

/// The catalog beyond organizations: credentials, wrapped keys, states. `authn`, `tenancy`,
/// `keyring` and, for the platform's log, `audit` hold it.
#[derive(Clone)]
pub struct PlatformCatalog {
    store: Arc<dyn Store>,
}

/// The right to open the catalog for background jobs. Only `ops` holds it.
#[derive(Clone)]
pub struct Jobs {
    store: Arc<dyn Store>,
}

/// The catalog of one organization, as a named background job opened it.
#[derive(Clone)]
pub struct JobCatalog {
    store: Arc<dyn Store>,
    org: OrgId,
    job: &'static str,
}

/// Why a mutation did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// A precondition did not hold.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The catalog failed.
    #[error(transparent)]
    Store(#[from] CatalogError),
}

/// Opens the three doors of a store. The composition root calls this once and hands each door to
/// whom it belongs; nothing else opens a catalog.
pub fn doors(store: Arc<dyn Store>) -> (Catalog, PlatformCatalog, Jobs) {
    (
        Catalog {
            store: Arc::clone(&store),
        },
        PlatformCatalog {
            store: Arc::clone(&store),
        },
        Jobs { store },
    )
}

impl Catalog {
    /// Opens the organization that `permit` is for.
    pub fn open<A: Action>(&self, permit: &Permit<A>) -> OrgCatalog {
        OrgCatalog {
            store: Arc::clone(&self.store),
            org: permit.org(),
        }
    }
}

impl OrgCatalog {
    /// The organization.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// What is known of the organization's rows now: see [`Coherence`].
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

    /// Applies mutations, each judged by itself, and returns once they are durable. If one of
    /// them is not for this handle, none is applied.
    pub async fn commit_all(
        &self,
        mutations: Vec<Mutation>,
    ) -> Result<Vec<Result<Effect, Conflict>>, CatalogError> {
        if !mutations.iter().all(Mutation::is_open_to_permits) {
            return Ok(mutations.iter().map(|_| Err(Conflict::Missing)).collect());
        }
        let org = self.org;
        let bound = mutations
            .into_iter()
            .map(|mutation| Bound { org, mutation })
            .collect();
        self.store.commit(bound).await
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

impl PlatformCatalog {
    /// What is known of an organization's rows now: see [`Coherence`].
    pub fn stamp(&self, org: OrgId, class: Class) -> Option<Stamp> {
        self.store.coherence().stamp(org, class)
    }

    /// Follows what other processes change, until `stop` is done. After each poll `tend` drops
    /// what caches must not keep any longer; only then does this process, as `node`, state what it
    /// has seen, so that whoever destroyed a key can wait for it.
    pub async fn follow<Tended: Future<Output = ()> + Send>(
        &self,
        node: NodeId,
        tend: impl Fn() -> Tended + Send + Sync,
        stop: impl Future<Output = ()> + Send,
    ) {
        let work = async {
            let mut stated = Stated::default();
            loop {
                if let Err(error) = self.poll(node, &tend, &mut stated).await {
                    tracing::error!(%error, "changes in the catalog cannot be followed");
                    // Caches keep nothing that they cannot check.
                    tend().await;
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = stop => {}
        }
        if let Err(error) = self.store.node_gone(node).await {
            tracing::warn!(%error, "this node counts as alive until its time runs out");
        }
    }

    async fn poll<Tended: Future<Output = ()> + Send>(
        &self,
        node: NodeId,
        tend: &(impl Fn() -> Tended + Send + Sync),
        stated: &mut Stated,
    ) -> Result<(), CatalogError> {
        // What was committed before the poll has been counted by it.
        let (seq, _) = self.store.last_change().await?;
        self.store.poll().await?;
        tend().await;
        if stated.is_due(seq) {
            self.store.node_seen(node, seq).await?;
            *stated = Stated {
                seq: Some(seq),
                polls_since: 0,
            };
        }
        Ok(())
    }

    /// Applies one mutation in an organization, or in organization 0.
    pub async fn commit(&self, org: OrgId, mutation: Mutation) -> Result<Effect, CommitError> {
        commit_one(&*self.store, org, mutation).await
    }

    /// An organization by its identifier.
    pub async fn organization(&self, org: OrgId) -> Found<Unverified<OrganizationRow>> {
        self.store.organization(org).await
    }

    /// An organization by its slug.
    pub async fn organization_by_slug(&self, slug: &Slug) -> Found<Unverified<OrganizationRow>> {
        self.store.organization_by_slug(slug).await
    }

    /// A page of organizations.
    pub async fn organizations(
        &self,
        after: Option<OrgId>,
        max: u32,
    ) -> Page<Unverified<OrganizationRow>> {
        self.store.organizations(after, max).await
    }

    /// All versions of an organization's key.
    pub async fn org_keys(&self, org: OrgId) -> Page<Unverified<OrgKeyRow>> {
        self.store.org_keys(org).await
    }

    /// Wrapped keys that an older root version wraps.
    pub async fn org_keys_wrapped_before(
        &self,
        root: RootId,
        root_version: u32,
        max: u32,
    ) -> Page<Unverified<OrgKeyRow>> {
        self.store
            .org_keys_wrapped_before(root, root_version, max)
            .await
    }

    /// An organization's name key.
    pub async fn name_key(&self, org: OrgId) -> Found<NameKeyRow> {
        self.store.name_key(org).await
    }

    /// A credential by its blind name.
    pub async fn credential(&self, lookup: &[u8; 32]) -> Found<Unverified<CredentialRow>> {
        self.store.credential(lookup).await
    }

    /// A page of an organization's credentials.
    pub async fn credentials(
        &self,
        org: OrgId,
        query: CredentialQuery,
    ) -> Page<Unverified<CredentialRow>> {
        self.store.credentials(org, query).await
    }

    /// When credentials of an organization were last used, as far as it was noted.
    pub async fn credential_uses(
        &self,
        org: OrgId,
        lookups: &[[u8; 32]],
    ) -> Result<Vec<([u8; 32], u64)>, CatalogError> {
        self.store.credential_uses(org, lookups).await
    }

    /// A record of an organization, or of organization 0.
    pub async fn record(
        &self,
        org: OrgId,
        kind: RecordKind,
        id: &[u8; 16],
    ) -> Found<Unverified<RecordRow>> {
        self.store.record(org, kind, id).await
    }

    /// A record by its blind name.
    pub async fn record_by_lookup(
        &self,
        org: OrgId,
        kind: RecordKind,
        lookup: &[u8; 32],
    ) -> Found<Unverified<RecordRow>> {
        self.store.record_by_lookup(org, kind, lookup).await
    }

    /// A page of records of a kind.
    pub async fn records(
        &self,
        org: OrgId,
        kind: RecordKind,
        query: RecordQuery,
    ) -> Page<Unverified<RecordRow>> {
        self.store.records(org, kind, query).await
    }

    /// How many records of a kind there are.
    pub async fn count_records(
        &self,
        org: OrgId,
        kind: RecordKind,
        state: Option<u8>,
    ) -> Result<u64, CatalogError> {
        self.store.count_records(org, kind, state).await
    }

    /// The members that an account is, in all organizations: at most one page of them.
    pub async fn seats(
        &self,
        account: AccountId,
        after: Option<OrgId>,
        max: u32,
    ) -> Page<Unverified<RecordRow>> {
        self.store.seats(account, after, max).await
    }

    /// What an organization stores.
    pub async fn stored(&self, org: OrgId) -> Result<Stored, CatalogError> {
        self.store.stored(org).await
    }

    /// Changes that caches have to follow.
    pub async fn changes_since(&self, seq: u64, max: u32) -> Page<Change> {
        self.store.changes_since(seq, max).await
    }

    /// The last change and the head of the chain.
    pub async fn last_change(&self) -> Result<(u64, [u8; 32]), CatalogError> {
        self.store.last_change().await
    }

    /// A page of a node's chain of the platform's log.
    pub async fn audit_segments(
        &self,
        org: OrgId,
        node: NodeId,
        from: u64,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.store.audit_segments(org, node, from, max).await
    }

    /// A page of the segments of the platform's log that hold events of a time.
    pub async fn audit_segments_between(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
        after: Option<(NodeId, u64)>,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.store
            .audit_segments_between(org, from_ms, until_ms, after, max)
            .await
    }

    /// The same, from the last segment to the first.
    pub async fn audit_segments_backwards(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
        before: Option<(NodeId, u64)>,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.store
            .audit_segments_backwards(org, from_ms, until_ms, before, max)
            .await
    }

    /// The chains of a log.
    pub async fn audit_chains(&self, org: OrgId) -> Result<Vec<(NodeId, u64)>, CatalogError> {
        self.store.audit_chains(org).await
    }

    /// States that this node has seen every change up to `seen_seq`.
    pub async fn node_seen(&self, node: NodeId, seen_seq: u64) -> Result<(), CatalogError> {
        self.store.node_seen(node, seen_seq).await
    }

    /// States that this node stops.
    pub async fn node_gone(&self, node: NodeId) -> Result<(), CatalogError> {
        self.store.node_gone(node).await
    }

    /// Returns when the catalog has stopped for good, and why. The process has to end then.
    pub async fn stopped(&self) -> CatalogError {
        self.store.stopped().await
    }

    /// Whether the catalog takes commits.
    pub async fn ready(&self) -> Result<(), CatalogError> {
        self.store.ready().await
    }
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

    /// The organizations whose grace period before deletion has ended.
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

/// What a node has stated to have seen. A statement is a commit, so it is not made with every poll.
#[derive(Default)]
struct Stated {
    seq: Option<u64>,
    polls_since: u32,
}

impl Stated {
    /// Soon when there is news, now and then when there is none.
    fn is_due(&mut self, seq: u64) -> bool {
        self.polls_since = self.polls_since.saturating_add(1);
        let after = match self.seq {
            None => 0,
            Some(stated) if stated == seq => POLLS_PER_SIGN_OF_LIFE,
            Some(_) => POLLS_PER_NEWS,
        };
        self.polls_since >= after
    }
}

/// After how long without a sign of life a node counts as dead. By then it trusts nothing that its
/// caches hold: see [`STALE_AFTER`](super::STALE_AFTER).
pub const NODE_ALIVE_SECONDS: u32 = 10;

/// How often a node looks for what others changed.
pub const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// A second.
const POLLS_PER_NEWS: u32 = 4;
/// Three seconds.
const POLLS_PER_SIGN_OF_LIFE: u32 = 12;

async fn commit_one(
    store: &dyn Store,
    org: OrgId,
    mutation: Mutation,
) -> Result<Effect, CommitError> {
    let mut outcomes = store.commit(vec![Bound { org, mutation }]).await?;
    match outcomes.pop() {
        Some(outcome) => Ok(outcome?),
        None => Err(CommitError::Store(CatalogError::Damaged(
            "a commit returned no outcome".to_owned(),
        ))),
    }
}

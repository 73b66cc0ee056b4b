use std::fmt;

use async_trait::async_trait;
use names::{
    AccountId, BlobId, BucketId, BucketName, KeyPrefix, NodeId, ObjectKey, OrgId, PartNumber,
    PrincipalId, Slug, UploadId, VersionId,
};

use super::census::{CensusTaker, FoldedChanges, LogBase};
use super::change::Change;
use super::coherence::Coherence;
use super::mutation::{Bound, Conflict, Effect, UsageDelta, UsageSubjectKind};
use super::record::{RecordKind, RecordQuery, RecordRow};
use super::row::Unverified;
use super::rows::{
    AuditSegmentRow, BlobRow, BucketRow, Content, CredentialKind, CredentialRow, NameKeyRow,
    OrgKeyRow, OrganizationRow, PartRow, UploadRow, VersionRow,
};

/// What went wrong with the catalog itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CatalogError {
    /// The disk or quota is full. Nothing of the group was committed.
    #[error("the catalog's disk is full")]
    Full,
    /// The database does not answer, or the catalog has stopped after a failed sync.
    #[error("the catalog is unavailable: {0}")]
    Unavailable(String),
    /// What the database returned does not fit the schema.
    #[error("the catalog is damaged: {0}")]
    Damaged(String),
}

/// The catalog's storage: reads, and one way to write.
///
/// One conformance suite (`conformance`) holds for every implementation. Every method
/// takes the organization first; the handles in [`super::handle`] bind it, and nothing outside
/// `catalog` calls a store directly.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Applies mutations and returns an outcome for each, in order, once they are durable. What
    /// waits from other callers is committed together.
    async fn commit(
        &self,
        mutations: Vec<Bound>,
    ) -> Result<Vec<Result<Effect, Conflict>>, CatalogError>;

    /// A bucket by its name.
    async fn bucket(&self, org: OrgId, name: &BucketName) -> Found<Unverified<BucketRow>>;
    /// Up to `max` buckets whose names begin with `prefix` and come after `after`, by name.
    async fn buckets(
        &self,
        org: OrgId,
        prefix: &str,
        after: Option<&str>,
        max: u32,
    ) -> Page<Unverified<BucketRow>>;

    /// The current version of a key.
    async fn version(
        &self,
        org: OrgId,
        bucket: BucketId,
        key: &ObjectKey,
    ) -> Found<Unverified<VersionRow>>;
    /// The current version of a key with what it holds, read in one snapshot. The content of a
    /// version that lacks one is [`CatalogError::Damaged`].
    async fn object(
        &self,
        org: OrgId,
        bucket: BucketId,
        key: &ObjectKey,
    ) -> Found<(Unverified<VersionRow>, Content)>;
    /// The blobs that are known among those asked for, in any order.
    async fn blobs(&self, org: OrgId, blobs: &[BlobId]) -> Result<Vec<BlobRow>, CatalogError>;
    /// A page of current versions in bytewise order of their keys. Common prefixes are found by
    /// seeking past them, never by grouping.
    async fn list(
        &self,
        org: OrgId,
        bucket: BucketId,
        query: &ListQuery,
    ) -> Result<Listed<Unverified<VersionRow>>, CatalogError>;

    /// An upload in progress.
    async fn upload(
        &self,
        org: OrgId,
        bucket: BucketId,
        key: &ObjectKey,
        upload: UploadId,
    ) -> Found<Unverified<UploadRow>>;
    /// A page of uploads by key, then by upload.
    async fn uploads(
        &self,
        org: OrgId,
        bucket: BucketId,
        query: &ListQuery,
    ) -> Result<Listed<Unverified<UploadRow>>, CatalogError>;
    /// Up to `max` parts of an upload with numbers above `after`.
    async fn parts(
        &self,
        org: OrgId,
        upload: UploadId,
        after: Option<PartNumber>,
        max: u32,
    ) -> Page<Unverified<PartRow>>;

    /// A record.
    async fn record(
        &self,
        org: OrgId,
        kind: RecordKind,
        id: &[u8; 16],
    ) -> Found<Unverified<RecordRow>>;
    /// A record by its blind name.
    async fn record_by_lookup(
        &self,
        org: OrgId,
        kind: RecordKind,
        lookup: &[u8; 32],
    ) -> Found<Unverified<RecordRow>>;
    /// A page of records of a kind, by id.
    async fn records(
        &self,
        org: OrgId,
        kind: RecordKind,
        query: RecordQuery,
    ) -> Page<Unverified<RecordRow>>;
    /// How many records of a kind there are, in one state or in any.
    async fn count_records(
        &self,
        org: OrgId,
        kind: RecordKind,
        state: Option<u8>,
    ) -> Result<u64, CatalogError>;
    /// Up to `max` members that an account is, in organizations after `after`, by organization.
    async fn seats(
        &self,
        account: AccountId,
        after: Option<OrgId>,
        max: u32,
    ) -> Page<Unverified<RecordRow>>;

    /// The sums of the organization's usage as a whole from `from_ms` until before `until_ms`, per
    /// hour and meter, folded and unfolded together.
    async fn usage(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
    ) -> Result<Vec<UsageDelta>, CatalogError>;
    /// The same by principal or by bucket, per hour, subject and meter.
    async fn usage_by(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
        subjects: UsageSubjectKind,
    ) -> Result<Vec<UsageDelta>, CatalogError>;
    /// What is stored, as limits are judged by.
    async fn stored(&self, org: OrgId) -> Result<Stored, CatalogError>;
    /// What is stored, counted in every way there is, in one snapshot.
    async fn recount(&self, org: OrgId) -> Result<Recount, CatalogError>;
    /// Up to `max` segments of a node's chain from `from` on.
    async fn audit_segments(
        &self,
        org: OrgId,
        node: NodeId,
        from: u64,
        max: u32,
    ) -> Page<AuditSegmentRow>;
    /// Up to `max` segments, by the time of their last event, that hold events from `from_ms` until
    /// before `until_ms`, after the segment `after`. A segment that spans over
    /// [`SEGMENT_SPAN_MS_MAX`] is found by its end alone.
    async fn audit_segments_between(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
        after: Option<(NodeId, u64)>,
        max: u32,
    ) -> Page<AuditSegmentRow>;
    /// The same segments from the last to the first, before the segment `before`.
    async fn audit_segments_backwards(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
        before: Option<(NodeId, u64)>,
        max: u32,
    ) -> Page<AuditSegmentRow>;
    /// The nodes that have a chain in the organization's log, with the number of their segments.
    async fn audit_chains(&self, org: OrgId) -> Result<Vec<(NodeId, u64)>, CatalogError>;

    /// An organization by its identifier.
    async fn organization(&self, org: OrgId) -> Found<Unverified<OrganizationRow>>;
    /// An organization by its slug.
    async fn organization_by_slug(&self, slug: &Slug) -> Found<Unverified<OrganizationRow>>;
    /// Up to `max` organizations after `after`, by identifier.
    async fn organizations(
        &self,
        after: Option<OrgId>,
        max: u32,
    ) -> Page<Unverified<OrganizationRow>>;
    /// All versions of an organization's key, by version.
    async fn org_keys(&self, org: OrgId) -> Page<Unverified<OrgKeyRow>>;
    /// Up to `max` wrapped keys of all organizations that a root version before `root_version`
    /// of any root wraps, or another root than `root`.
    async fn org_keys_wrapped_before(
        &self,
        root: names::RootId,
        root_version: u32,
        max: u32,
    ) -> Page<Unverified<OrgKeyRow>>;
    /// An organization's name key.
    async fn name_key(&self, org: OrgId) -> Found<NameKeyRow>;
    /// A credential by its blind name.
    async fn credential(&self, lookup: &[u8; 32]) -> Found<Unverified<CredentialRow>>;
    /// A page of an organization's credentials, by lookup.
    async fn credentials(
        &self,
        org: OrgId,
        query: CredentialQuery,
    ) -> Page<Unverified<CredentialRow>>;
    /// When the organization's credentials among these were last used, as far as it was noted, in
    /// any order.
    async fn credential_uses(
        &self,
        org: OrgId,
        lookups: &[[u8; 32]],
    ) -> Result<Vec<([u8; 32], u64)>, CatalogError>;
    /// The changes after `seq` that have not been pruned, oldest first, up to `max`.
    async fn changes_since(&self, seq: u64, max: u32) -> Page<Change>;
    /// The number and chain head of the last change; `(0, zeros)` before the first.
    async fn last_change(&self) -> Result<(u64, [u8; 32]), CatalogError>;

    /// Where the log of changes begins.
    async fn log_base(&self) -> Result<LogBase, CatalogError>;
    /// What pruned changes have left of the rows of organizations, of those among `orgs` of which
    /// anything is left, in any order.
    async fn folded_changes(&self, orgs: &[OrgId]) -> Page<FoldedChanges>;
    /// Gives all that the log of changes and the tables say of which rows there are to `take`, in
    /// one snapshot: the base, what was folded, every change, the MAC of every row. Memory does not
    /// grow with what there is; while it lasts, [`scrub`](Self::scrub) finds a reader in the way.
    async fn census(&self, take: CensusTaker) -> Result<(), CatalogError>;

    /// Up to `max` things that name a version of the organization's key. For the platform's key
    /// those are organizations, credentials and wrapped keys besides its own records and log.
    async fn named_by_key(&self, org: OrgId, version: u32, max: u32) -> Page<NamesKey>;
    /// The claims that have not been forgotten, of all organizations.
    async fn claims(&self, max: u32) -> Page<(OrgId, BlobId)>;
    /// Up to `max` records of a kind that expired by `now_ms`, of all organizations, oldest first.
    async fn expired_records(
        &self,
        kind: RecordKind,
        now_ms: u64,
        max: u32,
    ) -> Page<Unverified<RecordRow>>;
    /// Up to `max` uploads of all active organizations that were begun before `idle_since_ms` and have got no
    /// part since, by their beginnings, after the one named.
    async fn idle_uploads(
        &self,
        idle_since_ms: u64,
        after: Option<(u64, OrgId, UploadId)>,
        max: u32,
    ) -> Page<Unverified<UploadRow>>;
    /// Up to `max` organizations that are asked to be deleted and whose grace period has ended by
    /// `now_ms`, and those whose keys are destroyed and of which something may be left; the longest
    /// over first.
    async fn organizations_due_for_destruction(
        &self,
        now_ms: u64,
        max: u32,
    ) -> Page<Unverified<OrganizationRow>>;
    /// The organizations that have garbage due by `now_ms`.
    async fn orgs_with_trash(&self, now_ms: u64, max: u32) -> Page<OrgId>;
    /// Every authenticated row of an organization, `max` at a time: what `verify` replays.
    async fn tags(
        &self,
        org: OrgId,
        after: Option<TagCursor>,
        max: u32,
    ) -> Result<(Vec<TaggedRow>, Option<TagCursor>), CatalogError>;

    /// Takes or renews the lock of a background job by the database's clock. Returns the fencing
    /// token, or nothing while another holds it.
    async fn lease(
        &self,
        job: &str,
        holder: NodeId,
        seconds: u32,
    ) -> Result<Option<u64>, CatalogError>;
    /// Gives a lock back.
    async fn release(&self, job: &str, holder: NodeId) -> Result<(), CatalogError>;
    /// States that this node has seen every change up to `seen_seq`.
    async fn node_seen(&self, node: NodeId, seen_seq: u64) -> Result<(), CatalogError>;
    /// The nodes that were alive within `seconds`, with what they have seen.
    async fn nodes(&self, seconds: u32) -> Result<Vec<(NodeId, u64)>, CatalogError>;
    /// States that a node stops.
    async fn node_gone(&self, node: NodeId) -> Result<(), CatalogError>;
    /// Makes deleted rows vanish from pages and log; an error when a reader is in the way.
    async fn scrub(&self) -> Result<(), CatalogError>;
    /// What tells caches of this process that rows changed.
    fn coherence(&self) -> &Coherence;
    /// Counts into [`coherence`](Self::coherence) what other processes changed since the last
    /// call. Called every [`POLL_INTERVAL`](super::POLL_INTERVAL).
    async fn poll(&self) -> Result<(), CatalogError>;
    /// Returns when the catalog has stopped for good, and why. A commit has failed then in a way
    /// that leaves open what is on the disk; the process has to end, and the next one reads what
    /// there is.
    async fn stopped(&self) -> CatalogError;
    /// Whether the catalog takes commits.
    async fn ready(&self) -> Result<(), CatalogError>;
}

/// One row or none.
pub type Found<T> = Result<Option<T>, CatalogError>;
/// Rows in order.
pub type Page<T> = Result<Vec<T>, CatalogError>;

/// Which credentials of an organization, by lookup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CredentialQuery {
    /// Those of one principal, or all.
    pub principal: Option<PrincipalId>,
    /// Those of one kind, or all.
    pub kind: Option<CredentialKind>,
    /// Those whose lookups come after this one.
    pub after: Option<[u8; 32]>,
    /// How many at most.
    pub max: u32,
}

/// What an organization stores: never less than nothing, unless somebody wrote so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Bytes of plaintext in objects and parts.
    pub bytes: i64,
    /// Objects.
    pub objects: i64,
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes in {} objects", self.bytes, self.objects)
    }
}

impl Stored {
    /// A version of an object.
    pub(super) fn version(size: u64) -> Self {
        Self {
            objects: 1,
            ..Self::part(size)
        }
    }

    /// A part of an upload.
    pub(super) fn part(size: u64) -> Self {
        Self {
            bytes: i64::try_from(size).unwrap_or(i64::MAX),
            objects: 0,
        }
    }

    /// Both together.
    pub(super) fn plus(self, more: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(more.bytes),
            objects: self.objects.saturating_add(more.objects),
        }
    }

    /// The one without the other.
    pub(super) fn minus(self, less: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(less.bytes),
            objects: self.objects.saturating_sub(less.objects),
        }
    }
}

/// What an organization stores, counted in every way there is: all of them agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recount {
    /// As limits are judged by.
    pub stored: Stored,
    /// As the meters of the organization as a whole add up.
    pub metered: Stored,
    /// As the meters of its buckets add up.
    pub in_buckets: Stored,
}

/// How long the events of a segment are apart at most, for it to be found by the time of each.
pub const SEGMENT_SPAN_MS_MAX: u64 = 24 * 3_600_000;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// How keys begin.
    pub prefix: KeyPrefix,
    /// Keys are rolled up into a common prefix that ends with this, beyond the prefix.
    pub delimiter: Option<String>,
    /// Where to go on.
    pub after: Option<After>,
    /// How many entries and common prefixes together at most.
    pub max: u32,
}

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// After this key, or for uploads after all uploads of this key. If the key lies below a
    /// common prefix, that prefix is listed still (as Amazon does for `start-after` and
    /// `marker` between a prefix and its end).
    Key(String),
    /// After everything that begins with this common prefix.
    Prefix(String),
    /// Uploads only: after this upload of this key.
    Upload(String, UploadId),
}

/// A page of a listing.
#[derive(Debug)]
pub struct Listed<R> {
    /// Rows and common prefixes in one bytewise order.
    pub entries: Vec<ListEntry<R>>,
    /// Whether there is more.
    pub truncated: bool,
}

/// One line of a listing.
#[derive(Debug)]
pub enum ListEntry<R> {
    /// An object or upload.
    Row(R),
    /// A stretch of keys.
    CommonPrefix(String),
}

/// Something that names a version of an organization's key, as it is stored.
#[derive(Debug)]
pub enum NamesKey {
    /// A record.
    Record(Unverified<RecordRow>),
    /// A bucket.
    Bucket(Unverified<BucketRow>),
    /// A version of an object.
    Version(Unverified<VersionRow>),
    /// The content of a version.
    Content(VersionId, Content),
    /// A blob.
    Blob(BlobRow),
    /// An upload.
    Upload(Unverified<UploadRow>),
    /// A part.
    Part(Unverified<PartRow>),
    /// A log segment.
    AuditSegment(AuditSegmentRow),
    /// The name key.
    NameKey(NameKeyRow),
    /// Platform only.
    Organization(Unverified<OrganizationRow>),
    /// Platform only.
    Credential(Unverified<CredentialRow>),
    /// Platform only.
    OrgKey(Unverified<OrgKeyRow>),
}

/// Where a walk over the authenticated rows goes on. Opaque to callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagCursor {
    /// Which table.
    pub(super) table: u8,
    /// The first row of it that is still to come: its primary key after the organization.
    pub(super) from: Vec<u8>,
}

impl TagCursor {
    /// Before the first row that has a body: a version of an object, then a part of an upload.
    pub fn at_bodies() -> Self {
        Self {
            table: BODIES,
            from: Vec::new(),
        }
    }
}

/// Where versions stand in the order of a walk.
pub(super) const BODIES: u8 = 2;

/// A row with its MAC, for checking every one.
#[derive(Debug)]
pub enum TaggedRow {
    /// A record.
    Record(Unverified<RecordRow>),
    /// A bucket.
    Bucket(Unverified<BucketRow>),
    /// A version, with what it holds and what is known of the blobs that it names.
    Version(Unverified<VersionRow>, Content, Vec<BlobRow>),
    /// An upload.
    Upload(Unverified<UploadRow>),
    /// A part, with what is known of the blobs that it names.
    Part(Unverified<PartRow>, Vec<BlobRow>),
    /// The organization itself (authority: the platform).
    Organization(Unverified<OrganizationRow>),
    /// A wrapped key (authority: the platform).
    OrgKey(Unverified<OrgKeyRow>),
    /// A credential of the organization (authority: the platform).
    Credential(Unverified<CredentialRow>),
}

//! What may be done to the catalog: one intention each, judged by itself, never "update a row".

use names::{
    BlobId, BucketId, BucketName, ObjectKey, OrgId, PartNumber, PrincipalId, UploadId, VersionId,
};

use super::census::{FoldedChanges, SealedRowSet};
use super::record::{RecordGuard, RecordKind, RecordRow, RecordWrite};
use super::rewrap::{Reseal, Rewrap};
use super::row::{Authenticated, RowTag};
use super::rows::{
    AuditSegmentRow, BlobRow, BucketRow, Content, CredentialRow, NameKeyRow, OrgKeyRow,
    OrganizationRow, PartRow, UploadRow, VersionRow,
};

/// An intention of the domain. Every one is judged inside the transaction that applies it: one
/// that fails does not fail its neighbours in the same group.
///
/// The organization that it acts in is not part of it: the handle binds it.
#[derive(Debug)]
pub enum Mutation {
    /// Makes a bucket, unless the name is taken ([`Conflict::Exists`]).
    CreateBucket(Authenticated<BucketRow>),
    /// Deletes a bucket that holds no version ([`Conflict::NotEmpty`]) and gives up its uploads.
    DeleteBucket {
        /// Its name.
        name: BucketName,
        /// Which bucket the caller saw under the name ([`Conflict::Missing`] if another).
        bucket: BucketId,
    },
    /// Makes a version the current one of its key.
    CommitVersion(Box<CommitVersion>),
    /// Deletes the null version of a key. Succeeds when there is none, unless `expect` says
    /// otherwise.
    DeleteVersion {
        /// The bucket.
        bucket: BucketId,
        /// The key.
        key: ObjectKey,
        /// What must be current.
        expect: Expect,
        /// Bookkeeping.
        accounting: Accounting,
    },
    /// Begins a multipart upload in a bucket that exists.
    CreateUpload(Authenticated<UploadRow>),
    /// Adds or replaces a part of an upload that is still in progress ([`Conflict::Missing`]).
    PutPart {
        /// The bucket of the upload.
        bucket: BucketId,
        /// The key of the upload.
        key: ObjectKey,
        /// The part.
        part: Authenticated<PartRow>,
        /// Blobs that were written for it; its other slices name blobs that exist.
        new_blobs: Vec<BlobRow>,
        /// Bookkeeping.
        accounting: Accounting,
    },
    /// Gives up an upload and lists its blobs as garbage ([`Conflict::Missing`]).
    AbortUpload {
        /// The bucket of the upload.
        bucket: BucketId,
        /// The key of the upload.
        key: ObjectKey,
        /// The upload.
        upload: UploadId,
        /// Bookkeeping.
        accounting: Accounting,
    },
    /// Gives up an upload as [`AbortUpload`](Self::AbortUpload) does, if it was begun before a time
    /// and has got no part since, in an organization that is active ([`Conflict::Changed`]).
    AbandonUpload {
        /// The bucket of the upload.
        bucket: BucketId,
        /// The key of the upload.
        key: ObjectKey,
        /// The upload.
        upload: UploadId,
        /// The time.
        idle_since_ms: u64,
        /// Bookkeeping.
        accounting: Accounting,
    },
    /// Appends a segment to an activity log; its number must be the next of its node's chain
    /// ([`Conflict::Stale`] with the number of the last, 0 also when there is none).
    AppendAudit(AuditSegmentRow),
    /// Changes records: all writes are applied, or none. Guards are judged as of after the writes,
    /// in the same transaction. The organization is there and not destroyed
    /// ([`Conflict::Missing`]), and every key version that a write names is open.
    CommitRecords {
        /// What changes; each record once at most ([`Conflict::Changed`]).
        writes: Vec<RecordWrite>,
        /// What must hold then.
        guards: Vec<RecordGuard>,
    },
    /// Adds to the usage of the organization. What is stored is counted by the catalog itself, and
    /// by nobody else ([`Conflict::Missing`]).
    AddUsage(Vec<UsageDelta>),
    /// Adds to the usage of the organization together with changes of records that say what was
    /// counted: both, or neither ([`Conflict::Exists`] when it was counted before).
    CountOnce {
        /// What changes; each record once at most.
        writes: Vec<RecordWrite>,
        /// What is added, as by [`AddUsage`](Self::AddUsage).
        usage: Vec<UsageDelta>,
    },
    /// Folds appended usage deltas of the organization into their sums.
    FoldUsage,
    /// Notes when credentials of the organization were last used, each by its lookup: a hint that
    /// is not authenticated. The latest time stays; what is no credential of it is passed over.
    NoteUses(Vec<([u8; 32], u64)>),

    // Below: only a platform or job handle takes these; one that a permit opened answers
    // [`Conflict::Missing`].
    /// Makes an organization with its keys and first records ([`Conflict::Exists`] when identifier
    /// or slug is taken).
    CreateOrganization {
        /// The organization.
        organization: Box<Authenticated<OrganizationRow>>,
        /// The first version of its key.
        key: Authenticated<OrgKeyRow>,
        /// Its name key, sealed under that key.
        name_key: NameKeyRow,
        /// Its first records, which stand under that key: who owns it.
        records: Vec<Authenticated<RecordRow>>,
    },
    /// Replaces an organization's row whose sequence is the one before ([`Conflict::Changed`]).
    ReplaceOrganization(Authenticated<OrganizationRow>),
    /// Makes the first key of the platform itself ([`Conflict::Exists`]).
    CreatePlatformKey(Authenticated<OrgKeyRow>),
    /// Adds the next version of the organization's key ([`Conflict::Exists`] when its number is
    /// or was in use, [`Conflict::Changed`] when it leaves a gap).
    AddKey(Authenticated<OrgKeyRow>),
    /// Replaces a wrapped key if its row still carries `old` ([`Conflict::Changed`]).
    ReplaceKey {
        /// The tag that the row carried when it was read.
        old: RowTag,
        /// What replaces it: a rewrap, or the same with its state changed.
        new: Authenticated<OrgKeyRow>,
    },
    /// Deletes a closed version of the organization's key, once nothing names it
    /// ([`Conflict::InUse`]; [`Conflict::Changed`] when it is open or not there). The newest
    /// version stays in use, so that no number is given twice.
    DeleteKey {
        /// Which version.
        version: u32,
    },
    /// Stores the organization's name key ([`Conflict::Exists`]).
    CreateNameKey(NameKeyRow),
    /// Adds a credential ([`Conflict::Exists`]).
    CreateCredential(Authenticated<CredentialRow>),
    /// Replaces a credential's row whose sequence is the one before ([`Conflict::Changed`]).
    ReplaceCredential(Authenticated<CredentialRow>),
    /// Platform only: deletes up to `rows_max` credentials of all organizations that expired by
    /// `now_ms`; [`Effect::Purged`] says whether some are left.
    DeleteExpiredCredentials {
        /// The time.
        now_ms: u64,
        /// How many at most.
        rows_max: u32,
    },
    /// Takes the organization's keys, credentials, and all records that decide rights or hold
    /// secrets away in one transaction and replaces its row, whose sequence is the one before
    /// ([`Conflict::Changed`]).
    DestroyOrganization(Authenticated<OrganizationRow>),
    /// Deletes up to `rows_max` more rows of a destroyed organization; [`Effect::Purged`] says
    /// whether some are left. Usage stays: it is billed.
    PurgeOrganization {
        /// How many rows at most.
        rows_max: u32,
    },
    /// Puts a header, record or tag made under a newer key in the place of an older one. A header
    /// alone is not put in the place of one that a key that has leaked made, unless it is that of a
    /// blob that nothing names.
    Rewrap(Vec<Rewrap>),
    /// Puts a body that was sealed anew in the place of the same body.
    Reseal(Box<Reseal>),
    /// Claims blobs for deletion that no row names: those in `trash` that are due by `now_ms`, and
    /// orphans among `candidates`. [`Effect::Claimed`] says which. A commit that names a claimed
    /// blob fails ([`Conflict::BlobGone`]).
    ClaimBlobs {
        /// Blobs seen in the store that may be orphans.
        candidates: Vec<BlobId>,
        /// The time.
        now_ms: u64,
        /// How many at most.
        blobs_max: u32,
    },
    /// Forgets claims whose blobs are gone from the store.
    ForgetClaims(Vec<BlobId>),
    /// Prunes the log of changes, and keeps what they had left of each organization's rows. Only in
    /// organization 0.
    PruneChanges(PruneChanges),
}

/// Which changes are pruned, from the first that there is.
#[derive(Debug)]
pub struct PruneChanges {
    /// The number of the change after which the log must begin ([`Conflict::Changed`]).
    pub from_seq: u64,
    /// The last change that goes, which must be there with this head ([`Conflict::Missing`]).
    pub seq: u64,
    /// The head of the chain there.
    pub head: [u8; 32],
    /// What all rows came to then.
    pub rows: SealedRowSet,
    /// What is left of the rows of each organization that these changes tell of.
    pub folded: Vec<FoldedChanges>,
}

impl Mutation {
    /// Whether a handle that a permit opened may apply it. What decides rights, keys and the end
    /// of an organization is for the platform and for background jobs.
    pub(super) fn is_open_to_permits(&self) -> bool {
        match self {
            Self::CreateBucket(_)
            | Self::DeleteBucket { .. }
            | Self::CommitVersion(_)
            | Self::DeleteVersion { .. }
            | Self::CreateUpload(_)
            | Self::PutPart { .. }
            | Self::AbortUpload { .. }
            | Self::AppendAudit(_)
            | Self::CommitRecords { .. }
            | Self::AddUsage(_)
            | Self::CountOnce { .. }
            | Self::FoldUsage
            | Self::NoteUses(_) => true,
            Self::CreateOrganization { .. }
            | Self::ReplaceOrganization(_)
            | Self::CreatePlatformKey(_)
            | Self::AddKey(_)
            | Self::ReplaceKey { .. }
            | Self::DeleteKey { .. }
            | Self::CreateNameKey(_)
            | Self::CreateCredential(_)
            | Self::ReplaceCredential(_)
            | Self::DeleteExpiredCredentials { .. }
            | Self::DestroyOrganization(_)
            | Self::PurgeOrganization { .. }
            | Self::Rewrap(_)
            | Self::Reseal(_)
            | Self::ClaimBlobs { .. }
            | Self::ForgetClaims(_)
            | Self::PruneChanges(_)
            | Self::AbandonUpload { .. } => false,
        }
    }
}

/// What a version commit consists of. One transaction: preconditions, row, blobs, usage, garbage.
#[derive(Debug)]
pub struct CommitVersion {
    /// The row. Its sequence must be higher than that of the key's current version
    /// ([`Conflict::Stale`]).
    pub version: Authenticated<VersionRow>,
    /// What it holds.
    pub content: Content,
    /// Blobs that were written for it; its other slices name blobs that exist
    /// ([`Conflict::BlobGone`]).
    pub new_blobs: Vec<BlobRow>,
    /// What must be current ([`Conflict::Expectation`]).
    pub expect: Expect,
    /// The upload that it completes: the upload and its parts go, and blobs of parts that the
    /// version does not name become garbage ([`Conflict::Missing`] when it is not in progress).
    pub completes: Option<CompletedUpload>,
    /// Bookkeeping.
    pub accounting: Accounting,
}

/// The upload that a commit completes, as it was read.
#[derive(Debug)]
pub struct CompletedUpload {
    /// Which.
    pub upload: UploadId,
    /// The parts that the version was made of, with the tags that their rows carried: a part that
    /// was replaced in between fails the commit ([`Conflict::Changed`]).
    pub parts: Vec<(PartNumber, RowTag)>,
}

/// What must be the current version of a key when a commit is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Anything or nothing.
    Any,
    /// Nothing.
    Absent,
    /// This version.
    Version(VersionId),
}

/// What goes with every change of stored data.
#[derive(Debug, Clone, Copy)]
pub struct Accounting {
    /// The hour that usage is counted in, milliseconds since the epoch.
    pub hour_ms: u64,
    /// From when on replaced blobs may be collected, milliseconds since the epoch.
    pub trash_not_before_ms: u64,
    /// What may be stored.
    pub limits: StoredLimits,
}

/// How much an organization may store. A commit that would grow what is stored over a limit fails
/// ([`Conflict::OverLimit`]); one that makes it less, or no more, never does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoredLimits {
    /// Bytes of plaintext in objects and parts.
    pub bytes_max: Option<u64>,
    /// Objects.
    pub objects_max: Option<u64>,
}

/// What is counted per organization and hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Meter {
    /// Bytes of plaintext in objects and parts: changes, whose sum over all hours is what is
    /// stored now.
    StoredBytes = 1,
    /// Objects: changes, whose sum over all hours is how many there are now.
    Objects = 2,
    /// Requests that were answered.
    Requests = 3,
    /// Bytes of request bodies.
    IngressBytes = 4,
    /// Bytes of answer bodies.
    EgressBytes = 5,
    /// Secrets that were revealed.
    SecretReads = 6,
    /// Secrets that were used through the broker, and not revealed.
    SecretUses = 7,
    /// Runs of agents, as whoever runs them tells.
    AgentRuns = 8,
    /// Tokens that models read, as whoever runs them tells.
    InputTokens = 9,
    /// Tokens that models wrote, as whoever runs them tells.
    OutputTokens = 10,
    /// Calls of tools, as whoever runs them tells.
    ToolCalls = 11,
    /// Seconds of computing, as whoever runs it tells.
    ComputeSeconds = 12,
}

impl Meter {
    /// All there are, by number.
    pub const ALL: [Self; 12] = [
        Self::StoredBytes,
        Self::Objects,
        Self::Requests,
        Self::IngressBytes,
        Self::EgressBytes,
        Self::SecretReads,
        Self::SecretUses,
        Self::AgentRuns,
        Self::InputTokens,
        Self::OutputTokens,
        Self::ToolCalls,
        Self::ComputeSeconds,
    ];

    /// As plans, usage and statements name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StoredBytes => "stored_bytes",
            Self::Objects => "objects",
            Self::Requests => "requests",
            Self::IngressBytes => "ingress_bytes",
            Self::EgressBytes => "egress_bytes",
            Self::SecretReads => "secret_reads",
            Self::SecretUses => "secret_uses",
            Self::AgentRuns => "agent_runs",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::ToolCalls => "tool_calls",
            Self::ComputeSeconds => "compute_seconds",
        }
    }

    /// The meter of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meter| meter.as_str() == name)
    }

    /// The meter that has this number.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|meter| *meter as u8 == number)
    }

    /// Whether it counts what there is, by its changes, and not what was used.
    pub fn is_level(self) -> bool {
        matches!(self, Self::StoredBytes | Self::Objects)
    }

    /// Whether it counts what runs outside of the gateway.
    pub fn is_external(self) -> bool {
        matches!(
            self,
            Self::AgentRuns
                | Self::InputTokens
                | Self::OutputTokens
                | Self::ToolCalls
                | Self::ComputeSeconds
        )
    }
}

/// Of what in an organization use is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UsageSubject {
    /// The organization as a whole.
    #[default]
    Whole,
    /// One principal.
    Principal(PrincipalId),
    /// One bucket.
    Bucket(BucketId),
}

/// The parts that use is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum UsageSubjectKind {
    /// By principal.
    Principal = 1,
    /// By bucket.
    Bucket = 2,
}

/// A change of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageDelta {
    /// The hour, milliseconds since the epoch.
    pub hour_ms: u64,
    /// What is counted.
    pub meter: Meter,
    /// Of what: use by a principal or in a bucket is part of the whole, and counted there too.
    pub subject: UsageSubject,
    /// By how much it changes.
    pub amount: i64,
}

/// What a mutation that succeeded did.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// What it says.
    Done,
    /// A version was deleted or replaced, or nothing was there.
    Replaced(Option<VersionId>),
    /// These blobs may be deleted from the store now.
    Claimed(Vec<BlobId>),
    /// So many rows were still as they had been read.
    Rewrapped(u32),
    /// These blobs of the body that was replaced are named by others still.
    Resealed(Vec<BlobId>),
    /// Whether rows are left.
    Purged {
        /// Whether another round is needed.
        more: bool,
    },
}

/// Why a mutation was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// What it needs is not there: the bucket, the upload.
    #[error("it is not there")]
    Missing,
    /// The name is taken.
    #[error("it exists")]
    Exists,
    /// The bucket holds versions.
    #[error("the bucket is not empty")]
    NotEmpty,
    /// Another version is current than expected.
    #[error("another version is current")]
    Expectation {
        /// The one that is.
        current: Option<VersionId>,
    },
    /// The sequence is not above the current one: take a higher one and try again.
    #[error("the sequence is not above {current}")]
    Stale {
        /// The current one.
        current: u64,
    },
    /// A key version that it names is closed or gone: seal and wrap under the current one and try
    /// again.
    #[error("version {version} of the organization's key takes no writes")]
    KeyClosed {
        /// Which.
        version: u32,
    },
    /// A blob that it names is being collected: resolve the source again.
    #[error("blob {0} is gone")]
    BlobGone(BlobId),
    /// The row is not as it was read.
    #[error("the row has changed")]
    Changed,
    /// Something names the key version still.
    #[error("the key version is in use")]
    InUse,
    /// There would be more records of a kind than a guard allows.
    #[error("there may be {max} of the kind {kind} at most")]
    LimitReached {
        /// The kind.
        kind: RecordKind,
        /// How many there may be.
        max: u64,
    },
    /// There would be fewer records of a kind than a guard demands.
    #[error("too few of the kind {kind} would be left")]
    TooFew {
        /// The kind.
        kind: RecordKind,
    },
    /// More would be stored than may be.
    #[error("more would be stored than may be, by the meter {meter:?}")]
    OverLimit {
        /// [`Meter::StoredBytes`] or [`Meter::Objects`].
        meter: Meter,
    },
}

/// Mutations of one organization, bound to it by the handle.
#[derive(Debug)]
pub struct Bound {
    /// The organization.
    pub org: OrgId,
    /// What to do in it.
    pub mutation: Mutation,
}

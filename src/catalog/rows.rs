//! The rows, as the domain modules write them. Times are milliseconds since the epoch.

use names::{
    BlobId, BucketId, BucketName, NodeId, ObjectKey, OrgId, PartNumber, PrincipalId, RootId, Slug,
    UploadId, VersionId,
};

use super::row::{FieldSink, Row};

/// Whether an organization may be worked in, as its row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum OrgState {
    /// All calls.
    Active = 1,
    /// Reads only.
    Suspended = 2,
    /// Keys evicted.
    Sealed = 3,
    /// Keys deleted.
    Destroyed = 4,
    /// Asked to be deleted, and within its grace period: reads only.
    Deleting = 5,
}

/// An organization. Authority: the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationRow {
    /// Which.
    pub org: OrgId,
    /// Its short name; a destroyed organization has given its name back.
    pub slug: Option<Slug>,
    /// Whether it may be worked in.
    pub state: OrgState,
    /// When it was made.
    pub created_ms: u64,
    /// From when on it is to be destroyed, if it is asked to be deleted; once its keys are, since
    /// when, until nothing of it is left.
    pub delete_after_ms: Option<u64>,
    /// What is known of its keys once they are destroyed.
    pub destruction: Option<Destruction>,
    /// Counts the changes of this row.
    pub sequence: u64,
}

/// What a certificate of destruction has to know about keys and data that are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destruction {
    /// When the keys were deleted.
    pub at_ms: u64,
    /// How many versions of the key there were.
    pub key_versions: u32,
    /// How many objects they sealed.
    pub objects: u64,
    /// How many bytes of plaintext, in objects and parts.
    pub bytes: u64,
    /// The root that wrapped the keys.
    pub root: RootId,
    /// The newest version of that root at the time: this one and those before may have wrapped
    /// them.
    pub root_version: u32,
}

impl Destruction {
    /// As it is stored, and as the MAC covers it.
    ///
    /// ```text
    ///  0:8 when   8:12 key versions   12:20 objects   20:28 bytes   28:44 root   44:48 its version
    /// ```
    pub fn encode(&self) -> [u8; 48] {
        let mut bytes = [0; 48];
        bytes[..8].copy_from_slice(&self.at_ms.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.key_versions.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.objects.to_be_bytes());
        bytes[20..28].copy_from_slice(&self.bytes.to_be_bytes());
        bytes[28..44].copy_from_slice(self.root.bytes());
        bytes[44..].copy_from_slice(&self.root_version.to_be_bytes());
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for anything of another length.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (at_ms, rest) = bytes.split_first_chunk()?;
        let (key_versions, rest) = rest.split_first_chunk()?;
        let (objects, rest) = rest.split_first_chunk()?;
        let (stored, rest) = rest.split_first_chunk()?;
        let (root, rest) = rest.split_first_chunk()?;
        Some(Self {
            at_ms: u64::from_be_bytes(*at_ms),
            key_versions: u32::from_be_bytes(*key_versions),
            objects: u64::from_be_bytes(*objects),
            bytes: u64::from_be_bytes(*stored),
            root: RootId::from_bytes(*root),
            root_version: u32::from_be_bytes(rest.try_into().ok()?),
        })
    }
}

impl Row for OrganizationRow {
    const TABLE: &'static str = "organizations";
    fn authority(&self) -> OrgId {
        OrgId::PLATFORM
    }
    fn fields(&self, fields: &mut dyn FieldSink) {
        fields.bytes(self.org.bytes());
        match &self.slug {
            Some(slug) => fields.bytes(slug.as_str().as_bytes()),
            None => fields.null(),
        }
        fields.number(self.state as u64);
        fields.number(self.created_ms);
        match self.delete_after_ms {
            Some(ms) => fields.number(ms),
            None => fields.null(),
        }
        match &self.destruction {
            Some(destruction) => fields.bytes(&destruction.encode()),
            None => fields.null(),
        }
        fields.number(self.sequence);
    }
}

/// Whether a version of an organization's key takes writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum KeyState {
    /// Commits may name it.
    Open = 1,
    /// It is being rotated away: it opens what names it, and no commit may name it any more.
    Closed = 2,
    /// As closed, and somebody else has it: what it ever wrapped is sealed anew under another, and
    /// never only wrapped again.
    Leaked = 3,
}

/// A wrapped organization key. Authority: the platform.
///
/// Compared and set, never upserted, so that a rewrap cannot bring back a destroyed key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgKeyRow {
    /// Whose key.
    pub org: OrgId,
    /// Which version of it; the highest takes the writes.
    pub version: u32,
    /// Whether commits may name it.
    pub state: KeyState,
    /// The root that wraps it.
    pub root: RootId,
    /// The version of that root.
    pub root_version: u32,
    /// The wrapped key: the record "BLKK" of ENVELOPE.md.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_ms: u64,
    /// Counts the changes of this row.
    pub sequence: u64,
}

impl Row for OrgKeyRow {
    const TABLE: &'static str = "org_keys";
    fn authority(&self) -> OrgId {
        OrgId::PLATFORM
    }
    fn fields(&self, fields: &mut dyn FieldSink) {
        fields.bytes(self.org.bytes());
        fields.number(u64::from(self.version));
        fields.number(self.state as u64);
        fields.bytes(self.root.bytes());
        fields.number(u64::from(self.root_version));
        fields.bytes(&self.wrapped);
        fields.number(self.created_ms);
        fields.number(self.sequence);
    }
}

/// A key for blind lookups, random per organization, sealed as a record. No MAC: the record's
/// context binds it to its organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameKeyRow {
    /// Whose key.
    pub org: OrgId,
    /// The sealed record (table `name_keys`, column `name_key`).
    pub sealed: Vec<u8>,
    /// The key version that the record's header names.
    pub key_version: u32,
}

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CredentialKind {
    /// An id and a secret that sign requests (SigV4).
    AccessKey = 1,
    /// A bearer token.
    ApiToken = 2,
    /// A person's session.
    Session = 3,
    /// An id, a secret and a token that sign requests for a while (STS).
    StsSession = 4,
}

impl CredentialKind {
    /// The kind that has this number.
    pub(super) fn of(number: u8) -> Option<Self> {
        let kinds = [
            Self::AccessKey,
            Self::ApiToken,
            Self::Session,
            Self::StsSession,
        ];
        kinds.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// A credential in the directory of them. Authority: the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRow {
    /// The blind name of its id under the platform's name key.
    pub lookup: [u8; 32],
    /// The one organization that it belongs to.
    pub org: OrgId,
    /// The one principal in it.
    pub principal: PrincipalId,
    /// What it is.
    pub kind: CredentialKind,
    /// Its id, its secret or the secret's hash, and how far it reaches: a record sealed under the
    /// platform's key (table `credentials`, primary key `lookup`, column `secret`).
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_ms: u64,
    /// From when on it proves nothing; nothing for one that lives until it is revoked.
    pub expires_ms: Option<u64>,
    /// When it was revoked, if it was. A revoked one never works again.
    pub revoked_ms: Option<u64>,
    /// Counts the changes of this row.
    pub sequence: u64,
}

impl CredentialRow {
    /// Whether it proves anything at `now_ms`.
    pub fn is_valid(&self, now_ms: u64) -> bool {
        self.revoked_ms.is_none() && self.expires_ms.is_none_or(|expires_ms| now_ms < expires_ms)
    }
}

impl Row for CredentialRow {
    const TABLE: &'static str = "credentials";
    fn authority(&self) -> OrgId {
        OrgId::PLATFORM
    }
    fn fields(&self, fields: &mut dyn FieldSink) {
        fields.bytes(&self.lookup);
        fields.bytes(self.org.bytes());
        fields.bytes(self.principal.bytes());
        fields.number(self.kind as u64);
        fields.bytes(&self.sealed);
        fields.number(self.created_ms);
        for time in [self.expires_ms, self.revoked_ms] {
            match time {
                Some(ms) => fields.number(ms),
                None => fields.null(),
            }
        }
        fields.number(self.sequence);
    }
}

/// A bucket. Authority: its organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRow {
    /// Whose bucket.
    pub org: OrgId,
    /// Its name, unique in the organization.
    pub name: BucketName,
    /// Which; a name that is used again is another bucket.
    pub bucket: BucketId,
    /// When it was made.
    pub created_ms: u64,
    /// Counts the changes of this row.
    pub sequence: u64,
}

impl Row for BucketRow {
    const TABLE: &'static str = "buckets";
    fn authority(&self) -> OrgId {
        self.org
    }
    fn fields(&self, fields: &mut dyn FieldSink) {
        fields.bytes(self.org.bytes());
        fields.bytes(self.name.as_str().as_bytes());
        fields.bytes(self.bucket.bytes());
        fields.number(self.created_ms);
        fields.number(self.sequence);
    }
}

/// A version of an object, slim so that a page of a thousand is read in sequence. Authority: its
/// organization. The version with the highest sequence of its key is the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    /// Whose object.
    pub org: OrgId,
    /// In which bucket.
    pub bucket: BucketId,
    /// Under which key.
    pub key: ObjectKey,
    /// Orders the versions of a key.
    pub sequence: u64,
    /// Which version.
    pub version: VersionId,
    /// Whether it is the null version, the only one that an unversioned bucket keeps.
    pub is_null: bool,
    /// The length of the plaintext, bytes.
    pub size: u64,
    /// When it was written.
    pub modified_ms: u64,
    /// The sealed ETag: 16 bytes and a tag.
    pub etag: [u8; 32],
    /// How many parts it was completed from; 0 for an object written whole.
    pub parts: u16,
    /// The digest of what [`Content`] names: see [`Content::digest_input`].
    pub content_digest: [u8; 32],
}

impl Row for VersionRow {
    const TABLE: &'static str = "versions";
    fn authority(&self) -> OrgId {
        self.org
    }
    fn fields(&self, fields: &mut dyn FieldSink) {
        fields.bytes(self.org.bytes());
        fields.bytes(self.bucket.bytes());
        fields.bytes(self.key.as_bytes());
        fields.number(self.sequence);
        fields.bytes(self.version.bytes());
        fields.number(u64::from(self.is_null));
        fields.number(self.size);
        fields.number(self.modified_ms);
        fields.bytes(&self.etag);
        fields.number(u64::from(self.parts));
        fields.bytes(&self.content_digest);
    }
}

/// What a version holds: its sealed metadata and where its bytes are. It has no MAC of its own:
/// the version row's covers the digest, and the commitments in it bind headers and bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Headers, user metadata and checksums: a sealed record (table `contents`, primary key
    /// organization and version, column `metadata`).
    pub metadata: Vec<u8>,
    /// Where the bytes are.
    pub body: Body,
    /// The key version that the headers of the record and of an inline body name.
    pub key_version: u32,
}

/// Where the bytes of a version or part are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A whole sealed blob of kind 1, kept in the row itself.
    Inline(Vec<u8>),
    /// Slices of blobs in the blob store, in order.
    Blobs(Vec<Slice>),
}

/// A stretch of one blob's plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Which part of the object it belongs to; 0 in an object written whole.
    pub part: u16,
    /// Which blob.
    pub blob: BlobId,
    /// The commitment in that blob's header: it binds the slice to the blob's key and so to its
    /// bytes, and outlives every rewrap.
    pub commitment: [u8; 32],
    /// The length of the blob's whole plaintext, bytes.
    pub blob_len: u64,
    /// Log2 of the blob's chunk size.
    pub chunk_log2: u8,
    /// The kind in the blob's header: 1 object, 2 part.
    pub kind: u8,
    /// Where in the plaintext the stretch begins.
    pub offset: u64,
    /// How long it is, bytes.
    pub length: u64,
}

/// What the catalog knows of a blob in the blob store. The header opens only with the
/// organization's key, and is replaced when that is rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRow {
    /// Which blob.
    pub blob: BlobId,
    /// The current header, 192 bytes: the one in the store may name a key that is gone.
    pub header: Vec<u8>,
    /// The key version that the header names.
    pub key_version: u32,
    /// The length of the sealed blob in the store, bytes.
    pub sealed_len: u64,
}

/// A multipart upload in progress. Authority: its organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRow {
    /// Whose upload.
    pub org: OrgId,
    /// Into which bucket.
    pub bucket: BucketId,
    /// Under which key.
    pub key: ObjectKey,
    /// Which upload.
    pub upload: UploadId,
    /// Who began it.
    pub principal: PrincipalId,
    /// When.
    pub initiated_ms: u64,
    /// Headers, user metadata and checksum choice: a sealed record (table `uploads`, primary key
    /// organization and upload, column `metadata`).
    pub metadata: Vec<u8>,
}

impl Row for UploadRow {
    const TABLE: &'static str = "uploads";
    fn authority(&self) -> OrgId {
        self.org
    }
    fn fields(&self, fields: &mut dyn FieldSink) {
        fields.bytes(self.org.bytes());
        fields.bytes(self.bucket.bytes());
        fields.bytes(self.key.as_bytes());
        fields.bytes(self.upload.bytes());
        fields.bytes(self.principal.bytes());
        fields.number(self.initiated_ms);
        fields.bytes(&self.metadata);
    }
}

/// A part of a multipart upload. Authority: its organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRow {
    /// Whose part.
    pub org: OrgId,
    /// Of which upload.
    pub upload: UploadId,
    /// Its number.
    pub part: PartNumber,
    /// The length of its plaintext, bytes.
    pub size: u64,
    /// When it was written.
    pub modified_ms: u64,
    /// ETag and checksums: a sealed record (table `upload_parts`, primary key organization,
    /// upload and part, column `metadata`).
    pub metadata: Vec<u8>,
    /// Where its bytes are. `part` in the slices is this part's number.
    pub slices: Vec<Slice>,
}

impl Row for PartRow {
    const TABLE: &'static str = "upload_parts";
    fn authority(&self) -> OrgId {
        self.org
    }
    fn fields(&self, fields: &mut dyn FieldSink) {
        fields.bytes(self.org.bytes());
        fields.bytes(self.upload.bytes());
        fields.number(u64::from(self.part.value()));
        fields.number(self.size);
        fields.number(self.modified_ms);
        fields.bytes(&self.metadata);
        fields.bytes(&encode_slices(&self.slices));
    }
}

/// A sealed segment of an activity log. No MAC of its own: the record's context binds it to its
/// place, and each holds the hash of the plaintext of the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSegmentRow {
    /// Whose log; organization 0 has the platform's.
    pub org: OrgId,
    /// Which node wrote it. Every node has a chain of its own.
    pub node: NodeId,
    /// Its number in that chain, from 0.
    pub number: u64,
    /// When the first event in it happened.
    pub first_ms: u64,
    /// When the last did.
    pub last_ms: u64,
    /// The sealed record (table `audit_segments`, primary key organization, node and number,
    /// column `events`).
    pub sealed: Vec<u8>,
    /// The key version that the record's header names.
    pub key_version: u32,
}

impl Content {
    /// What [`VersionRow::content_digest`] is the SHA-256 of: the commitment of the metadata
    /// record, then the commitment of the inline body or the encoded slices. Commitments outlive
    /// a rewrap, so the digest does too.
    ///
    /// `None` when a sealed blob is too short to hold a header.
    pub fn digest_input(&self) -> Option<Vec<u8>> {
        const COMMITMENT: std::ops::Range<usize> = 160..192;
        let mut input = self.metadata.get(COMMITMENT)?.to_vec();
        match &self.body {
            Body::Inline(sealed) => {
                input.push(0);
                input.extend_from_slice(sealed.get(COMMITMENT)?);
            }
            Body::Blobs(slices) => {
                input.push(1);
                input.extend_from_slice(&encode_slices(slices));
            }
        }
        Some(input)
    }
}

/// The length of an encoded slice.
const SLICE_BYTES: usize = 2 + 16 + 32 + 8 + 1 + 1 + 8 + 8;

/// Writes slices as the catalog stores them and as MACs cover them, each 76 bytes:
///
/// ```text
///  0:2 part   2:18 blob id   18:50 commitment   50:58 blob length
/// 58 log2 of the chunk size   59 kind   60:68 offset   68:76 length
/// ```
pub fn encode_slices(slices: &[Slice]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(slices.len() * SLICE_BYTES);
    for slice in slices {
        bytes.extend_from_slice(&slice.part.to_be_bytes());
        bytes.extend_from_slice(slice.blob.bytes());
        bytes.extend_from_slice(&slice.commitment);
        bytes.extend_from_slice(&slice.blob_len.to_be_bytes());
        bytes.push(slice.chunk_log2);
        bytes.push(slice.kind);
        bytes.extend_from_slice(&slice.offset.to_be_bytes());
        bytes.extend_from_slice(&slice.length.to_be_bytes());
    }
    bytes
}

/// Reads what [`encode_slices`] wrote; `None` when the bytes are not whole slices.
pub fn decode_slices(bytes: &[u8]) -> Option<Vec<Slice>> {
    if !bytes.len().is_multiple_of(SLICE_BYTES) {
        return None;
    }
    bytes
        .chunks_exact(SLICE_BYTES)
        .map(|one| {
            let (part, rest) = one.split_first_chunk::<2>()?;
            let (blob, rest) = rest.split_first_chunk::<16>()?;
            let (commitment, rest) = rest.split_first_chunk::<32>()?;
            let (blob_len, rest) = rest.split_first_chunk::<8>()?;
            let ([chunk_log2, kind], rest) = rest.split_first_chunk::<2>()?;
            let (offset, rest) = rest.split_first_chunk::<8>()?;
            let (length, _) = rest.split_first_chunk::<8>()?;
            Some(Slice {
                part: u16::from_be_bytes(*part),
                blob: BlobId::from_bytes(*blob),
                commitment: *commitment,
                blob_len: u64::from_be_bytes(*blob_len),
                chunk_log2: *chunk_log2,
                kind: *kind,
                offset: u64::from_be_bytes(*offset),
                length: u64::from_be_bytes(*length),
            })
        })
        .collect()
}

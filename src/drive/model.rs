use std::fmt;

use names::{
    BucketId, BucketName, Checksum, ChecksumAlgorithm, ChecksumKind, ObjectKey, PartNumber,
    PrincipalId, UploadId, VersionId,
};

/// A bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its name.
    pub name: BucketName,
    /// Which.
    pub bucket: BucketId,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
}

/// An ETag: `"<32 hex>"`, or `"<32 hex>-<parts>"` for what was completed from parts. Shown
/// without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Etag {
    /// The MD5 of the bytes, or of the parts' MD5s; random where the server answers opaque ETags.
    pub bytes: [u8; 16],
    /// How many parts; 0 for an object written whole.
    pub parts: u16,
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.bytes))?;
        match self.parts {
            0 => Ok(()),
            parts => write!(f, "-{parts}"),
        }
    }
}

/// The headers that are stored with an object and answered with it, as the client sent them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`, as it was sent.
    pub expires: Option<String>,
    /// User metadata: names without `x-amz-meta-`, in lower case, and values.
    pub user: Vec<(String, String)>,
}

/// A checksum as it is stored with an object or part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredChecksum {
    /// The value.
    pub checksum: Checksum,
    /// What it covers. A composite one is shown with `-` and the number of parts.
    pub kind: ChecksumKind,
}

/// What is known of an object.
#[derive(Debug, Clone)]
pub struct ObjectInfo {
    /// Which version.
    pub version: VersionId,
    /// Its size, bytes.
    pub size: u64,
    /// When it was written, milliseconds since the epoch.
    pub modified_ms: u64,
    /// Its ETag.
    pub etag: Etag,
    /// Its headers and metadata.
    pub headers: ObjectHeaders,
    /// Its checksum.
    pub checksum: Option<StoredChecksum>,
    /// How many parts it was completed from; 0 for an object written whole.
    pub parts: u16,
}

/// A condition on an ETag: `*` or some ETags without quotes, as the client sent them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EtagCondition {
    /// Any object at all.
    Any,
    /// One of these.
    OneOf(Vec<String>),
}

/// Conditions of a read. Times are seconds since the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadConditions {
    /// `If-Match`.
    pub if_match: Option<EtagCondition>,
    /// `If-None-Match`.
    pub if_none_match: Option<EtagCondition>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<i64>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<i64>,
}

/// Conditions of a write, decided inside the catalog transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteConditions {
    /// `If-Match`.
    pub if_match: Option<EtagCondition>,
    /// `If-None-Match`; the S3 API knows only `*` here.
    pub if_none_match: Option<EtagCondition>,
}

/// Conditions of a deletion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteConditions {
    /// `If-Match`.
    pub if_match: Option<EtagCondition>,
    /// `x-amz-if-match-last-modified-time`, seconds since the epoch.
    pub modified: Option<i64>,
    /// `x-amz-if-match-size`.
    pub size: Option<u64>,
}

/// A range as a client asks for it (RFC 9110, one range).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeRequest {
    /// `bytes=first-`.
    From(u64),
    /// `bytes=first-last`, both included.
    Between(u64, u64),
    /// `bytes=-count`.
    Last(u64),
}

/// What of an object is wanted.
#[derive(Debug, Clone, Default)]
pub struct ReadRequest {
    /// A range of it. Not together with a part.
    pub range: Option<RangeRequest>,
    /// One of its parts.
    pub part: Option<PartNumber>,
    /// When.
    pub conditions: ReadConditions,
}

/// What a read found.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The object.
    pub info: ObjectInfo,
    /// The bytes that the answer holds: first, and one past the last.
    pub range: std::ops::Range<u64>,
    /// Whether a range or part was asked for: 206 rather than 200.
    pub is_partial: bool,
    /// The checksum of the one part that was asked for, if it has one. It covers that part's bytes
    /// whatever the kind of the object's own checksum is.
    pub part_checksum: Option<Checksum>,
}

/// What a write of a whole object says besides its bytes.
#[derive(Debug, Clone, Default)]
pub struct PutRequest {
    /// Headers and metadata.
    pub headers: ObjectHeaders,
    /// When.
    pub conditions: WriteConditions,
}

/// What a write made.
#[derive(Debug, Clone)]
pub struct Written {
    /// Which version.
    pub version: VersionId,
    /// Its ETag.
    pub etag: Etag,
    /// Its size, bytes.
    pub size: u64,
    /// Its checksum.
    pub checksum: Option<StoredChecksum>,
    /// When, milliseconds since the epoch.
    pub modified_ms: u64,
}

/// What a copy says besides its source.
#[derive(Debug, Clone, Default)]
pub struct CopyRequest {
    /// Headers and metadata in the place of the source's (`REPLACE`); `None` keeps them (`COPY`).
    pub headers: Option<ObjectHeaders>,
    /// The checksum that the copy shall have; `None` keeps the source's.
    pub checksum: Option<ChecksumAlgorithm>,
    /// Conditions on the source.
    pub source: ReadConditions,
    /// Conditions on the destination.
    pub conditions: WriteConditions,
}

/// A page of a list of objects.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    /// Keys are rolled up into a common prefix that ends with this.
    pub delimiter: Option<String>,
    /// Where it begins.
    pub start: ListStart,
    /// How many entries and prefixes at most: 0 to 1,000.
    pub max: u32,
}

/// Where a list begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ListStart {
    /// At the first key.
    #[default]
    Beginning,
    /// After a key: `start-after` of version 2, `marker` of version 1. A marker that is a common
    /// prefix itself goes on after all that it stands for.
    After(String),
    /// Where a token of an earlier page says. It is opaque and sealed; another organization's,
    /// another bucket's or a changed one is [`DriveError::InvalidArgument`](super::DriveError).
    Token(String),
}

/// A page of objects.
#[derive(Debug)]
pub struct Listing {
    /// Objects and prefixes in bytewise order.
    pub entries: Vec<ListedObject>,
    /// Whether there is more.
    pub is_truncated: bool,
    /// The last entry of a truncated page: the key or common prefix (`NextMarker`).
    pub next_marker: Option<String>,
    /// The same, sealed (`NextContinuationToken`).
    pub next_token: Option<String>,
}

/// One line of a list.
#[derive(Debug)]
pub enum ListedObject {
    /// An object.
    Object {
        /// Its key.
        key: ObjectKey,
        /// Its size, bytes.
        size: u64,
        /// When it was written, milliseconds since the epoch.
        modified_ms: u64,
        /// Its ETag.
        etag: Etag,
    },
    /// A stretch of keys.
    Prefix(String),
}

/// A multipart upload to begin.
#[derive(Debug, Clone, Default)]
pub struct NewUpload {
    /// Headers and metadata of the object to be.
    pub headers: ObjectHeaders,
    /// The checksum that its parts and it will have.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
}

/// A multipart upload in progress.
#[derive(Debug, Clone)]
pub struct UploadInfo {
    /// The key of the object to be.
    pub key: ObjectKey,
    /// Which upload.
    pub upload: UploadId,
    /// Who began it.
    pub principal: PrincipalId,
    /// When, milliseconds since the epoch.
    pub initiated_ms: u64,
    /// Its checksum.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
}

/// A part of an upload.
#[derive(Debug, Clone)]
pub struct PartInfo {
    /// Its number.
    pub part: PartNumber,
    /// Its size, bytes.
    pub size: u64,
    /// Its ETag.
    pub etag: Etag,
    /// Its checksum.
    pub checksum: Option<Checksum>,
    /// When it was written, milliseconds since the epoch.
    pub modified_ms: u64,
}

/// A page of parts.
#[derive(Debug)]
pub struct PartListing {
    /// The upload.
    pub upload: UploadInfo,
    /// The parts.
    pub parts: Vec<PartInfo>,
    /// Whether there is more.
    pub is_truncated: bool,
}

/// What a page of uploads begins after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadMarker {
    /// `key-marker`; empty begins at the first.
    pub key: String,
    /// `upload-id-marker`.
    pub upload: Option<UploadId>,
}

/// A page of uploads.
#[derive(Debug)]
pub struct UploadListing {
    /// Uploads and prefixes in order.
    pub entries: Vec<ListedUpload>,
    /// Where the next page begins, when there is one.
    pub next: Option<UploadMarker>,
}

/// One line of a list of uploads.
#[derive(Debug)]
pub enum ListedUpload {
    /// An upload.
    Upload(UploadInfo),
    /// A stretch of keys.
    Prefix(String),
}

/// A completion.
#[derive(Debug, Clone)]
pub struct CompleteRequest {
    /// The upload.
    pub upload: UploadId,
    /// The parts, in the order they were named.
    pub parts: Vec<NamedPart>,
    /// The checksum of the whole, if the client sent it.
    pub checksum: Option<Checksum>,
    /// `x-amz-checksum-type`, which must be the upload's.
    pub checksum_kind: Option<ChecksumKind>,
    /// `x-amz-mp-object-size`.
    pub size: Option<u64>,
    /// When.
    pub conditions: WriteConditions,
}

/// A part as a completion names it.
#[derive(Debug, Clone)]
pub struct NamedPart {
    /// Its number.
    pub part: PartNumber,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its checksum, if it was sent.
    pub checksum: Option<Checksum>,
}

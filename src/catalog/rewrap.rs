//! What a rotation or a re-encryption puts in the place of what an older key made.

use names::{BlobId, NodeId, VersionId};

use super::record::RecordRow;
use super::row::{Authenticated, RowTag};
use super::rows::{
    BlobRow, BucketRow, Content, CredentialRow, NameKeyRow, OrgKeyRow, OrganizationRow, PartRow,
    UploadRow, VersionRow,
};

/// One compare-and-set of a rotation. Each is judged by itself; [`Effect::Rewrapped`](super::Effect::Rewrapped) counts those
/// that found the old value in place.
#[derive(Debug)]
pub enum Rewrap {
    /// A record, its sealed bytes rewrapped, with a new tag.
    Record {
        /// The tag before.
        old: RowTag,
        /// The same record under the new key.
        new: Authenticated<RecordRow>,
    },
    /// A bucket row with a new tag.
    Bucket {
        /// The tag before.
        old: RowTag,
        /// The same row under the new key.
        new: Authenticated<BucketRow>,
    },
    /// A version row with a resealed ETag and a new tag.
    Version {
        /// The tag before.
        old: RowTag,
        /// The same version under the new key.
        new: Authenticated<VersionRow>,
    },
    /// New headers for the metadata record and the inline body of a version.
    Content {
        /// Which version.
        version: VersionId,
        /// The key version before.
        old_key_version: u32,
        /// The first 192 bytes of the metadata record.
        metadata_header: Vec<u8>,
        /// The first 192 bytes of the inline body, if it has one.
        body_header: Option<Vec<u8>>,
        /// The key version now.
        key_version: u32,
    },
    /// A new header for a blob in the store.
    Blob {
        /// Which blob.
        blob: BlobId,
        /// The key version before.
        old_key_version: u32,
        /// The new header.
        header: Vec<u8>,
        /// The key version now.
        key_version: u32,
    },
    /// An upload with a rewrapped record and a new tag.
    Upload {
        /// The tag before.
        old: RowTag,
        /// The same upload under the new key.
        new: Authenticated<UploadRow>,
    },
    /// A part with a rewrapped record and a new tag.
    Part {
        /// The tag before.
        old: RowTag,
        /// The same part under the new key.
        new: Authenticated<PartRow>,
    },
    /// A log segment that was sealed anew.
    SealedSegment {
        /// Which node's chain.
        node: NodeId,
        /// Which segment.
        number: u64,
        /// The key version before.
        old_key_version: u32,
        /// The whole record.
        sealed: Vec<u8>,
        /// The key version now.
        key_version: u32,
    },
    /// A log segment with a rewrapped record.
    AuditSegment {
        /// Which node's chain.
        node: NodeId,
        /// Which segment.
        number: u64,
        /// The key version before.
        old_key_version: u32,
        /// The first 192 bytes of the record.
        header: Vec<u8>,
        /// The key version now.
        key_version: u32,
    },
    /// The name key's record.
    NameKey {
        /// The key version before.
        old_key_version: u32,
        /// The rewrapped record.
        new: NameKeyRow,
    },
    /// Platform only: an organization's row under the platform's new key.
    Organization {
        /// The tag before.
        old: RowTag,
        /// The same row.
        new: Authenticated<OrganizationRow>,
    },
    /// Platform only: a credential's row under the platform's new key.
    Credential {
        /// The tag before.
        old: RowTag,
        /// The same credential, its record rewrapped.
        new: Authenticated<CredentialRow>,
    },
    /// Platform only: a wrapped key's row under the platform's new key.
    OrgKey {
        /// The tag before.
        old: RowTag,
        /// The same wrapped key.
        new: Authenticated<OrgKeyRow>,
    },
}

/// A body that was sealed anew, under data keys that no older key ever wrapped. Nothing else of its
/// row changes: an intention that says otherwise is refused ([`Conflict::Changed`](super::Conflict::Changed)), as is one whose
/// row is not as it was read any more.
#[derive(Debug)]
pub struct Reseal {
    /// The row.
    pub row: ResealedRow,
    /// Blobs that were written for it; its other slices name blobs that exist
    /// ([`Conflict::BlobGone`](super::Conflict::BlobGone)).
    pub new_blobs: Vec<BlobRow>,
    /// From when on replaced blobs may be collected, milliseconds since the epoch.
    pub trash_not_before_ms: u64,
}

/// Whose body was sealed anew.
#[derive(Debug)]
pub enum ResealedRow {
    /// A version of an object: its ETag and digest, its metadata and where its bytes are.
    Version {
        /// The tag before.
        old: RowTag,
        /// The same version.
        new: Authenticated<VersionRow>,
        /// The same content.
        content: Content,
    },
    /// A part of an upload: its metadata and where its bytes are.
    Part {
        /// The tag before.
        old: RowTag,
        /// The same part.
        new: Authenticated<PartRow>,
    },
}

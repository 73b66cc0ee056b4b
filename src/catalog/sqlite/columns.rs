//! How rows lie in their tables: the columns of each, in the order in which they are read.

use names::{
    BlobId, BucketId, BucketName, NodeId, ObjectKey, OrgId, PartNumber, PrincipalId, RootId, Slug,
    UploadId, VersionId,
};
use rusqlite::{Result, Row as SqlRow};

use super::query::{Unknown, damaged, text, unsigned, unsigned_or_null};
use crate::catalog::{
    AuditSegmentRow, BlobRow, Body, BucketRow, Content, CredentialKind, CredentialRow, Destruction,
    KeyState, Meter, NameKeyRow, OrgKeyRow, OrgState, OrganizationRow, PartRow, RecordKind,
    RecordRow, Row, RowTag, Slice, Unverified, UploadRow, UsageSubject, UsageSubjectKind,
    VersionRow, decode_slices,
};

/// A row with a tag: first its own columns, then `key_version, mac`.
pub(super) trait Stored: Row {
    /// How many columns come before the tag.
    const WIDTH: usize;

    /// Reads the columns before the tag.
    fn read(row: &SqlRow<'_>) -> Result<Self>;
}

/// Reads a row and the tag behind it.
pub(super) fn unverified<R: Stored>(row: &SqlRow<'_>) -> Result<Unverified<R>> {
    Ok(Unverified::new(R::read(row)?, tag(row, R::WIDTH)?))
}

/// Reads a tag at a column.
pub(super) fn tag(row: &SqlRow<'_>, column: usize) -> Result<RowTag> {
    Ok(RowTag {
        key_version: row.get(column)?,
        mac: row.get(column + 1)?,
    })
}

macro_rules! organization_columns {
    () => {
        "org_id, slug, state, created_ms, delete_after_ms, destruction, sequence, key_version, mac"
    };
}

impl Stored for OrganizationRow {
    const WIDTH: usize = 7;

    fn read(row: &SqlRow<'_>) -> Result<Self> {
        let slug = match row.get_ref(1)? {
            rusqlite::types::ValueRef::Null => None,
            _ => Some(Slug::parse(text(row, 1)?).map_err(|error| damaged(1, error))?),
        };
        Ok(Self {
            org: OrgId::from_bytes(row.get(0)?),
            slug,
            state: org_state(row, 2)?,
            created_ms: unsigned(row, 3)?,
            delete_after_ms: unsigned_or_null(row, 4)?,
            destruction: destruction(row, 5)?,
            sequence: unsigned(row, 6)?,
        })
    }
}

macro_rules! record_columns {
    () => {
        "org_id, kind, id, parent, lookup, state, created_ms, expires_ms, sealed, sequence, \
         key_version, mac"
    };
}

impl Stored for RecordRow {
    const WIDTH: usize = 10;

    fn read(row: &SqlRow<'_>) -> Result<Self> {
        Ok(Self {
            org: OrgId::from_bytes(row.get(0)?),
            kind: record_kind(row, 1)?,
            id: row.get(2)?,
            parent: row.get(3)?,
            lookup: row.get(4)?,
            state: row.get(5)?,
            created_ms: unsigned(row, 6)?,
            expires_ms: unsigned_or_null(row, 7)?,
            sealed: row.get(8)?,
            sequence: unsigned(row, 9)?,
        })
    }
}

macro_rules! org_key_columns {
    () => {
        "org_id, version, state, root_id, root_version, wrapped, created_ms, sequence, \
         key_version, mac"
    };
}

impl Stored for OrgKeyRow {
    const WIDTH: usize = 8;

    fn read(row: &SqlRow<'_>) -> Result<Self> {
        Ok(Self {
            org: OrgId::from_bytes(row.get(0)?),
            version: row.get(1)?,
            state: key_state(row, 2)?,
            root: RootId::from_bytes(row.get(3)?),
            root_version: row.get(4)?,
            wrapped: row.get(5)?,
            created_ms: unsigned(row, 6)?,
            sequence: unsigned(row, 7)?,
        })
    }
}

macro_rules! credential_columns {
    () => {
        "lookup, org_id, principal_id, kind, sealed, created_ms, expires_ms, revoked_ms, sequence, \
         key_version, mac"
    };
}

impl Stored for CredentialRow {
    const WIDTH: usize = 9;

    fn read(row: &SqlRow<'_>) -> Result<Self> {
        Ok(Self {
            lookup: row.get(0)?,
            org: OrgId::from_bytes(row.get(1)?),
            principal: PrincipalId::from_bytes(row.get(2)?),
            kind: credential_kind(row, 3)?,
            sealed: row.get(4)?,
            created_ms: unsigned(row, 5)?,
            expires_ms: unsigned_or_null(row, 6)?,
            revoked_ms: unsigned_or_null(row, 7)?,
            sequence: unsigned(row, 8)?,
        })
    }
}

macro_rules! bucket_columns {
    () => {
        "org_id, name, bucket_id, created_ms, sequence, key_version, mac"
    };
}

impl Stored for BucketRow {
    const WIDTH: usize = 5;

    fn read(row: &SqlRow<'_>) -> Result<Self> {
        Ok(Self {
            org: OrgId::from_bytes(row.get(0)?),
            name: BucketName::parse(text(row, 1)?).map_err(|error| damaged(1, error))?,
            bucket: BucketId::from_bytes(row.get(2)?),
            created_ms: unsigned(row, 3)?,
            sequence: unsigned(row, 4)?,
        })
    }
}

macro_rules! version_columns {
    () => {
        "v.org_id, v.bucket_id, v.key, v.sequence, v.version_id, v.is_null, v.size, \
         v.modified_ms, v.etag, v.parts, v.content_digest, v.key_version, v.mac"
    };
}

/// What [`version_columns`] and [`content_columns`] have together before the content.
pub(super) const VERSION_COLUMNS: usize = 13;

impl Stored for VersionRow {
    const WIDTH: usize = VERSION_COLUMNS - 2;

    fn read(row: &SqlRow<'_>) -> Result<Self> {
        Ok(Self {
            org: OrgId::from_bytes(row.get(0)?),
            bucket: BucketId::from_bytes(row.get(1)?),
            key: object_key(row, 2)?,
            sequence: unsigned(row, 3)?,
            version: VersionId::from_bytes(row.get(4)?),
            is_null: row.get(5)?,
            size: unsigned(row, 6)?,
            modified_ms: unsigned(row, 7)?,
            etag: row.get(8)?,
            parts: row.get(9)?,
            content_digest: row.get(10)?,
        })
    }
}

macro_rules! content_columns {
    () => {
        "c.metadata, c.body, c.slices, c.key_version"
    };
}

/// A version without its content.
#[derive(Debug, thiserror::Error)]
#[error("a version has no content")]
pub(super) struct NoContent;

/// Reads a content at a column; `None` when an outer join found none.
pub(super) fn content(row: &SqlRow<'_>, column: usize) -> Result<Option<Content>> {
    let Some(metadata) = row.get(column)? else {
        return Ok(None);
    };
    let body = match row.get(column + 1)? {
        Some(sealed) => Body::Inline(sealed),
        None => Body::Blobs(slices(row, column + 2)?),
    };
    Ok(Some(Content {
        metadata,
        body,
        key_version: row.get(column + 3)?,
    }))
}

macro_rules! upload_columns {
    () => {
        "org_id, bucket_id, key, upload_id, principal_id, initiated_ms, metadata, key_version, mac"
    };
}

impl Stored for UploadRow {
    const WIDTH: usize = 7;

    fn read(row: &SqlRow<'_>) -> Result<Self> {
        Ok(Self {
            org: OrgId::from_bytes(row.get(0)?),
            bucket: BucketId::from_bytes(row.get(1)?),
            key: object_key(row, 2)?,
            upload: UploadId::from_bytes(row.get(3)?),
            principal: PrincipalId::from_bytes(row.get(4)?),
            initiated_ms: unsigned(row, 5)?,
            metadata: row.get(6)?,
        })
    }
}

macro_rules! part_columns {
    () => {
        "org_id, upload_id, part, size, modified_ms, metadata, slices, key_version, mac"
    };
}

impl Stored for PartRow {
    const WIDTH: usize = 7;

    fn read(row: &SqlRow<'_>) -> Result<Self> {
        Ok(Self {
            org: OrgId::from_bytes(row.get(0)?),
            upload: UploadId::from_bytes(row.get(1)?),
            part: PartNumber::new(unsigned(row, 2)?).map_err(|error| damaged(2, error))?,
            size: unsigned(row, 3)?,
            modified_ms: unsigned(row, 4)?,
            metadata: row.get(5)?,
            slices: slices(row, 6)?,
        })
    }
}

macro_rules! blob_columns {
    () => {
        "blob_id, header, key_version, sealed_len"
    };
}

/// Reads what is known of a blob.
pub(super) fn blob(row: &SqlRow<'_>) -> Result<BlobRow> {
    Ok(BlobRow {
        blob: BlobId::from_bytes(row.get(0)?),
        header: row.get(1)?,
        key_version: row.get(2)?,
        sealed_len: unsigned(row, 3)?,
    })
}

macro_rules! audit_columns {
    () => {
        "org_id, node_id, number, first_ms, last_ms, sealed, key_version"
    };
}

/// Reads a log segment.
pub(super) fn audit_segment(row: &SqlRow<'_>) -> Result<AuditSegmentRow> {
    Ok(AuditSegmentRow {
        org: OrgId::from_bytes(row.get(0)?),
        node: NodeId::from_bytes(row.get(1)?),
        number: unsigned(row, 2)?,
        first_ms: unsigned(row, 3)?,
        last_ms: unsigned(row, 4)?,
        sealed: row.get(5)?,
        key_version: row.get(6)?,
    })
}

macro_rules! name_key_columns {
    () => {
        "org_id, sealed, key_version"
    };
}

/// Reads a name key.
pub(super) fn name_key(row: &SqlRow<'_>) -> Result<NameKeyRow> {
    Ok(NameKeyRow {
        org: OrgId::from_bytes(row.get(0)?),
        sealed: row.get(1)?,
        key_version: row.get(2)?,
    })
}

pub(super) use {
    audit_columns, blob_columns, bucket_columns, content_columns, credential_columns,
    name_key_columns, org_key_columns, organization_columns, part_columns, record_columns,
    upload_columns, version_columns,
};

/// Reads slices.
pub(super) fn slices(row: &SqlRow<'_>, column: usize) -> Result<Vec<Slice>> {
    #[derive(Debug, thiserror::Error)]
    #[error("not whole slices")]
    struct NotSlices;

    let bytes = row
        .get_ref(column)?
        .as_blob()
        .map_err(|error| damaged(column, error))?;
    decode_slices(bytes).ok_or_else(|| damaged(column, NotSlices))
}

/// Reads the state of a key.
pub(super) fn key_state(row: &SqlRow<'_>, column: usize) -> Result<KeyState> {
    match row.get(column)? {
        1 => Ok(KeyState::Open),
        2 => Ok(KeyState::Closed),
        3 => Ok(KeyState::Leaked),
        other => Err(damaged(column, Unknown(other))),
    }
}

fn destruction(row: &SqlRow<'_>, column: usize) -> Result<Option<Destruction>> {
    #[derive(Debug, thiserror::Error)]
    #[error("not a destruction")]
    struct NotDestruction;

    let stored: Option<Vec<u8>> = row.get(column)?;
    stored
        .map(|bytes| Destruction::decode(&bytes).ok_or_else(|| damaged(column, NotDestruction)))
        .transpose()
}

/// Reads the state of an organization.
pub(super) fn org_state(row: &SqlRow<'_>, column: usize) -> Result<OrgState> {
    match row.get(column)? {
        1 => Ok(OrgState::Active),
        2 => Ok(OrgState::Suspended),
        3 => Ok(OrgState::Sealed),
        4 => Ok(OrgState::Destroyed),
        5 => Ok(OrgState::Deleting),
        other => Err(damaged(column, Unknown(other))),
    }
}

/// Reads a meter.
pub(super) fn meter(row: &SqlRow<'_>, column: usize) -> Result<Meter> {
    let number: u8 = row.get(column)?;
    Meter::of(number).ok_or_else(|| damaged(column, Unknown(number.into())))
}

/// How a subject of usage lies in its two columns: its kind and its identifier.
pub(super) fn subject_columns(subject: &UsageSubject) -> (u8, &[u8]) {
    match subject {
        UsageSubject::Whole => (WHOLE, &[]),
        UsageSubject::Principal(principal) => {
            (UsageSubjectKind::Principal as u8, principal.bytes())
        }
        UsageSubject::Bucket(bucket) => (UsageSubjectKind::Bucket as u8, bucket.bytes()),
    }
}

/// Reads a subject of usage from its two columns.
pub(super) fn subject(row: &SqlRow<'_>, column: usize) -> Result<UsageSubject> {
    const PRINCIPAL: u8 = UsageSubjectKind::Principal as u8;
    const BUCKET: u8 = UsageSubjectKind::Bucket as u8;
    let id = column + 1;
    match row.get(column)? {
        WHOLE => Ok(UsageSubject::Whole),
        PRINCIPAL => Ok(UsageSubject::Principal(PrincipalId::from_bytes(
            row.get(id)?,
        ))),
        BUCKET => Ok(UsageSubject::Bucket(BucketId::from_bytes(row.get(id)?))),
        other => Err(damaged(column, Unknown(other.into()))),
    }
}

/// The kind of subject that is the organization as a whole.
pub(super) const WHOLE: u8 = 0;

fn record_kind(row: &SqlRow<'_>, column: usize) -> Result<RecordKind> {
    let number: u8 = row.get(column)?;
    RecordKind::of(number).ok_or_else(|| damaged(column, Unknown(number.into())))
}

fn credential_kind(row: &SqlRow<'_>, column: usize) -> Result<CredentialKind> {
    let number: u8 = row.get(column)?;
    CredentialKind::of(number).ok_or_else(|| damaged(column, Unknown(number.into())))
}

fn object_key(row: &SqlRow<'_>, column: usize) -> Result<ObjectKey> {
    ObjectKey::parse(text(row, column)?).map_err(|error| damaged(column, error))
}

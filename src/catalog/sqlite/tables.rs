//! The tables of a walk: how each is read from a place on.

use names::{OrgId, VersionId};
use rusqlite::{Connection, Params, Result, Row as SqlRow, params};

use super::columns::{
    NoContent, Stored, audit_columns, audit_segment, blob, blob_columns, bucket_columns, content,
    content_columns, credential_columns, name_key, name_key_columns, org_key_columns,
    organization_columns, part_columns, record_columns, unverified, upload_columns,
    version_columns,
};
use super::query::{all, damaged};
use crate::catalog::{
    BucketRow, CredentialRow, NamesKey, OrgKeyRow, OrganizationRow, PartRow, RecordRow, Unverified,
    UploadRow, VersionRow,
};

macro_rules! select {
    ($columns:ident, $from:literal) => {
        concat!("SELECT ", $columns!(), " FROM ", $from)
    };
}

/// Which rows of a table.
#[derive(Clone, Copy)]
pub(super) enum Scope {
    /// All of an organization, those that stand under the platform's key included.
    Tags(OrgId),
    /// Those that name a version of an organization's key: for the platform's, rows of all
    /// organizations.
    Named(OrgId, u32),
}

/// A row and its primary key, after the organization, written so that [`Place`] reads it.
pub(super) struct Found {
    pub(super) place: Vec<u8>,
    pub(super) row: NamesKey,
}

/// The tables of a walk, in its order.
#[derive(Clone, Copy)]
pub(super) enum Table {
    Records,
    Buckets,
    Versions,
    Contents,
    Blobs,
    Uploads,
    Parts,
    AuditSegments,
    NameKeys,
    Organizations,
    OrgKeys,
    Credentials,
}

pub(super) const TABLES: [Table; 12] = [
    Table::Records,
    Table::Buckets,
    Table::Versions,
    Table::Contents,
    Table::Blobs,
    Table::Uploads,
    Table::Parts,
    Table::AuditSegments,
    Table::NameKeys,
    Table::Organizations,
    Table::OrgKeys,
    Table::Credentials,
];

impl Table {
    pub(super) fn is_tagged(self) -> bool {
        !matches!(
            self,
            Self::Contents | Self::Blobs | Self::AuditSegments | Self::NameKeys
        )
    }

    /// Whether its rows stand under the platform's key.
    fn is_platforms(self) -> bool {
        matches!(
            self,
            Self::Organizations | Self::OrgKeys | Self::Credentials
        )
    }

    /// The least place above a row's.
    pub(super) fn after(self, place: &[u8]) -> Vec<u8> {
        let ends_with_number = matches!(
            self,
            Self::Versions | Self::Parts | Self::AuditSegments | Self::OrgKeys
        );
        match place.split_last_chunk::<8>() {
            Some((head, number)) if ends_with_number => {
                let next = u64::from_be_bytes(*number).saturating_add(1);
                [head, &next.to_be_bytes()].concat()
            }
            _ => [place, &[0]].concat(),
        }
    }

    pub(super) fn page(
        self,
        conn: &Connection,
        scope: Scope,
        from: &[u8],
        max: u32,
    ) -> Result<Vec<Found>> {
        let mut from = Place(from);
        let (org, key) = match scope {
            Scope::Tags(org) => (org, None),
            Scope::Named(org, version) => (org, Some(version)),
        };
        if self.is_platforms() && key.is_some() && !org.is_platform() {
            return Ok(Vec::new());
        }
        match self {
            Self::Records => rows(
                conn,
                select!(
                    record_columns,
                    "records WHERE org_id = ?1 AND (?2 IS NULL OR key_version = ?2)
                      AND (kind, id) >= (?4, ?5) ORDER BY kind, id LIMIT ?3"
                ),
                params![org.bytes(), key, max, from.byte(), from.rest()],
                NamesKey::Record,
                |row: &RecordRow| [&[row.kind as u8][..], &row.id].concat(),
            ),
            Self::Buckets => rows(
                conn,
                select!(
                    bucket_columns,
                    "buckets WHERE org_id = ?1 AND (?2 IS NULL OR key_version = ?2)
                      AND name >= ?4 ORDER BY name LIMIT ?3"
                ),
                params![org.bytes(), key, max, from.rest()],
                NamesKey::Bucket,
                |row: &BucketRow| row.name.as_str().as_bytes().to_vec(),
            ),
            Self::Versions => rows(
                conn,
                select!(
                    version_columns,
                    "versions v WHERE v.org_id = ?1 AND (?2 IS NULL OR v.key_version = ?2)
                      AND (v.bucket_id, v.key, v.sequence) >= (?4, ?5, ?6)
                      ORDER BY v.bucket_id, v.key, v.sequence LIMIT ?3"
                ),
                params![org.bytes(), key, max, from.id(), from.key(), from.number()],
                NamesKey::Version,
                |row: &VersionRow| {
                    let key = keyed(row.bucket.bytes(), row.key.as_bytes());
                    [&key[..], &row.sequence.to_be_bytes()].concat()
                },
            ),
            Self::Uploads => rows(
                conn,
                select!(
                    upload_columns,
                    "uploads WHERE org_id = ?1 AND (?2 IS NULL OR key_version = ?2)
                      AND (bucket_id, key, upload_id) >= (?4, ?5, ?6)
                      ORDER BY bucket_id, key, upload_id LIMIT ?3"
                ),
                params![org.bytes(), key, max, from.id(), from.key(), from.rest()],
                NamesKey::Upload,
                |row: &UploadRow| {
                    let key = keyed(row.bucket.bytes(), row.key.as_bytes());
                    [&key[..], row.upload.bytes()].concat()
                },
            ),
            Self::Parts => rows(
                conn,
                select!(
                    part_columns,
                    "upload_parts WHERE org_id = ?1 AND (?2 IS NULL OR key_version = ?2)
                      AND (upload_id, part) >= (?4, ?5) ORDER BY upload_id, part LIMIT ?3"
                ),
                params![org.bytes(), key, max, from.id(), from.number()],
                NamesKey::Part,
                |row: &PartRow| numbered(row.upload.bytes(), row.part.value().into()),
            ),
            Self::Contents => others(
                conn,
                concat!(
                    "SELECT c.version_id, ",
                    content_columns!(),
                    " FROM contents c WHERE c.org_id = ?1 AND c.key_version = ?2
                      AND c.version_id >= ?4 ORDER BY c.version_id LIMIT ?3"
                ),
                params![org.bytes(), key, max, from.rest()],
                |row| {
                    let version: [u8; 16] = row.get(0)?;
                    let content = content(row, 1)?.ok_or_else(|| damaged(1, NoContent))?;
                    let row = NamesKey::Content(VersionId::from_bytes(version), content);
                    Ok((version.to_vec(), row))
                },
            ),
            Self::Blobs => others(
                conn,
                select!(
                    blob_columns,
                    "blobs WHERE org_id = ?1 AND key_version = ?2 AND blob_id >= ?4
                      ORDER BY blob_id LIMIT ?3"
                ),
                params![org.bytes(), key, max, from.rest()],
                |row| {
                    let row = blob(row)?;
                    Ok((row.blob.bytes().to_vec(), NamesKey::Blob(row)))
                },
            ),
            Self::AuditSegments => others(
                conn,
                select!(
                    audit_columns,
                    "audit_segments WHERE org_id = ?1 AND key_version = ?2
                      AND (node_id, number) >= (?4, ?5) ORDER BY node_id, number LIMIT ?3"
                ),
                params![org.bytes(), key, max, from.id(), from.number()],
                |row| {
                    let row = audit_segment(row)?;
                    let place = numbered(row.node.bytes(), row.number);
                    Ok((place, NamesKey::AuditSegment(row)))
                },
            ),
            Self::NameKeys => others(
                conn,
                select!(
                    name_key_columns,
                    "name_keys WHERE org_id = ?1 AND key_version = ?2 AND org_id >= ?4
                      LIMIT ?3"
                ),
                params![org.bytes(), key, max, from.rest()],
                |row| {
                    let row = name_key(row)?;
                    Ok((row.org.bytes().to_vec(), NamesKey::NameKey(row)))
                },
            ),
            Self::Organizations => rows(
                conn,
                match key {
                    None => select!(
                        organization_columns,
                        "organizations WHERE org_id = ?1 AND org_id >= ?4 LIMIT ?3"
                    ),
                    Some(_) => select!(
                        organization_columns,
                        "organizations WHERE key_version = ?2 AND org_id >= ?4
                         ORDER BY org_id LIMIT ?3"
                    ),
                },
                params![org.bytes(), key, max, from.rest()],
                NamesKey::Organization,
                |row: &OrganizationRow| row.org.bytes().to_vec(),
            ),
            Self::OrgKeys => rows(
                conn,
                match key {
                    None => select!(
                        org_key_columns,
                        "org_keys WHERE org_id = ?1 AND (org_id, version) >= (?4, ?5)
                         ORDER BY version LIMIT ?3"
                    ),
                    // The row of the platform's key itself may stand under it, and goes with it.
                    Some(_) => select!(
                        org_key_columns,
                        "org_keys WHERE key_version = ?2 AND NOT (org_id = ?1 AND version = ?2)
                         AND (org_id, version) >= (?4, ?5) ORDER BY org_id, version LIMIT ?3"
                    ),
                },
                params![org.bytes(), key, max, from.id(), from.number()],
                NamesKey::OrgKey,
                |row: &OrgKeyRow| numbered(row.org.bytes(), row.version.into()),
            ),
            Self::Credentials => rows(
                conn,
                match key {
                    None => select!(
                        credential_columns,
                        "credentials WHERE org_id = ?1 AND lookup >= ?4 ORDER BY lookup LIMIT ?3"
                    ),
                    Some(_) => select!(
                        credential_columns,
                        "credentials WHERE key_version = ?2 AND lookup >= ?4
                         ORDER BY lookup LIMIT ?3"
                    ),
                },
                params![org.bytes(), key, max, from.rest()],
                NamesKey::Credential,
                |row: &CredentialRow| row.lookup.to_vec(),
            ),
        }
    }
}

/// A place being read: its first parts may be all there is, and what is missing is the least.
struct Place<'a>(&'a [u8]);

impl<'a> Place<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A small number.
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// An identifier.
    fn id(&mut self) -> &'a [u8] {
        self.take(16)
    }

    /// A key, behind its length.
    fn key(&mut self) -> &'a [u8] {
        let length = self.take(2).try_into().map_or(0, u16::from_be_bytes);
        self.take(length.into())
    }

    /// A number.
    fn number(&mut self) -> i64 {
        self.take(8).try_into().map_or(0, i64::from_be_bytes)
    }

    /// All that is left.
    fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }
}

fn numbered(id: &[u8; 16], number: u64) -> Vec<u8> {
    [&id[..], &number.to_be_bytes()].concat()
}

fn keyed(id: &[u8; 16], key: &[u8]) -> Vec<u8> {
    // A key has at most 1,024 bytes.
    [&id[..], &(key.len() as u16).to_be_bytes(), key].concat()
}

fn rows<R: Stored>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    wrap: fn(Unverified<R>) -> NamesKey,
    place: impl Fn(&R) -> Vec<u8>,
) -> Result<Vec<Found>> {
    all(conn, sql, params, |row| {
        let row = unverified(row)?;
        Ok(Found {
            place: place(row.unverified()),
            row: wrap(row),
        })
    })
}

fn others(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&SqlRow<'_>) -> Result<(Vec<u8>, NamesKey)>,
) -> Result<Vec<Found>> {
    all(conn, sql, params, |row| {
        let (place, row) = read(row)?;
        Ok(Found { place, row })
    })
}

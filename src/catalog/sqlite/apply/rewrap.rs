use names::{NodeId, OrgId, VersionId};
use rusqlite::{ToSql, params, params_from_iter};

use super::super::batch::Batch;
use super::super::error::Applied;
use super::super::query::int;
use crate::catalog::{Authenticated, Effect, NameKeyRow, RecordRow, Rewrap, Row, RowTag};

/// Only sealed bytes, key versions and tags are written. Whatever else a row holds stays as it
/// is, so that a rotation cannot change what a row says, not even by mistake.
pub(super) fn rewrap(batch: &mut Batch<'_>, org: OrgId, rewraps: &[Rewrap]) -> Applied<Effect> {
    for rewrap in rewraps {
        judge(batch, org, rewrap)?;
    }
    let mut count = 0;
    for rewrap in rewraps {
        if apply(batch, org, rewrap)? {
            count += 1;
        }
    }
    Ok(Effect::Rewrapped(count))
}

/// What is rewrapped belongs to the organization, and the key that it is put under takes writes.
fn judge(batch: &mut Batch<'_>, org: OrgId, rewrap: &Rewrap) -> Applied<()> {
    match rewrap {
        Rewrap::Record { new, .. } => {
            of_org(batch, org, new.row().org, new.tag(), &new.row().sealed)
        }
        Rewrap::Bucket { new, .. } => of_org(batch, org, new.row().org, new.tag(), &[]),
        Rewrap::Version { new, .. } => of_org(batch, org, new.row().org, new.tag(), &[]),
        Rewrap::Upload { new, .. } => {
            of_org(batch, org, new.row().org, new.tag(), &new.row().metadata)
        }
        Rewrap::Part { new, .. } => {
            of_org(batch, org, new.row().org, new.tag(), &new.row().metadata)
        }
        Rewrap::Content { key_version, .. }
        | Rewrap::Blob { key_version, .. }
        | Rewrap::AuditSegment { key_version, .. } => batch.key_open(org, *key_version),
        Rewrap::SealedSegment {
            sealed,
            key_version,
            ..
        } => {
            batch.key_open(org, *key_version)?;
            batch.record_under(*key_version, sealed)
        }
        Rewrap::NameKey { new, .. } => {
            batch.same_org(org, new.org)?;
            batch.key_open(org, new.key_version)
        }
        Rewrap::Organization { new, .. } => of_platform(batch, org, new, &[]),
        Rewrap::Credential { new, .. } => of_platform(batch, org, new, &new.row().sealed),
        Rewrap::OrgKey { new, .. } => of_platform(batch, org, new, &[]),
    }
}

fn of_org(
    batch: &mut Batch<'_>,
    org: OrgId,
    of_row: OrgId,
    tag: RowTag,
    record: &[u8],
) -> Applied<()> {
    batch.same_org(org, of_row)?;
    batch.sealed_key_open(org, tag, record)
}

fn of_platform<R: Row>(
    batch: &mut Batch<'_>,
    org: OrgId,
    new: &Authenticated<R>,
    record: &[u8],
) -> Applied<()> {
    batch.same_org(org, OrgId::PLATFORM)?;
    batch.sealed_key_open(org, new.tag(), record)
}

/// Compares and sets; false when the old value is not in place.
fn apply(batch: &mut Batch<'_>, org: OrgId, rewrap: &Rewrap) -> rusqlite::Result<bool> {
    match rewrap {
        Rewrap::Record { old, new } => record(batch, org, *old, new),
        Rewrap::Bucket { old, new } => {
            let key = params![org.bytes(), new.row().name.as_str().as_bytes(),];
            retag(batch, org, *old, new, RETAG_BUCKET, key)
        }
        Rewrap::Version { old, new } => {
            let row = new.row();
            let key = params![
                org.bytes(),
                row.bucket.bytes(),
                row.key.as_bytes(),
                int(row.sequence)?,
                row.etag,
            ];
            retag(batch, org, *old, new, RETAG_VERSION, key)
        }
        Rewrap::Content {
            version,
            old_key_version,
            metadata_header,
            body_header,
            key_version,
        } => content(
            batch,
            org,
            *version,
            (*old_key_version, *key_version),
            metadata_header,
            body_header.as_deref(),
        ),
        Rewrap::Blob {
            blob,
            old_key_version,
            header,
            key_version,
        } => {
            let leaked = batch.is_leaked(org, *old_key_version)?;
            let written = batch.execute(
                "UPDATE blobs SET header = ?4, key_version = ?5
                 WHERE org_id = ?1 AND blob_id = ?2 AND key_version = ?3
                 AND (refs = 0 OR NOT ?6)",
                params![
                    org.bytes(),
                    blob.bytes(),
                    old_key_version,
                    header,
                    key_version,
                    leaked
                ],
            )?;
            Ok(written > 0)
        }
        Rewrap::Upload { old, new } => {
            let row = new.row();
            let key = params![
                org.bytes(),
                row.bucket.bytes(),
                row.key.as_bytes(),
                row.upload.bytes(),
                row.metadata,
            ];
            retag(batch, org, *old, new, RETAG_UPLOAD, key)
        }
        Rewrap::Part { old, new } => {
            let row = new.row();
            let key = params![
                org.bytes(),
                row.upload.bytes(),
                row.part.value(),
                row.metadata,
            ];
            retag(batch, org, *old, new, RETAG_PART, key)
        }
        Rewrap::SealedSegment {
            node,
            number,
            old_key_version,
            sealed,
            key_version,
        } => {
            let written = batch.execute(
                "UPDATE audit_segments SET sealed = ?5, key_version = ?6
                 WHERE org_id = ?1 AND node_id = ?2 AND number = ?3 AND key_version = ?4",
                params![
                    org.bytes(),
                    node.bytes(),
                    int(*number)?,
                    old_key_version,
                    sealed,
                    key_version
                ],
            )?;
            Ok(written > 0)
        }
        Rewrap::AuditSegment {
            node,
            number,
            old_key_version,
            header,
            key_version,
        } => audit_segment(
            batch,
            org,
            (*node, *number),
            (*old_key_version, *key_version),
            header,
        ),
        Rewrap::NameKey {
            old_key_version,
            new,
        } => name_key(batch, org, *old_key_version, new),
        Rewrap::Organization { old, new } => {
            let key = params![new.row().org.bytes(),];
            retag(batch, new.row().org, *old, new, RETAG_ORGANIZATION, key)
        }
        Rewrap::Credential { old, new } => {
            let row = new.row();
            let key = params![row.lookup, row.sealed,];
            retag(batch, row.org, *old, new, RETAG_CREDENTIAL, key)
        }
        Rewrap::OrgKey { old, new } => {
            let row = new.row();
            let key = params![row.org.bytes(), row.version,];
            retag(batch, row.org, *old, new, RETAG_ORG_KEY, key)
        }
    }
}

/// Changes a tag, and what else `sql` says, in the row of a key. The tags are the statement's first
/// four parameters: the new one's version and MAC, and the old one's; then comes `key`.
fn retag<R: Row>(
    batch: &mut Batch<'_>,
    org: OrgId,
    old: RowTag,
    new: &Authenticated<R>,
    sql: &str,
    key: &[&dyn ToSql],
) -> rusqlite::Result<bool> {
    let tag = new.tag();
    let tags: [&dyn ToSql; 4] = [&tag.key_version, &tag.mac, &old.key_version, &old.mac];
    let params = params_from_iter(tags.into_iter().chain(key.iter().copied()));
    let written = batch.execute(sql, params)? > 0;
    if written {
        batch.changed::<R>(org, Some(old), Some(tag));
    }
    Ok(written)
}

fn record(
    batch: &mut Batch<'_>,
    org: OrgId,
    old: RowTag,
    new: &Authenticated<RecordRow>,
) -> rusqlite::Result<bool> {
    let (row, tag) = (new.row(), new.tag());
    let written = batch.execute(
        "UPDATE records SET key_version = ?1, mac = ?2, sealed = ?8
         WHERE key_version = ?3 AND mac = ?4 AND org_id = ?5 AND kind = ?6 AND id = ?7",
        params![
            tag.key_version,
            tag.mac,
            old.key_version,
            old.mac,
            org.bytes(),
            row.kind as u8,
            row.id,
            row.sealed,
        ],
    )?;
    if written > 0 {
        batch.record_changed(org, row.kind, Some(old), Some(tag));
    }
    Ok(written > 0)
}

fn content(
    batch: &Batch<'_>,
    org: OrgId,
    version: VersionId,
    (old_key, new_key): (u32, u32),
    metadata_header: &[u8],
    body_header: Option<&[u8]>,
) -> rusqlite::Result<bool> {
    if batch.is_leaked(org, old_key)? {
        return Ok(false);
    }
    let stands = batch.one(
        "SELECT metadata, body FROM contents
         WHERE org_id = ?1 AND version_id = ?2 AND key_version = ?3",
        params![org.bytes(), version.bytes(), old_key],
        |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<Vec<u8>>>(1)?)),
    )?;
    let Some((metadata, body)) = stands else {
        return Ok(false);
    };
    let Some(metadata) = with_header(metadata, metadata_header) else {
        return Ok(false);
    };
    let body = match (body, body_header) {
        (None, None) => None,
        (Some(body), Some(header)) => match with_header(body, header) {
            Some(body) => Some(body),
            None => return Ok(false),
        },
        // An inline body without a new header would be lost with the old key.
        _ => return Ok(false),
    };
    batch.execute(
        "UPDATE contents SET metadata = ?3, body = ?4, key_version = ?5
         WHERE org_id = ?1 AND version_id = ?2",
        params![org.bytes(), version.bytes(), metadata, body, new_key],
    )?;
    Ok(true)
}

fn audit_segment(
    batch: &Batch<'_>,
    org: OrgId,
    (node, number): (NodeId, u64),
    (old_key, new_key): (u32, u32),
    header: &[u8],
) -> rusqlite::Result<bool> {
    if batch.is_leaked(org, old_key)? {
        return Ok(false);
    }
    let sealed = batch.one(
        "SELECT sealed FROM audit_segments
         WHERE org_id = ?1 AND node_id = ?2 AND number = ?3 AND key_version = ?4",
        params![org.bytes(), node.bytes(), int(number)?, old_key],
        |row| row.get(0),
    )?;
    let Some(sealed) = sealed.and_then(|sealed| with_header(sealed, header)) else {
        return Ok(false);
    };
    batch.execute(
        "UPDATE audit_segments SET sealed = ?4, key_version = ?5
         WHERE org_id = ?1 AND node_id = ?2 AND number = ?3",
        params![org.bytes(), node.bytes(), int(number)?, sealed, new_key],
    )?;
    Ok(true)
}

fn name_key(
    batch: &mut Batch<'_>,
    org: OrgId,
    old_key: u32,
    new: &NameKeyRow,
) -> rusqlite::Result<bool> {
    let written = batch.execute(
        "UPDATE name_keys SET sealed = ?3, key_version = ?4
         WHERE org_id = ?1 AND key_version = ?2",
        params![org.bytes(), old_key, new.sealed, new.key_version],
    )?;
    if written > 0 {
        batch.name_key_changed(org);
    }
    Ok(written > 0)
}

/// Puts a new header in the place of a sealed blob's own; nothing behind it changes.
fn with_header(mut sealed: Vec<u8>, header: &[u8]) -> Option<Vec<u8>> {
    if header.len() != HEADER_BYTES {
        return None;
    }
    sealed.get_mut(..HEADER_BYTES)?.copy_from_slice(header);
    Some(sealed)
}

/// The length of a sealed blob's header (ENVELOPE.md).
const HEADER_BYTES: usize = 192;

// The first four parameters are the new tag and the old one.
const RETAG_BUCKET: &str = "UPDATE buckets SET key_version = ?1, mac = ?2
    WHERE key_version = ?3 AND mac = ?4 AND org_id = ?5 AND name = ?6";
const RETAG_VERSION: &str = "UPDATE versions SET key_version = ?1, mac = ?2, etag = ?9
    WHERE key_version = ?3 AND mac = ?4
    AND org_id = ?5 AND bucket_id = ?6 AND key = ?7 AND sequence = ?8";
const RETAG_UPLOAD: &str = "UPDATE uploads SET key_version = ?1, mac = ?2, metadata = ?9
    WHERE key_version = ?3 AND mac = ?4
    AND org_id = ?5 AND bucket_id = ?6 AND key = ?7 AND upload_id = ?8";
const RETAG_PART: &str = "UPDATE upload_parts SET key_version = ?1, mac = ?2, metadata = ?8
    WHERE key_version = ?3 AND mac = ?4 AND org_id = ?5 AND upload_id = ?6 AND part = ?7";
const RETAG_ORGANIZATION: &str = "UPDATE organizations SET key_version = ?1, mac = ?2
    WHERE key_version = ?3 AND mac = ?4 AND org_id = ?5";
const RETAG_CREDENTIAL: &str = "UPDATE credentials SET key_version = ?1, mac = ?2, sealed = ?6
    WHERE key_version = ?3 AND mac = ?4 AND lookup = ?5";
const RETAG_ORG_KEY: &str = "UPDATE org_keys SET key_version = ?1, mac = ?2
    WHERE key_version = ?3 AND mac = ?4 AND org_id = ?5 AND version = ?6";

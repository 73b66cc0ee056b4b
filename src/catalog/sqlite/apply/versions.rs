use std::collections::HashMap;

use names::{BucketId, ObjectKey, OrgId, PartNumber, VersionId};
use rusqlite::params;

use super::super::batch::Batch;
use super::super::columns::{slices, unverified, version_columns};
use super::super::error::Applied;
use super::super::query::int;
use super::super::read;
use super::references::{self, References};
use super::uploads;
use crate::catalog::{
    Accounting, Body, CommitVersion, CompletedUpload, Conflict, Content, Effect, Expect, PartRow,
    RowTag, Slice, Stored, Unverified, UploadRow, VersionRow, encode_slices,
};

pub(super) fn commit(batch: &mut Batch<'_>, org: OrgId, commit: &CommitVersion) -> Applied<Effect> {
    let (row, tag) = (commit.version.row(), commit.version.tag());
    let slices = slices_of(&commit.content.body);
    batch.same_org(org, row.org)?;
    batch.bucket_exists(org, row.bucket)?;
    batch.key_open(org, tag.key_version)?;
    batch.key_open(org, commit.content.key_version)?;
    let current = read::version(batch.conn(), org, row.bucket, &row.key)?;
    expected(commit.expect, current.as_ref())?;
    if let Some(current) = &current {
        let current = current.unverified().sequence;
        if row.sequence <= current {
            return Err(Conflict::Stale { current }.into());
        }
    }
    let completed = match &commit.completes {
        Some(completes) => Some(completed(batch, org, row, completes)?),
        None => None,
    };
    references::judge(batch, org, slices, &commit.new_blobs)?;
    let replaced = if row.is_null {
        null_version(batch, org, row.bucket, &row.key, current)?
    } else {
        None
    };
    let mut goes = Stored::default();
    if let Some((_, parts)) = &completed {
        goes = goes.plus(uploads::held(parts));
    }
    if let Some(replaced) = &replaced {
        goes = goes.plus(Stored::version(replaced.unverified().size));
    }
    let change = Stored::version(row.size).minus(goes);
    batch.has_room(org, &commit.accounting.limits, change)?;

    let mut references = References::default();
    references.add(slices);
    if let Some((upload, parts)) = &completed {
        uploads::remove(
            batch,
            org,
            upload,
            parts,
            &commit.accounting,
            &mut references,
        )?;
    }
    if let Some(replaced) = &replaced {
        remove(batch, org, replaced.unverified(), &mut references)?;
        count_gone(batch, org, replaced.unverified(), &commit.accounting)?;
    }
    let before = replaced.as_ref().map(Unverified::tag);
    batch.changed::<VersionRow>(org, before, Some(tag));
    insert(batch, row, tag, &commit.content)?;
    let comes = Stored::version(row.size);
    batch.store(org, row.bucket, commit.accounting.hour_ms, comes)?;
    references.apply(
        batch,
        org,
        &commit.new_blobs,
        commit.accounting.trash_not_before_ms,
    )?;
    Ok(Effect::Replaced(
        replaced.map(|row| row.unverified().version),
    ))
}

pub(super) fn delete(
    batch: &mut Batch<'_>,
    org: OrgId,
    bucket: BucketId,
    key: &ObjectKey,
    expect: Expect,
    accounting: &Accounting,
) -> Applied<Effect> {
    batch.bucket_exists(org, bucket)?;
    let current = read::version(batch.conn(), org, bucket, key)?;
    expected(expect, current.as_ref())?;
    let Some(deleted) = null_version(batch, org, bucket, key, current)? else {
        return Ok(Effect::Replaced(None));
    };

    let mut references = References::default();
    batch.changed::<VersionRow>(org, Some(deleted.tag()), None);
    remove(batch, org, deleted.unverified(), &mut references)?;
    count_gone(batch, org, deleted.unverified(), accounting)?;
    references.apply(batch, org, &[], accounting.trash_not_before_ms)?;
    Ok(Effect::Replaced(Some(deleted.unverified().version)))
}

/// Deletes a version and its content, and no longer counts it as naming its blobs.
pub(super) fn remove(
    batch: &Batch<'_>,
    org: OrgId,
    row: &VersionRow,
    references: &mut References,
) -> rusqlite::Result<()> {
    let named: Option<Vec<Slice>> = batch.one(
        "SELECT slices FROM contents
         WHERE org_id = ?1 AND version_id = ?2 AND slices IS NOT NULL",
        params![org.bytes(), row.version.bytes()],
        |row| slices(row, 0),
    )?;
    references.drop(named.as_deref().unwrap_or_default());
    batch.execute(
        "DELETE FROM contents WHERE org_id = ?1 AND version_id = ?2",
        params![org.bytes(), row.version.bytes()],
    )?;
    batch.execute(
        "DELETE FROM versions
         WHERE org_id = ?1 AND bucket_id = ?2 AND key = ?3 AND sequence = ?4",
        params![
            org.bytes(),
            row.bucket.bytes(),
            row.key.as_bytes(),
            int(row.sequence)?,
        ],
    )?;
    Ok(())
}

/// Counts a version that goes.
pub(super) fn count_gone(
    batch: &mut Batch<'_>,
    org: OrgId,
    row: &VersionRow,
    accounting: &Accounting,
) -> rusqlite::Result<()> {
    let change = Stored::default().minus(Stored::version(row.size));
    batch.store(org, row.bucket, accounting.hour_ms, change)
}

fn insert(
    batch: &Batch<'_>,
    row: &VersionRow,
    tag: RowTag,
    content: &Content,
) -> rusqlite::Result<()> {
    batch.execute(
        "INSERT INTO versions (org_id, bucket_id, key, sequence, version_id, is_null, size,
                               modified_ms, etag, parts, content_digest, key_version, mac)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            row.org.bytes(),
            row.bucket.bytes(),
            row.key.as_bytes(),
            int(row.sequence)?,
            row.version.bytes(),
            i64::from(row.is_null),
            int(row.size)?,
            int(row.modified_ms)?,
            row.etag,
            row.parts,
            row.content_digest,
            tag.key_version,
            tag.mac,
        ],
    )?;
    let (body, slices) = match &content.body {
        Body::Inline(sealed) => (Some(sealed), None),
        Body::Blobs(slices) => (None, Some(encode_slices(slices))),
    };
    batch.execute(
        "INSERT INTO contents (org_id, version_id, metadata, body, slices, key_version)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            row.org.bytes(),
            row.version.bytes(),
            content.metadata,
            body,
            slices,
            content.key_version,
        ],
    )?;
    Ok(())
}

/// The null version of a key, which the current one most often is.
fn null_version(
    batch: &Batch<'_>,
    org: OrgId,
    bucket: BucketId,
    key: &ObjectKey,
    current: Option<Unverified<VersionRow>>,
) -> rusqlite::Result<Option<Unverified<VersionRow>>> {
    match current {
        None => Ok(None),
        Some(current) if current.unverified().is_null => Ok(Some(current)),
        Some(_) => batch.one(
            concat!(
                "SELECT ",
                version_columns!(),
                " FROM versions v WHERE v.org_id = ?1 AND v.bucket_id = ?2 AND v.key = ?3
                  AND v.is_null = 1"
            ),
            params![org.bytes(), bucket.bytes(), key.as_bytes()],
            unverified,
        ),
    }
}

fn expected(expect: Expect, current: Option<&Unverified<VersionRow>>) -> Applied<()> {
    let current: Option<VersionId> = current.map(|row| row.unverified().version);
    let holds = match expect {
        Expect::Any => true,
        Expect::Absent => current.is_none(),
        Expect::Version(version) => current == Some(version),
    };
    if holds {
        Ok(())
    } else {
        Err(Conflict::Expectation { current }.into())
    }
}

/// The upload that a commit completes and its parts, if it is in progress and its parts are those
/// that the version was made of.
fn completed(
    batch: &Batch<'_>,
    org: OrgId,
    row: &VersionRow,
    completes: &CompletedUpload,
) -> Applied<(Unverified<UploadRow>, Vec<Unverified<PartRow>>)> {
    let upload = read::upload(batch.conn(), org, row.bucket, &row.key, completes.upload)?;
    let upload = upload.ok_or(Conflict::Missing)?;
    let parts = uploads::parts(batch, org, completes.upload)?;
    let tags: HashMap<PartNumber, RowTag> = parts
        .iter()
        .map(|part| (part.unverified().part, part.tag()))
        .collect();
    for (part, tag) in &completes.parts {
        if tags.get(part) != Some(tag) {
            return Err(Conflict::Changed.into());
        }
    }
    Ok((upload, parts))
}

fn slices_of(body: &Body) -> &[Slice] {
    match body {
        Body::Inline(_) => &[],
        Body::Blobs(slices) => slices,
    }
}

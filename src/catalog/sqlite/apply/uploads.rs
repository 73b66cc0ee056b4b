use names::{BucketId, ObjectKey, OrgId, UploadId};
use rusqlite::params;

use super::super::batch::Batch;
use super::super::columns::{part_columns, unverified};
use super::super::error::Applied;
use super::super::query::int;
use super::super::read;
use super::organizations;
use super::references::{self, References};
use crate::catalog::{
    Accounting, Authenticated, BlobRow, Conflict, Effect, OrgState, PartRow, Stored, Unverified,
    UploadRow, encode_slices,
};

pub(super) fn create(
    batch: &mut Batch<'_>,
    org: OrgId,
    upload: &Authenticated<UploadRow>,
) -> Applied<Effect> {
    let (row, tag) = (upload.row(), upload.tag());
    batch.same_org(org, row.org)?;
    batch.bucket_exists(org, row.bucket)?;
    batch.sealed_key_open(org, tag, &row.metadata)?;
    if read::upload(batch.conn(), org, row.bucket, &row.key, row.upload)?.is_some() {
        return Err(Conflict::Exists.into());
    }
    batch.changed::<UploadRow>(org, None, Some(tag));
    batch.execute(
        "INSERT INTO uploads (org_id, bucket_id, key, upload_id, principal_id, initiated_ms,
                              metadata, key_version, mac)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            org.bytes(),
            row.bucket.bytes(),
            row.key.as_bytes(),
            row.upload.bytes(),
            row.principal.bytes(),
            int(row.initiated_ms)?,
            row.metadata,
            tag.key_version,
            tag.mac,
        ],
    )?;
    Ok(Effect::Done)
}

pub(super) fn put_part(
    batch: &mut Batch<'_>,
    org: OrgId,
    (bucket, key): (BucketId, &ObjectKey),
    part: &Authenticated<PartRow>,
    new_blobs: &[BlobRow],
    accounting: &Accounting,
) -> Applied<Effect> {
    let (row, tag) = (part.row(), part.tag());
    batch.same_org(org, row.org)?;
    if read::upload(batch.conn(), org, bucket, key, row.upload)?.is_none() {
        return Err(Conflict::Missing.into());
    }
    batch.sealed_key_open(org, tag, &row.metadata)?;
    references::judge(batch, org, &row.slices, new_blobs)?;
    let replaced = read::part(batch.conn(), org, row.upload, row.part)?;
    let before = replaced
        .as_ref()
        .map_or(0, |replaced| replaced.unverified().size);
    let change = Stored::part(row.size).minus(Stored::part(before));
    batch.has_room(org, &accounting.limits, change)?;

    let mut references = References::default();
    references.add(&row.slices);
    if let Some(replaced) = &replaced {
        references.drop(&replaced.unverified().slices);
        batch.execute(
            "DELETE FROM upload_parts WHERE org_id = ?1 AND upload_id = ?2 AND part = ?3",
            params![org.bytes(), row.upload.bytes(), row.part.value()],
        )?;
    }
    let before = replaced.as_ref().map(Unverified::tag);
    batch.changed::<PartRow>(org, before, Some(tag));
    batch.execute(
        "INSERT INTO upload_parts (org_id, upload_id, part, size, modified_ms, metadata, slices,
                                   key_version, mac)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            org.bytes(),
            row.upload.bytes(),
            row.part.value(),
            int(row.size)?,
            int(row.modified_ms)?,
            row.metadata,
            encode_slices(&row.slices),
            tag.key_version,
            tag.mac,
        ],
    )?;
    batch.store(org, bucket, accounting.hour_ms, change)?;
    references.apply(batch, org, new_blobs, accounting.trash_not_before_ms)?;
    Ok(Effect::Done)
}

pub(super) fn abort(
    batch: &mut Batch<'_>,
    org: OrgId,
    bucket: BucketId,
    key: &ObjectKey,
    upload: UploadId,
    accounting: &Accounting,
) -> Applied<Effect> {
    let upload = read::upload(batch.conn(), org, bucket, key, upload)?.ok_or(Conflict::Missing)?;
    let parts = parts(batch, org, upload.unverified().upload)?;
    let mut references = References::default();
    remove(batch, org, &upload, &parts, accounting, &mut references)?;
    references.apply(batch, org, &[], accounting.trash_not_before_ms)?;
    Ok(Effect::Done)
}

/// A part that is not there yet finds no upload, and whoever completes it first has it.
pub(super) fn abandon(
    batch: &mut Batch<'_>,
    org: OrgId,
    (bucket, key): (BucketId, &ObjectKey),
    upload: UploadId,
    idle_since_ms: u64,
    accounting: &Accounting,
) -> Applied<Effect> {
    let row = read::upload(batch.conn(), org, bucket, key, upload)?.ok_or(Conflict::Missing)?;
    let last_part_ms = parts(batch, org, upload)?
        .iter()
        .map(|part| part.unverified().modified_ms)
        .max();
    let last_ms = last_part_ms.max(Some(row.unverified().initiated_ms));
    let is_active = organizations::state(batch, org)? == Some(OrgState::Active);
    if last_ms >= Some(idle_since_ms) || !is_active {
        return Err(Conflict::Changed.into());
    }
    abort(batch, org, bucket, key, upload, accounting)
}

/// The parts of an upload.
pub(super) fn parts(
    batch: &Batch<'_>,
    org: OrgId,
    upload: UploadId,
) -> rusqlite::Result<Vec<Unverified<PartRow>>> {
    batch.all(
        concat!(
            "SELECT ",
            part_columns!(),
            " FROM upload_parts WHERE org_id = ?1 AND upload_id = ?2"
        ),
        params![org.bytes(), upload.bytes()],
        unverified,
    )
}

/// What parts hold together.
pub(super) fn held(parts: &[Unverified<PartRow>]) -> Stored {
    let sizes = parts
        .iter()
        .map(|part| Stored::part(part.unverified().size));
    sizes.fold(Stored::default(), Stored::plus)
}

/// Deletes an upload and its parts, and no longer counts these as naming their blobs.
pub(super) fn remove(
    batch: &mut Batch<'_>,
    org: OrgId,
    upload: &Unverified<UploadRow>,
    parts: &[Unverified<PartRow>],
    accounting: &Accounting,
    references: &mut References,
) -> rusqlite::Result<()> {
    let row = upload.unverified();
    for part in parts {
        references.drop(&part.unverified().slices);
        batch.changed::<PartRow>(org, Some(part.tag()), None);
    }
    let change = Stored::default().minus(held(parts));
    batch.store(org, row.bucket, accounting.hour_ms, change)?;
    batch.execute(
        "DELETE FROM upload_parts WHERE org_id = ?1 AND upload_id = ?2",
        params![org.bytes(), row.upload.bytes()],
    )?;
    batch.changed::<UploadRow>(org, Some(upload.tag()), None);
    batch.execute(
        "DELETE FROM uploads
         WHERE org_id = ?1 AND bucket_id = ?2 AND key = ?3 AND upload_id = ?4",
        params![
            org.bytes(),
            row.bucket.bytes(),
            row.key.as_bytes(),
            row.upload.bytes(),
        ],
    )?;
    Ok(())
}

use names::{BucketId, BucketName, OrgId};
use rusqlite::params;

use super::super::batch::Batch;
use super::super::columns::{unverified, upload_columns};
use super::super::error::Applied;
use super::super::query::int;
use super::super::read;
use super::references::References;
use super::uploads;
use crate::catalog::{
    Accounting, Authenticated, BucketRow, Conflict, Effect, StoredLimits, Unverified, UploadRow,
};

pub(super) fn create(
    batch: &mut Batch<'_>,
    org: OrgId,
    bucket: &Authenticated<BucketRow>,
) -> Applied<Effect> {
    let (row, tag) = (bucket.row(), bucket.tag());
    batch.same_org(org, row.org)?;
    batch.key_open(org, tag.key_version)?;
    if read::bucket(batch.conn(), org, &row.name)?.is_some()
        || batch.bucket_exists(org, row.bucket).is_ok()
    {
        return Err(Conflict::Exists.into());
    }
    batch.changed::<BucketRow>(org, None, Some(tag));
    batch.execute(
        "INSERT INTO buckets (org_id, name, bucket_id, created_ms, sequence, key_version, mac)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            org.bytes(),
            row.name.as_str().as_bytes(),
            row.bucket.bytes(),
            int(row.created_ms)?,
            int(row.sequence)?,
            tag.key_version,
            tag.mac,
        ],
    )?;
    Ok(Effect::Done)
}

pub(super) fn delete(
    batch: &mut Batch<'_>,
    org: OrgId,
    name: &BucketName,
    bucket: BucketId,
) -> Applied<Effect> {
    let stands =
        read::bucket(batch.conn(), org, name)?.filter(|row| row.unverified().bucket == bucket);
    let Some(stands) = stands else {
        return Err(Conflict::Missing.into());
    };
    let ids = params![org.bytes(), bucket.bytes()];
    if batch.exists(
        "SELECT 1 FROM versions WHERE org_id = ?1 AND bucket_id = ?2 LIMIT 1",
        ids,
    )? {
        return Err(Conflict::NotEmpty.into());
    }
    let given_up: Vec<Unverified<UploadRow>> = batch.all(
        concat!(
            "SELECT ",
            upload_columns!(),
            " FROM uploads WHERE org_id = ?1 AND bucket_id = ?2"
        ),
        ids,
        unverified,
    )?;

    let now_ms = batch.now_ms();
    let accounting = Accounting {
        hour_ms: now_ms - now_ms % HOUR_MS,
        trash_not_before_ms: now_ms + HOUR_MS,
        limits: StoredLimits::default(),
    };
    let mut references = References::default();
    for upload in &given_up {
        let parts = uploads::parts(batch, org, upload.unverified().upload)?;
        uploads::remove(batch, org, upload, &parts, &accounting, &mut references)?;
    }
    references.apply(batch, org, &[], accounting.trash_not_before_ms)?;
    batch.changed::<BucketRow>(org, Some(stands.tag()), None);
    batch.execute(
        "DELETE FROM buckets WHERE org_id = ?1 AND name = ?2",
        params![org.bytes(), name.as_str().as_bytes()],
    )?;
    Ok(Effect::Done)
}

/// Usage is counted by the hour, and what a deleted bucket held stays for readers as long.
const HOUR_MS: u64 = 3_600_000;

use names::OrgId;
use rusqlite::params;

use super::super::batch::Batch;
use super::super::columns::{
    bucket_columns, part_columns, unverified, upload_columns, version_columns,
};
use super::super::error::Applied;
use super::organizations;
use super::references::References;
use super::versions;
use crate::catalog::{
    Accounting, BucketRow, Conflict, Effect, Meter, OrgState, PartRow, Unverified, UploadRow,
    UsageDelta, VersionRow,
};

/// Blobs become garbage at once: nobody can open them any more.
pub(super) fn purge(batch: &mut Batch<'_>, org: OrgId, rows_max: u32) -> Applied<Effect> {
    if organizations::state(batch, org)? != Some(OrgState::Destroyed) {
        return Err(Conflict::Changed.into());
    }
    let now_ms = batch.now_ms();
    let accounting = Accounting {
        hour_ms: now_ms - now_ms % HOUR_MS,
        trash_not_before_ms: now_ms,
    };
    let mut references = References::default();
    let mut left = rows_max as usize;
    left -= parts(batch, org, left, &accounting, &mut references)?;
    left -= uploads(batch, org, left)?;
    left -= versions(batch, org, left, &accounting, &mut references)?;
    left -= buckets(batch, org, left)?;
    left -= batch.execute(
        "DELETE FROM audit_segments WHERE org_id = ?1 AND (node_id, number) IN
         (SELECT node_id, number FROM audit_segments WHERE org_id = ?1 LIMIT ?2)",
        params![org.bytes(), left as i64],
    )?;
    references.apply(batch, org, &[], accounting.trash_not_before_ms)?;
    Ok(Effect::Purged {
        more: left == 0 && is_left(batch, org)?,
    })
}

fn parts(
    batch: &mut Batch<'_>,
    org: OrgId,
    max: usize,
    accounting: &Accounting,
    references: &mut References,
) -> rusqlite::Result<usize> {
    let rows: Vec<Unverified<PartRow>> = batch.all(
        concat!(
            "SELECT ",
            part_columns!(),
            " FROM upload_parts WHERE org_id = ?1 LIMIT ?2"
        ),
        params![org.bytes(), max as i64],
        unverified,
    )?;
    for part in &rows {
        let row = part.unverified();
        references.drop(&row.slices);
        batch.count(
            org,
            UsageDelta {
                hour_ms: accounting.hour_ms,
                meter: Meter::StoredBytes,
                amount: -i64::try_from(row.size).unwrap_or(i64::MAX),
            },
        );
        batch.changed::<PartRow>(org, Some(part.tag()), None);
        batch.execute(
            "DELETE FROM upload_parts WHERE org_id = ?1 AND upload_id = ?2 AND part = ?3",
            params![org.bytes(), row.upload.bytes(), row.part.value()],
        )?;
    }
    Ok(rows.len())
}

fn uploads(batch: &mut Batch<'_>, org: OrgId, max: usize) -> rusqlite::Result<usize> {
    let rows: Vec<Unverified<UploadRow>> = batch.all(
        concat!(
            "SELECT ",
            upload_columns!(),
            " FROM uploads WHERE org_id = ?1 LIMIT ?2"
        ),
        params![org.bytes(), max as i64],
        unverified,
    )?;
    for upload in &rows {
        let row = upload.unverified();
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
    }
    Ok(rows.len())
}

fn versions(
    batch: &mut Batch<'_>,
    org: OrgId,
    max: usize,
    accounting: &Accounting,
    references: &mut References,
) -> rusqlite::Result<usize> {
    let rows: Vec<Unverified<VersionRow>> = batch.all(
        concat!(
            "SELECT ",
            version_columns!(),
            " FROM versions v WHERE v.org_id = ?1 LIMIT ?2"
        ),
        params![org.bytes(), max as i64],
        unverified,
    )?;
    for version in &rows {
        batch.changed::<VersionRow>(org, Some(version.tag()), None);
        versions::remove(batch, org, version.unverified(), references)?;
        versions::count(batch, org, version.unverified(), -1, accounting);
    }
    Ok(rows.len())
}

fn buckets(batch: &mut Batch<'_>, org: OrgId, max: usize) -> rusqlite::Result<usize> {
    let rows: Vec<Unverified<BucketRow>> = batch.all(
        concat!(
            "SELECT ",
            bucket_columns!(),
            " FROM buckets WHERE org_id = ?1 LIMIT ?2"
        ),
        params![org.bytes(), max as i64],
        unverified,
    )?;
    for bucket in &rows {
        batch.changed::<BucketRow>(org, Some(bucket.tag()), None);
        batch.execute(
            "DELETE FROM buckets WHERE org_id = ?1 AND name = ?2",
            params![org.bytes(), bucket.unverified().name.as_str().as_bytes()],
        )?;
    }
    Ok(rows.len())
}

fn is_left(batch: &Batch<'_>, org: OrgId) -> rusqlite::Result<bool> {
    const PURGED: [&str; 5] = [
        "SELECT 1 FROM upload_parts WHERE org_id = ?1 LIMIT 1",
        "SELECT 1 FROM uploads WHERE org_id = ?1 LIMIT 1",
        "SELECT 1 FROM versions WHERE org_id = ?1 LIMIT 1",
        "SELECT 1 FROM buckets WHERE org_id = ?1 LIMIT 1",
        "SELECT 1 FROM audit_segments WHERE org_id = ?1 LIMIT 1",
    ];
    for sql in PURGED {
        if batch.exists(sql, params![org.bytes()])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Usage is counted by the hour.
const HOUR_MS: u64 = 3_600_000;

use names::OrgId;
use rusqlite::params;

use super::super::batch::Batch;
use super::super::columns::{
    bucket_columns, part_columns, unverified, upload_columns, version_columns,
};
use super::super::error::Applied;
use super::references::References;
use super::{organizations, records, uploads, versions};
use crate::catalog::{
    Accounting, BucketRow, Conflict, Effect, OrgState, PartRow, RecordKind, Stored, StoredLimits,
    Unverified, UploadRow, VersionRow,
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
        limits: StoredLimits::default(),
    };
    let mut references = References::default();
    let mut left = rows_max as usize;
    left -= uploads(batch, org, left, &accounting, &mut references)?;
    // Parts of no upload are counted nowhere.
    left -= batch.execute(
        "DELETE FROM upload_parts WHERE org_id = ?1 AND (upload_id, part) IN
         (SELECT upload_id, part FROM upload_parts WHERE org_id = ?1 LIMIT ?2)",
        params![org.bytes(), left as i64],
    )?;
    left -= versions(batch, org, left, &accounting, &mut references)?;
    left -= buckets(batch, org, left)?;
    left -= batch.execute(
        "DELETE FROM audit_segments WHERE org_id = ?1 AND (node_id, number) IN
         (SELECT node_id, number FROM audit_segments WHERE org_id = ?1 LIMIT ?2)",
        params![org.bytes(), left as i64],
    )?;
    for kind in RecordKind::ALL {
        left -= records::delete_some(batch, org, kind, left)?;
    }
    references.apply(batch, org, &[], accounting.trash_not_before_ms)?;
    Ok(Effect::Purged {
        more: left == 0 && is_left(batch, org)?,
    })
}

/// Uploads one by one, each after its parts: they are counted in its bucket.
fn uploads(
    batch: &mut Batch<'_>,
    org: OrgId,
    max: usize,
    accounting: &Accounting,
    references: &mut References,
) -> rusqlite::Result<usize> {
    let mut rows = 0;
    while rows < max {
        let first: Option<Unverified<UploadRow>> = batch.one(
            concat!(
                "SELECT ",
                upload_columns!(),
                " FROM uploads WHERE org_id = ?1 LIMIT 1"
            ),
            params![org.bytes()],
            unverified,
        )?;
        let Some(upload) = first else { break };
        let row = upload.unverified();
        rows += parts(batch, org, row, max - rows, accounting, references)?;
        if rows == max {
            break;
        }
        batch.changed::<UploadRow>(org, Some(upload.tag()), None);
        rows += batch.execute(
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
    Ok(rows)
}

fn parts(
    batch: &mut Batch<'_>,
    org: OrgId,
    upload: &UploadRow,
    max: usize,
    accounting: &Accounting,
    references: &mut References,
) -> rusqlite::Result<usize> {
    let rows: Vec<Unverified<PartRow>> = batch.all(
        concat!(
            "SELECT ",
            part_columns!(),
            " FROM upload_parts WHERE org_id = ?1 AND upload_id = ?2 LIMIT ?3"
        ),
        params![org.bytes(), upload.upload.bytes(), max as i64],
        unverified,
    )?;
    for part in &rows {
        let row = part.unverified();
        references.drop(&row.slices);
        batch.changed::<PartRow>(org, Some(part.tag()), None);
        batch.execute(
            "DELETE FROM upload_parts WHERE org_id = ?1 AND upload_id = ?2 AND part = ?3",
            params![org.bytes(), row.upload.bytes(), row.part.value()],
        )?;
    }
    let change = Stored::default().minus(uploads::held(&rows));
    batch.store(org, upload.bucket, accounting.hour_ms, change)?;
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
        versions::count_gone(batch, org, version.unverified(), accounting)?;
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
        "SELECT 1 FROM records WHERE org_id = ?1 LIMIT 1",
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

//! Reads: rows by their keys, and pages in the order of their keys.

use names::{BlobId, BucketId, BucketName, ObjectKey, OrgId, PartNumber, UploadId};
use rusqlite::{Connection, Result, params};

use super::columns::{
    self, NoContent, VERSION_COLUMNS, WHOLE, blob_columns, bucket_columns, content,
    content_columns, meter, part_columns, subject, unverified, upload_columns, version_columns,
};
use super::query::{all, damaged, int, one, unsigned};
use crate::catalog::{
    BlobRow, BucketRow, Content, Meter, OrgState, PartRow, Recount, Stored, Unverified, UploadRow,
    UsageDelta, UsageSubjectKind, VersionRow,
};

pub(super) fn bucket(
    conn: &Connection,
    org: OrgId,
    name: &BucketName,
) -> Result<Option<Unverified<BucketRow>>> {
    one(
        conn,
        concat!(
            "SELECT ",
            bucket_columns!(),
            " FROM buckets WHERE org_id = ?1 AND name = ?2"
        ),
        params![org.bytes(), name.as_str().as_bytes()],
        unverified,
    )
}

pub(super) fn buckets(
    conn: &Connection,
    org: OrgId,
    prefix: &str,
    after: Option<&str>,
    max: u32,
) -> Result<Vec<Unverified<BucketRow>>> {
    // No name holds a byte of 0xff.
    let until = [prefix.as_bytes(), &[0xff]].concat();
    all(
        conn,
        concat!(
            "SELECT ",
            bucket_columns!(),
            " FROM buckets
              WHERE org_id = ?1 AND name >= ?2 AND name > ?3 AND name < ?4 ORDER BY name LIMIT ?5"
        ),
        params![
            org.bytes(),
            prefix.as_bytes(),
            after.unwrap_or_default().as_bytes(),
            until,
            max,
        ],
        unverified,
    )
}

pub(super) fn version(
    conn: &Connection,
    org: OrgId,
    bucket: BucketId,
    key: &ObjectKey,
) -> Result<Option<Unverified<VersionRow>>> {
    one(
        conn,
        concat!(
            "SELECT ",
            version_columns!(),
            " FROM versions v WHERE v.org_id = ?1 AND v.bucket_id = ?2 AND v.key = ?3
              ORDER BY v.sequence DESC LIMIT 1"
        ),
        params![org.bytes(), bucket.bytes(), key.as_bytes()],
        unverified,
    )
}

/// One statement, and so one snapshot.
pub(super) fn object(
    conn: &Connection,
    org: OrgId,
    bucket: BucketId,
    key: &ObjectKey,
) -> Result<Option<(Unverified<VersionRow>, Content)>> {
    one(
        conn,
        concat!(
            "SELECT ",
            version_columns!(),
            ", ",
            content_columns!(),
            " FROM versions v LEFT JOIN contents c
                ON c.org_id = v.org_id AND c.version_id = v.version_id
              WHERE v.org_id = ?1 AND v.bucket_id = ?2 AND v.key = ?3
              ORDER BY v.sequence DESC LIMIT 1"
        ),
        params![org.bytes(), bucket.bytes(), key.as_bytes()],
        |row| {
            let content = content(row, VERSION_COLUMNS)?;
            let content = content.ok_or_else(|| damaged(VERSION_COLUMNS, NoContent))?;
            Ok((unverified(row)?, content))
        },
    )
}

pub(super) fn blobs(conn: &Connection, org: OrgId, blobs: &[BlobId]) -> Result<Vec<BlobRow>> {
    let snapshot = conn.unchecked_transaction()?;
    let mut found = Vec::with_capacity(blobs.len());
    for id in blobs {
        found.extend(blob(&snapshot, org, *id)?);
    }
    Ok(found)
}

/// What is known of one blob.
pub(super) fn blob(conn: &Connection, org: OrgId, id: BlobId) -> Result<Option<BlobRow>> {
    one(
        conn,
        concat!(
            "SELECT ",
            blob_columns!(),
            " FROM blobs WHERE org_id = ?1 AND blob_id = ?2"
        ),
        params![org.bytes(), id.bytes()],
        columns::blob,
    )
}

/// By their age: the index leads to those that are old, and few of these are still gone on with.
pub(super) fn idle_uploads(
    conn: &Connection,
    idle_since_ms: u64,
    after: Option<(u64, OrgId, UploadId)>,
    max: u32,
) -> Result<Vec<Unverified<UploadRow>>> {
    let (initiated_ms, org, upload) = after
        .map_or((0, [0; 16], [0; 16]), |(initiated_ms, org, upload)| {
            (initiated_ms, *org.bytes(), *upload.bytes())
        });
    all(
        conn,
        concat!(
            "SELECT ",
            upload_columns!(),
            " FROM uploads WHERE initiated_ms < ?1
              AND (initiated_ms, org_id, upload_id) > (?2, ?3, ?4)
              AND NOT EXISTS (SELECT 1 FROM upload_parts p
                              WHERE p.org_id = uploads.org_id AND p.upload_id = uploads.upload_id
                              AND p.modified_ms >= ?1)
              AND EXISTS (SELECT 1 FROM organizations o
                          WHERE o.org_id = uploads.org_id AND o.state = ?6)
              ORDER BY initiated_ms, org_id, upload_id LIMIT ?5"
        ),
        params![
            int(idle_since_ms)?,
            int(initiated_ms)?,
            org,
            upload,
            max,
            OrgState::Active as u8,
        ],
        unverified,
    )
}

pub(super) fn upload(
    conn: &Connection,
    org: OrgId,
    bucket: BucketId,
    key: &ObjectKey,
    upload: UploadId,
) -> Result<Option<Unverified<UploadRow>>> {
    one(
        conn,
        concat!(
            "SELECT ",
            upload_columns!(),
            " FROM uploads
              WHERE org_id = ?1 AND bucket_id = ?2 AND key = ?3 AND upload_id = ?4"
        ),
        params![org.bytes(), bucket.bytes(), key.as_bytes(), upload.bytes()],
        unverified,
    )
}

/// A part of an upload.
pub(super) fn part(
    conn: &Connection,
    org: OrgId,
    upload: UploadId,
    part: PartNumber,
) -> Result<Option<Unverified<PartRow>>> {
    one(
        conn,
        concat!(
            "SELECT ",
            part_columns!(),
            " FROM upload_parts WHERE org_id = ?1 AND upload_id = ?2 AND part = ?3"
        ),
        params![org.bytes(), upload.bytes(), part.value()],
        unverified,
    )
}

pub(super) fn parts(
    conn: &Connection,
    org: OrgId,
    upload: UploadId,
    after: Option<PartNumber>,
    max: u32,
) -> Result<Vec<Unverified<PartRow>>> {
    all(
        conn,
        concat!(
            "SELECT ",
            part_columns!(),
            " FROM upload_parts
              WHERE org_id = ?1 AND upload_id = ?2 AND part > ?3 ORDER BY part LIMIT ?4"
        ),
        params![
            org.bytes(),
            upload.bytes(),
            after.map_or(0, PartNumber::value),
            max,
        ],
        unverified,
    )
}

/// Of the organization as a whole, or by subject.
pub(super) fn usage(
    conn: &Connection,
    org: OrgId,
    from_ms: u64,
    until_ms: u64,
    subjects: Option<UsageSubjectKind>,
) -> Result<Vec<UsageDelta>> {
    // The end of time is a way to ask for everything.
    let until_ms = i64::try_from(until_ms).unwrap_or(i64::MAX);
    let subject_kind = subjects.map_or(WHOLE, |kind| kind as u8);
    all(
        conn,
        "SELECT hour_ms, meter, subject_kind, subject, SUM(amount) FROM (
             SELECT hour_ms, subject_kind, subject, meter, amount FROM usage_totals
             WHERE org_id = ?1 AND subject_kind = ?4 AND hour_ms >= ?2 AND hour_ms < ?3
             UNION ALL
             SELECT hour_ms, subject_kind, subject, meter, amount FROM usage_deltas
             WHERE org_id = ?1 AND subject_kind = ?4 AND hour_ms >= ?2 AND hour_ms < ?3
         ) AS amounts GROUP BY hour_ms, subject_kind, subject, meter
         ORDER BY hour_ms, subject, meter",
        params![org.bytes(), int(from_ms)?, until_ms, subject_kind],
        |row| {
            Ok(UsageDelta {
                hour_ms: unsigned(row, 0)?,
                meter: meter(row, 1)?,
                subject: subject(row, 2)?,
                amount: row.get(4)?,
            })
        },
    )
}

pub(super) fn stored(conn: &Connection, org: OrgId) -> Result<Stored> {
    let stored = one(
        conn,
        "SELECT bytes, objects FROM stored WHERE org_id = ?1",
        params![org.bytes()],
        |row| {
            Ok(Stored {
                bytes: row.get(0)?,
                objects: row.get(1)?,
            })
        },
    )?;
    Ok(stored.unwrap_or_default())
}

pub(super) fn recount(conn: &Connection, org: OrgId) -> Result<Recount> {
    let snapshot = conn.unchecked_transaction()?;
    let sum = |subject_kind: u8, meter: Meter| -> Result<i64> {
        let sum = one(
            &snapshot,
            "SELECT COALESCE(SUM(amount), 0) FROM (
                 SELECT amount FROM usage_totals
                 WHERE org_id = ?1 AND subject_kind = ?2 AND meter = ?3
                 UNION ALL
                 SELECT amount FROM usage_deltas
                 WHERE org_id = ?1 AND subject_kind = ?2 AND meter = ?3
             ) AS amounts",
            params![org.bytes(), subject_kind, meter as u8],
            |row| row.get(0),
        )?;
        Ok(sum.unwrap_or(0))
    };
    let metered = |subject_kind| -> Result<Stored> {
        Ok(Stored {
            bytes: sum(subject_kind, Meter::StoredBytes)?,
            objects: sum(subject_kind, Meter::Objects)?,
        })
    };
    Ok(Recount {
        stored: stored(&snapshot, org)?,
        metered: metered(WHOLE)?,
        in_buckets: metered(UsageSubjectKind::Bucket as u8)?,
    })
}

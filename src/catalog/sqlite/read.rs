//! Reads: rows by their keys, and pages in the order of their keys.

use names::{
    BlobId, BucketId, BucketName, NodeId, ObjectKey, OrgId, PartNumber, RootId, Slug, UploadId,
};
use rusqlite::{Connection, Error, Result, params};

use super::columns::{
    NoContent, VERSION_COLUMNS, WHOLE, audit_columns, audit_segment, blob, blob_columns,
    bucket_columns, content, content_columns, credential_columns, meter, name_key,
    name_key_columns, org_key_columns, organization_columns, part_columns, subject, unverified,
    upload_columns, version_columns,
};
use super::query::{all, damaged, int, one, unsigned};
use crate::catalog::{
    AuditSegmentRow, BlobRow, BucketRow, Content, CredentialQuery, CredentialRow, Meter,
    NameKeyRow, OrgKeyRow, OrgState, OrganizationRow, PartRow, Recount, SEGMENT_SPAN_MS_MAX,
    Stored, Unverified, UploadRow, UsageDelta, UsageSubjectKind, VersionRow,
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
        found.extend(one(
            &snapshot,
            concat!(
                "SELECT ",
                blob_columns!(),
                " FROM blobs WHERE org_id = ?1 AND blob_id = ?2"
            ),
            params![org.bytes(), id.bytes()],
            blob,
        )?);
    }
    Ok(found)
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

pub(super) fn audit_segments(
    conn: &Connection,
    org: OrgId,
    node: NodeId,
    from: u64,
    max: u32,
) -> Result<Vec<AuditSegmentRow>> {
    all(
        conn,
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit_segments
              WHERE org_id = ?1 AND node_id = ?2 AND number >= ?3 ORDER BY number LIMIT ?4"
        ),
        params![org.bytes(), node.bytes(), int(from)?, max],
        audit_segment,
    )
}

/// By the time of the last event, so that a page begins where the one before ended; what ends
/// later than a segment's span after the time cannot have begun in it.
pub(super) fn audit_segments_between(
    conn: &Connection,
    org: OrgId,
    (from_ms, until_ms): (u64, u64),
    after: Option<(NodeId, u64)>,
    max: u32,
) -> Result<Vec<AuditSegmentRow>> {
    let snapshot = conn.unchecked_transaction()?;
    let mut from = (from_ms, Vec::new(), 0);
    if let Some((node, number)) = after {
        let last_ms = one(
            &snapshot,
            "SELECT last_ms FROM audit_segments WHERE org_id = ?1 AND node_id = ?2 AND number = ?3",
            params![org.bytes(), node.bytes(), int(number)?],
            |row| unsigned(row, 0),
        )?;
        // Nothing comes after a segment that is not there.
        let Some(last_ms) = last_ms else {
            return Ok(Vec::new());
        };
        if last_ms >= from_ms {
            from = (last_ms, node.bytes().to_vec(), number.saturating_add(1));
        }
    }
    let span_end_ms = until_ms.saturating_add(SEGMENT_SPAN_MS_MAX);
    let [until_ms, span_end_ms] =
        [until_ms, span_end_ms].map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
    all(
        &snapshot,
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit_segments
              WHERE org_id = ?1 AND (last_ms, node_id, number) >= (?2, ?3, ?4)
              AND last_ms < ?5 AND first_ms < ?6
              ORDER BY last_ms, node_id, number LIMIT ?7"
        ),
        params![
            org.bytes(),
            int(from.0)?,
            from.1,
            int(from.2)?,
            span_end_ms,
            until_ms,
            max,
        ],
        audit_segment,
    )
}

/// The same, from the last on.
pub(super) fn audit_segments_backwards(
    conn: &Connection,
    org: OrgId,
    (from_ms, until_ms): (u64, u64),
    before: Option<(NodeId, u64)>,
    max: u32,
) -> Result<Vec<AuditSegmentRow>> {
    let snapshot = conn.unchecked_transaction()?;
    let [from_ms, until_ms, span_end_ms] = [
        from_ms,
        until_ms,
        until_ms.saturating_add(SEGMENT_SPAN_MS_MAX),
    ]
    .map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
    // Before every segment that ends then.
    let mut end = (span_end_ms, Vec::new(), 0);
    if let Some((node, number)) = before {
        let last_ms: Option<i64> = one(
            &snapshot,
            "SELECT last_ms FROM audit_segments WHERE org_id = ?1 AND node_id = ?2 AND number = ?3",
            params![org.bytes(), node.bytes(), int(number)?],
            |row| row.get(0),
        )?;
        // Nothing comes before a segment that is not there.
        let Some(last_ms) = last_ms else {
            return Ok(Vec::new());
        };
        if last_ms < span_end_ms {
            end = (last_ms, node.bytes().to_vec(), int(number)?);
        }
    }
    all(
        &snapshot,
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit_segments
              WHERE org_id = ?1 AND (last_ms, node_id, number) < (?2, ?3, ?4)
              AND last_ms >= ?5 AND first_ms < ?6
              ORDER BY last_ms DESC, node_id DESC, number DESC LIMIT ?7"
        ),
        params![org.bytes(), end.0, end.1, end.2, from_ms, until_ms, max],
        audit_segment,
    )
}

pub(super) fn audit_chains(conn: &Connection, org: OrgId) -> Result<Vec<(NodeId, u64)>> {
    let snapshot = conn.unchecked_transaction()?;
    let mut chains = Vec::new();
    let mut after = Vec::new();
    // From node to node, without reading the segments between.
    while let Some(node) = one(
        &snapshot,
        "SELECT node_id FROM audit_segments WHERE org_id = ?1 AND node_id > ?2
         ORDER BY node_id LIMIT 1",
        params![org.bytes(), after],
        |row| row.get(0).map(NodeId::from_bytes),
    )? {
        let last = one(
            &snapshot,
            "SELECT number FROM audit_segments WHERE org_id = ?1 AND node_id = ?2
             ORDER BY number DESC LIMIT 1",
            params![org.bytes(), node.bytes()],
            |row| unsigned(row, 0),
        )?;
        chains.push((node, last.map_or(0, |last| last + 1)));
        after = node.bytes().to_vec();
    }
    Ok(chains)
}

pub(super) fn organization(
    conn: &Connection,
    org: OrgId,
) -> Result<Option<Unverified<OrganizationRow>>> {
    one(
        conn,
        concat!(
            "SELECT ",
            organization_columns!(),
            " FROM organizations WHERE org_id = ?1"
        ),
        params![org.bytes()],
        unverified,
    )
}

pub(super) fn organization_by_slug(
    conn: &Connection,
    slug: &Slug,
) -> Result<Option<Unverified<OrganizationRow>>> {
    one(
        conn,
        concat!(
            "SELECT ",
            organization_columns!(),
            " FROM organizations WHERE slug = ?1"
        ),
        params![slug.as_str().as_bytes()],
        unverified,
    )
}

pub(super) fn organizations(
    conn: &Connection,
    after: Option<OrgId>,
    max: u32,
) -> Result<Vec<Unverified<OrganizationRow>>> {
    let after = after.map(|org| *org.bytes());
    all(
        conn,
        concat!(
            "SELECT ",
            organization_columns!(),
            " FROM organizations WHERE org_id > ?1 ORDER BY org_id LIMIT ?2"
        ),
        params![after.as_ref().map_or(&[][..], |org| &org[..]), max],
        unverified,
    )
}

pub(super) fn organizations_due_for_destruction(
    conn: &Connection,
    now_ms: u64,
    max: u32,
) -> Result<Vec<Unverified<OrganizationRow>>> {
    all(
        conn,
        concat!(
            "SELECT ",
            organization_columns!(),
            " FROM organizations WHERE delete_after_ms <= ?1 AND state = ?2
              ORDER BY delete_after_ms, org_id LIMIT ?3"
        ),
        params![int(now_ms)?, OrgState::Deleting as u8, max],
        unverified,
    )
}

pub(super) fn org_keys(conn: &Connection, org: OrgId) -> Result<Vec<Unverified<OrgKeyRow>>> {
    all(
        conn,
        concat!(
            "SELECT ",
            org_key_columns!(),
            " FROM org_keys WHERE org_id = ?1 ORDER BY version"
        ),
        params![org.bytes()],
        unverified,
    )
}

pub(super) fn org_keys_wrapped_before(
    conn: &Connection,
    root: RootId,
    root_version: u32,
    max: u32,
) -> Result<Vec<Unverified<OrgKeyRow>>> {
    all(
        conn,
        concat!(
            "SELECT ",
            org_key_columns!(),
            " FROM org_keys WHERE root_id <> ?1 OR root_version < ?2
              ORDER BY org_id, version LIMIT ?3"
        ),
        params![root.bytes(), root_version, max],
        unverified,
    )
}

pub(super) fn name_key_of(conn: &Connection, org: OrgId) -> Result<Option<NameKeyRow>> {
    one(
        conn,
        concat!(
            "SELECT ",
            name_key_columns!(),
            " FROM name_keys WHERE org_id = ?1"
        ),
        params![org.bytes()],
        name_key,
    )
}

pub(super) fn credential(
    conn: &Connection,
    lookup: &[u8; 32],
) -> Result<Option<Unverified<CredentialRow>>> {
    one(
        conn,
        concat!(
            "SELECT ",
            credential_columns!(),
            " FROM credentials WHERE lookup = ?1"
        ),
        params![lookup],
        unverified,
    )
}

/// A statement for each choice, so that every one has the index that it needs.
pub(super) fn credentials(
    conn: &Connection,
    org: OrgId,
    query: &CredentialQuery,
) -> Result<Vec<Unverified<CredentialRow>>> {
    macro_rules! page {
        ($narrowed:literal) => {
            concat!(
                "SELECT ",
                credential_columns!(),
                " FROM credentials WHERE org_id = ?1 AND lookup > ?2",
                $narrowed,
                " ORDER BY lookup LIMIT ?3"
            )
        };
    }
    let after = query.after.as_ref().map_or(&[][..], |lookup| &lookup[..]);
    let principal = query.principal.as_ref().map(|principal| principal.bytes());
    let kind = query.kind.map(|kind| kind as u8);
    let (org, max) = (org.bytes(), query.max);
    match (principal, kind) {
        (None, None) => all(conn, page!(""), params![org, after, max], unverified),
        (Some(principal), None) => all(
            conn,
            page!(" AND principal_id = ?4"),
            params![org, after, max, principal],
            unverified,
        ),
        (None, Some(kind)) => all(
            conn,
            page!(" AND kind = ?4"),
            params![org, after, max, kind],
            unverified,
        ),
        // A principal has few; the sum keeps the index of kinds, of which there are many, out of it.
        (Some(principal), Some(kind)) => all(
            conn,
            page!(" AND principal_id = ?4 AND kind + 0 = ?5"),
            params![org, after, max, principal, kind],
            unverified,
        ),
    }
}

pub(super) fn credential_uses(
    conn: &Connection,
    org: OrgId,
    lookups: &[[u8; 32]],
) -> Result<Vec<([u8; 32], u64)>> {
    let snapshot = conn.unchecked_transaction()?;
    let mut uses = Vec::new();
    for lookup in lookups {
        let used_ms = one(
            &snapshot,
            "SELECT used_ms FROM credential_uses WHERE lookup = ?1 AND org_id = ?2",
            params![lookup, org.bytes()],
            |row| unsigned(row, 0),
        )?;
        uses.extend(used_ms.map(|used_ms| (*lookup, used_ms)));
    }
    Ok(uses)
}

pub(super) fn claims(conn: &Connection, max: u32) -> Result<Vec<(OrgId, BlobId)>> {
    all(
        conn,
        "SELECT org_id, blob_id FROM gc_claims ORDER BY org_id, blob_id LIMIT ?1",
        params![max],
        |row| {
            Ok((
                OrgId::from_bytes(row.get(0)?),
                BlobId::from_bytes(row.get(1)?),
            ))
        },
    )
}

/// From organization to organization, without reading all of their garbage.
pub(super) fn orgs_with_trash(conn: &Connection, now_ms: u64, max: u32) -> Result<Vec<OrgId>> {
    let now_ms =
        i64::try_from(now_ms).map_err(|error| Error::ToSqlConversionFailure(error.into()))?;
    let snapshot = conn.unchecked_transaction()?;
    let mut orgs = Vec::new();
    let mut after = Vec::new();
    while orgs.len() < max as usize {
        let next = one(
            &snapshot,
            "SELECT org_id, not_before_ms FROM trash WHERE org_id > ?1
             ORDER BY org_id, not_before_ms LIMIT 1",
            params![after],
            |row| Ok((OrgId::from_bytes(row.get(0)?), row.get::<_, i64>(1)?)),
        )?;
        let Some((org, first_ms)) = next else { break };
        if first_ms <= now_ms {
            orgs.push(org);
        }
        after = org.bytes().to_vec();
    }
    Ok(orgs)
}

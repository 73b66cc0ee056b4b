//! Reads: rows by their keys, and pages in the order of their keys.

use names::{
    AccountId, BlobId, BucketId, BucketName, NodeId, ObjectKey, OrgId, PartNumber, RootId, Slug,
    UploadId,
};
use rusqlite::{Connection, Error, Result, params};

use super::columns::{
    NoContent, VERSION_COLUMNS, account_columns, audit_columns, audit_segment, blob, blob_columns,
    bucket_columns, content, content_columns, credential_columns, membership_columns, meter,
    name_key, name_key_columns, org_key_columns, organization_columns, part_columns, unverified,
    upload_columns, version_columns,
};
use super::query::{all, damaged, int, one, unsigned};
use crate::catalog::{
    AccountRow, AuditSegmentRow, BlobRow, BucketRow, Content, CredentialRow, MembershipRow,
    NameKeyRow, OrgKeyRow, OrganizationRow, PartRow, Unverified, UploadRow, UsageDelta, VersionRow,
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

pub(super) fn usage(
    conn: &Connection,
    org: OrgId,
    from_ms: u64,
    until_ms: u64,
) -> Result<Vec<UsageDelta>> {
    // The end of time is a way to ask for everything.
    let until_ms = i64::try_from(until_ms).unwrap_or(i64::MAX);
    all(
        conn,
        "SELECT hour_ms, meter, SUM(amount) FROM (
             SELECT hour_ms, meter, amount FROM usage_totals
             WHERE org_id = ?1 AND hour_ms >= ?2 AND hour_ms < ?3
             UNION ALL
             SELECT hour_ms, meter, amount FROM usage_deltas
             WHERE org_id = ?1 AND hour_ms >= ?2 AND hour_ms < ?3
         ) AS amounts GROUP BY hour_ms, meter ORDER BY hour_ms, meter",
        params![org.bytes(), int(from_ms)?, until_ms],
        |row| {
            Ok(UsageDelta {
                hour_ms: unsigned(row, 0)?,
                meter: meter(row, 1)?,
                amount: row.get(2)?,
            })
        },
    )
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

pub(super) fn credentials(
    conn: &Connection,
    org: OrgId,
    after: Option<[u8; 32]>,
    max: u32,
) -> Result<Vec<Unverified<CredentialRow>>> {
    all(
        conn,
        concat!(
            "SELECT ",
            credential_columns!(),
            " FROM credentials WHERE org_id = ?1 AND lookup > ?2 ORDER BY lookup LIMIT ?3"
        ),
        params![
            org.bytes(),
            after.as_ref().map_or(&[][..], |lookup| &lookup[..]),
            max,
        ],
        unverified,
    )
}

pub(super) fn account(
    conn: &Connection,
    account: AccountId,
) -> Result<Option<Unverified<AccountRow>>> {
    one(
        conn,
        concat!(
            "SELECT ",
            account_columns!(),
            " FROM accounts WHERE account_id = ?1"
        ),
        params![account.bytes()],
        unverified,
    )
}

pub(super) fn memberships(conn: &Connection, org: OrgId) -> Result<Vec<Unverified<MembershipRow>>> {
    all(
        conn,
        concat!(
            "SELECT ",
            membership_columns!(),
            " FROM memberships WHERE org_id = ?1 ORDER BY account_id"
        ),
        params![org.bytes()],
        unverified,
    )
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

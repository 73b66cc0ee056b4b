//! Reads of what the platform knows: organizations, their keys and credentials, what jobs look for.

use names::{BlobId, OrgId, RootId, Slug};
use rusqlite::{Connection, Error, Result, params};

use super::columns::{
    credential_columns, name_key, name_key_columns, org_key_columns, organization_columns,
    unverified,
};
use super::query::{all, int, one, unsigned};
use crate::catalog::{
    CredentialQuery, CredentialRow, NameKeyRow, OrgKeyRow, OrgState, OrganizationRow, Unverified,
};

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
            " FROM organizations WHERE delete_after_ms <= ?1 AND state IN (?2, ?3)
              ORDER BY delete_after_ms, org_id LIMIT ?4"
        ),
        params![
            int(now_ms)?,
            OrgState::Deleting as u8,
            OrgState::Destroyed as u8,
            max
        ],
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

use names::OrgId;
use rusqlite::params;

use super::super::batch::Batch;
use super::super::columns::{credential_columns, unverified};
use super::super::directory;
use super::super::error::Applied;
use super::super::query::int;
use super::organizations::{follows, stands};
use crate::catalog::{Authenticated, Conflict, CredentialRow, Effect, Unverified};

pub(super) fn create(
    batch: &mut Batch<'_>,
    org: OrgId,
    new: &Authenticated<CredentialRow>,
) -> Applied<Effect> {
    let (row, tag) = (new.row(), new.tag());
    batch.same_org(org, row.org)?;
    stands(batch, org)?;
    batch.sealed_key_open(OrgId::PLATFORM, tag, &row.sealed)?;
    if directory::credential(batch.conn(), &row.lookup)?.is_some() {
        return Err(Conflict::Exists.into());
    }
    batch.changed::<CredentialRow>(org, None, Some(tag));
    batch.execute(
        "INSERT INTO credentials (lookup, org_id, principal_id, kind, sealed, created_ms,
                                  expires_ms, revoked_ms, sequence, key_version, mac)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            row.lookup,
            org.bytes(),
            row.principal.bytes(),
            row.kind as u8,
            row.sealed,
            int(row.created_ms)?,
            row.expires_ms.map(int).transpose()?,
            row.revoked_ms.map(int).transpose()?,
            int(row.sequence)?,
            tag.key_version,
            tag.mac,
        ],
    )?;
    Ok(Effect::Done)
}

/// One that was revoked stays so, and none becomes a credential of another kind.
pub(super) fn replace(
    batch: &mut Batch<'_>,
    org: OrgId,
    new: &Authenticated<CredentialRow>,
) -> Applied<Effect> {
    let (row, tag) = (new.row(), new.tag());
    batch.same_org(org, row.org)?;
    batch.sealed_key_open(OrgId::PLATFORM, tag, &row.sealed)?;
    let old = directory::credential(batch.conn(), &row.lookup)?.ok_or(Conflict::Missing)?;
    let stands = old.unverified();
    batch.same_org(org, stands.org)?;
    follows(stands.sequence, row.sequence)?;
    let revived = stands.revoked_ms.is_some() && row.revoked_ms.is_none();
    if revived || stands.kind != row.kind {
        return Err(Conflict::Changed.into());
    }
    batch.changed::<CredentialRow>(org, Some(old.tag()), Some(tag));
    batch.execute(
        "UPDATE credentials SET principal_id = ?2, sealed = ?3, created_ms = ?4, expires_ms = ?5,
                                revoked_ms = ?6, sequence = ?7, key_version = ?8, mac = ?9
         WHERE lookup = ?1",
        params![
            row.lookup,
            row.principal.bytes(),
            row.sealed,
            int(row.created_ms)?,
            row.expires_ms.map(int).transpose()?,
            row.revoked_ms.map(int).transpose()?,
            int(row.sequence)?,
            tag.key_version,
            tag.mac,
        ],
    )?;
    Ok(Effect::Done)
}

/// The directory is the platform's, and so is its upkeep.
pub(super) fn delete_expired(
    batch: &mut Batch<'_>,
    org: OrgId,
    now_ms: u64,
    rows_max: u32,
) -> Applied<Effect> {
    batch.same_org(org, OrgId::PLATFORM)?;
    let expired: Vec<Unverified<CredentialRow>> = batch.all(
        concat!(
            "SELECT ",
            credential_columns!(),
            " FROM credentials WHERE expires_ms <= ?1 ORDER BY expires_ms LIMIT ?2"
        ),
        params![int(now_ms)?, rows_max],
        unverified,
    )?;
    for credential in &expired {
        let row = credential.unverified();
        batch.changed::<CredentialRow>(row.org, Some(credential.tag()), None);
        let lookup = params![row.lookup];
        batch.execute("DELETE FROM credentials WHERE lookup = ?1", lookup)?;
        batch.execute("DELETE FROM credential_uses WHERE lookup = ?1", lookup)?;
    }
    let more = batch.exists(
        "SELECT 1 FROM credentials WHERE expires_ms <= ?1 LIMIT 1",
        params![int(now_ms)?],
    )?;
    Ok(Effect::Purged { more })
}

/// Takes all of an organization's away.
pub(super) fn delete_all(batch: &mut Batch<'_>, org: OrgId) -> rusqlite::Result<()> {
    let of_org = params![org.bytes()];
    let credentials: Vec<Unverified<CredentialRow>> = batch.all(
        concat!(
            "SELECT ",
            credential_columns!(),
            " FROM credentials WHERE org_id = ?1"
        ),
        of_org,
        unverified,
    )?;
    for credential in &credentials {
        batch.changed::<CredentialRow>(org, Some(credential.tag()), None);
    }
    batch.execute("DELETE FROM credentials WHERE org_id = ?1", of_org)?;
    batch.execute("DELETE FROM credential_uses WHERE org_id = ?1", of_org)?;
    Ok(())
}

pub(super) fn note_uses(
    batch: &Batch<'_>,
    org: OrgId,
    uses: &[([u8; 32], u64)],
) -> Applied<Effect> {
    for (lookup, used_ms) in uses {
        let is_ours = batch.exists(
            "SELECT 1 FROM credentials WHERE lookup = ?1 AND org_id = ?2",
            params![lookup, org.bytes()],
        )?;
        if !is_ours {
            continue;
        }
        let row = params![lookup, org.bytes(), int(*used_ms)?];
        let stands = batch.execute(
            "UPDATE credential_uses
             SET used_ms = CASE WHEN used_ms < ?3 THEN ?3 ELSE used_ms END
             WHERE lookup = ?1 AND org_id = ?2",
            row,
        )?;
        if stands == 0 {
            batch.execute(
                "INSERT INTO credential_uses (lookup, org_id, used_ms) VALUES (?1, ?2, ?3)",
                row,
            )?;
        }
    }
    Ok(Effect::Done)
}

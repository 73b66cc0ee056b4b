use names::OrgId;
use rusqlite::params;

use super::super::batch::{Batch, UnnamedKey};
use super::super::columns::{org_key_columns, unverified};
use super::super::error::Applied;
use super::super::query::int;
use super::organizations;
use crate::catalog::{
    Authenticated, Conflict, Effect, KeyState, NameKeyRow, OrgKeyRow, RowTag, Unverified,
};

pub(super) fn create_platform(
    batch: &mut Batch<'_>,
    org: OrgId,
    key: &Authenticated<OrgKeyRow>,
) -> Applied<Effect> {
    batch.same_org(org, OrgId::PLATFORM)?;
    batch.same_org(org, key.row().org)?;
    if newest(batch, org)?.is_some() {
        return Err(Conflict::Exists.into());
    }
    insert(batch, key)?;
    Ok(Effect::Done)
}

pub(super) fn add(
    batch: &mut Batch<'_>,
    org: OrgId,
    key: &Authenticated<OrgKeyRow>,
) -> Applied<Effect> {
    batch.same_org(org, key.row().org)?;
    organizations::stands(batch, org)?;
    judge_tag(batch, key)?;
    let newest = newest(batch, org)?.ok_or(Conflict::Missing)?;
    if key.row().version <= newest {
        return Err(Conflict::Exists.into());
    }
    // A gap would let a version that was destroyed come back under its old number.
    if key.row().version - newest != 1 {
        return Err(Conflict::Changed.into());
    }
    insert(batch, key)?;
    Ok(Effect::Done)
}

pub(super) fn replace(
    batch: &mut Batch<'_>,
    org: OrgId,
    old: RowTag,
    new: &Authenticated<OrgKeyRow>,
) -> Applied<Effect> {
    let (row, tag) = (new.row(), new.tag());
    batch.same_org(org, row.org)?;
    judge_tag(batch, new)?;
    let stands = find(batch, org, row.version)?;
    if stands.map(|row| row.tag()) != Some(old) {
        return Err(Conflict::Changed.into());
    }
    batch.changed::<OrgKeyRow>(org, Some(old), Some(tag));
    batch.keys_changed();
    batch.execute(
        "UPDATE org_keys SET state = ?3, root_id = ?4, root_version = ?5, wrapped = ?6,
                             created_ms = ?7, sequence = ?8, key_version = ?9, mac = ?10
         WHERE org_id = ?1 AND version = ?2",
        params![
            org.bytes(),
            row.version,
            row.state as u8,
            row.root.bytes(),
            row.root_version,
            row.wrapped,
            int(row.created_ms)?,
            int(row.sequence)?,
            tag.key_version,
            tag.mac,
        ],
    )?;
    Ok(Effect::Done)
}

/// The newest version stays, so that no number is ever used again.
pub(super) fn delete(batch: &mut Batch<'_>, org: OrgId, version: u32) -> Applied<Effect> {
    let stands = find(batch, org, version)?
        .filter(|row| row.unverified().state != KeyState::Open)
        .ok_or(Conflict::Changed)?;
    let key = UnnamedKey {
        org,
        version,
        mac: stands.tag().mac,
    };
    if !batch.is_unnamed(&key) || newest(batch, org)? == Some(version) {
        return Err(Conflict::InUse.into());
    }
    batch.changed::<OrgKeyRow>(org, Some(stands.tag()), None);
    batch.keys_changed();
    batch.execute(
        "DELETE FROM org_keys WHERE org_id = ?1 AND version = ?2",
        params![org.bytes(), version],
    )?;
    Ok(Effect::Done)
}

pub(super) fn create_name_key(
    batch: &mut Batch<'_>,
    org: OrgId,
    key: &NameKeyRow,
) -> Applied<Effect> {
    batch.same_org(org, key.org)?;
    batch.key_open(org, key.key_version)?;
    if batch.exists(
        "SELECT 1 FROM name_keys WHERE org_id = ?1",
        params![org.bytes()],
    )? {
        return Err(Conflict::Exists.into());
    }
    insert_name_key(batch, key)?;
    Ok(Effect::Done)
}

pub(super) fn insert_name_key(batch: &mut Batch<'_>, key: &NameKeyRow) -> rusqlite::Result<usize> {
    batch.name_key_changed(key.org);
    batch.execute(
        "INSERT INTO name_keys (org_id, sealed, key_version) VALUES (?1, ?2, ?3)",
        params![key.org.bytes(), key.sealed, key.key_version],
    )
}

/// The newest version of an organization's key.
pub(super) fn newest(batch: &Batch<'_>, org: OrgId) -> rusqlite::Result<Option<u32>> {
    batch.one(
        "SELECT version FROM org_keys WHERE org_id = ?1 ORDER BY version DESC LIMIT 1",
        params![org.bytes()],
        |row| row.get(0),
    )
}

pub(super) fn insert(
    batch: &mut Batch<'_>,
    key: &Authenticated<OrgKeyRow>,
) -> rusqlite::Result<usize> {
    let (row, tag) = (key.row(), key.tag());
    batch.changed::<OrgKeyRow>(row.org, None, Some(tag));
    batch.keys_changed();
    batch.execute(
        "INSERT INTO org_keys (org_id, version, state, root_id, root_version, wrapped,
                               created_ms, sequence, key_version, mac)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            row.org.bytes(),
            row.version,
            row.state as u8,
            row.root.bytes(),
            row.root_version,
            row.wrapped,
            int(row.created_ms)?,
            int(row.sequence)?,
            tag.key_version,
            tag.mac,
        ],
    )
}

/// The platform's key that authenticates the row takes writes. A new version of the platform's
/// own key may stand under itself.
fn judge_tag(batch: &mut Batch<'_>, key: &Authenticated<OrgKeyRow>) -> Applied<()> {
    let row = key.row();
    let under_itself = row.org.is_platform()
        && row.state == KeyState::Open
        && row.version == key.tag().key_version;
    if under_itself {
        return Ok(());
    }
    batch.key_open(OrgId::PLATFORM, key.tag().key_version)
}

fn find(
    batch: &Batch<'_>,
    org: OrgId,
    version: u32,
) -> rusqlite::Result<Option<Unverified<OrgKeyRow>>> {
    batch.one(
        concat!(
            "SELECT ",
            org_key_columns!(),
            " FROM org_keys WHERE org_id = ?1 AND version = ?2"
        ),
        params![org.bytes(), version],
        unverified,
    )
}

use names::{OrgId, Slug};
use rusqlite::params;

use super::super::batch::Batch;
use super::super::columns::{org_key_columns, org_state, unverified};
use super::super::directory;
use super::super::error::Applied;
use super::super::query::int;
use super::{credentials, keys, records};
use crate::catalog::{
    Authenticated, Conflict, Effect, NameKeyRow, OrgKeyRow, OrgState, OrganizationRow, RecordKind,
    RecordRow, RowTag, Unverified,
};

pub(super) fn create(
    batch: &mut Batch<'_>,
    org: OrgId,
    organization: &Authenticated<OrganizationRow>,
    key: &Authenticated<OrgKeyRow>,
    name_key: &NameKeyRow,
    first: &[Authenticated<RecordRow>],
) -> Applied<Effect> {
    let row = organization.row();
    for of in [row.org, key.row().org, name_key.org] {
        batch.same_org(org, of)?;
    }
    batch.key_open(OrgId::PLATFORM, organization.tag().key_version)?;
    batch.key_open(OrgId::PLATFORM, key.tag().key_version)?;
    let taken = directory::organization(batch.conn(), org)?.is_some()
        || keys::newest(batch, org)?.is_some()
        || slug_taken(batch, org, row.slug.as_ref())?;
    if taken || org.is_platform() {
        return Err(Conflict::Exists.into());
    }
    let version = key.row().version;
    if name_key.key_version != version {
        let version = name_key.key_version;
        return Err(Conflict::KeyClosed { version }.into());
    }
    records::judge_first(batch, org, version, first)?;

    batch.changed::<OrganizationRow>(org, None, Some(organization.tag()));
    insert(batch, row, organization.tag())?;
    keys::insert(batch, key)?;
    keys::insert_name_key(batch, name_key)?;
    for record in first {
        records::insert(batch, None, record)?;
    }
    Ok(Effect::Done)
}

pub(super) fn replace(
    batch: &mut Batch<'_>,
    org: OrgId,
    new: &Authenticated<OrganizationRow>,
) -> Applied<Effect> {
    let before = judge_replacement(batch, org, new)?;
    if slug_taken(batch, org, new.row().slug.as_ref())? {
        return Err(Conflict::Exists.into());
    }
    batch.changed::<OrganizationRow>(org, Some(before), Some(new.tag()));
    update(batch, new)?;
    Ok(Effect::Done)
}

pub(super) fn destroy(
    batch: &mut Batch<'_>,
    org: OrgId,
    new: &Authenticated<OrganizationRow>,
) -> Applied<Effect> {
    let before = judge_replacement(batch, org, new)?;
    if new.row().state != OrgState::Destroyed || slug_taken(batch, org, new.row().slug.as_ref())? {
        return Err(Conflict::Changed.into());
    }
    let of_org = params![org.bytes()];
    let keys: Vec<Unverified<OrgKeyRow>> = batch.all(
        concat!(
            "SELECT ",
            org_key_columns!(),
            " FROM org_keys WHERE org_id = ?1"
        ),
        of_org,
        unverified,
    )?;
    for key in &keys {
        batch.changed::<OrgKeyRow>(org, Some(key.tag()), None);
    }
    batch.name_key_changed(org);
    batch.keys_changed();
    batch.execute("DELETE FROM org_keys WHERE org_id = ?1", of_org)?;
    batch.execute("DELETE FROM name_keys WHERE org_id = ?1", of_org)?;
    credentials::delete_all(batch, org)?;
    let kinds = RecordKind::ALL.into_iter();
    for kind in kinds.filter(|kind| kind.goes_with_the_keys()) {
        records::delete_some(batch, org, kind, usize::MAX)?;
    }
    batch.changed::<OrganizationRow>(org, Some(before), Some(new.tag()));
    update(batch, new)?;
    Ok(Effect::Done)
}

/// The organization is there and not destroyed. The platform has no row and always stands.
pub(super) fn stands(batch: &Batch<'_>, org: OrgId) -> Applied<()> {
    if org.is_platform() {
        return Ok(());
    }
    match state(batch, org)? {
        None | Some(OrgState::Destroyed) => Err(Conflict::Missing.into()),
        Some(OrgState::Active | OrgState::Suspended | OrgState::Sealed | OrgState::Deleting) => {
            Ok(())
        }
    }
}

/// The state of an organization that is there.
pub(super) fn state(batch: &Batch<'_>, org: OrgId) -> rusqlite::Result<Option<OrgState>> {
    batch.one(
        "SELECT state FROM organizations WHERE org_id = ?1",
        params![org.bytes()],
        |row| org_state(row, 0),
    )
}

/// A row that replaces another counts one further.
pub(super) fn follows(old: u64, new: u64) -> Applied<()> {
    if old.checked_add(1) == Some(new) {
        Ok(())
    } else {
        Err(Conflict::Changed.into())
    }
}

/// Returns the tag of the row that `new` replaces. A destroyed organization never comes back.
fn judge_replacement(
    batch: &mut Batch<'_>,
    org: OrgId,
    new: &Authenticated<OrganizationRow>,
) -> Applied<RowTag> {
    batch.same_org(org, new.row().org)?;
    batch.key_open(OrgId::PLATFORM, new.tag().key_version)?;
    let old = directory::organization(batch.conn(), org)?.ok_or(Conflict::Missing)?;
    follows(old.unverified().sequence, new.row().sequence)?;
    let was_destroyed = old.unverified().state == OrgState::Destroyed;
    if was_destroyed && new.row().state != OrgState::Destroyed {
        return Err(Conflict::Changed.into());
    }
    Ok(old.tag())
}

fn slug_taken(batch: &Batch<'_>, org: OrgId, slug: Option<&Slug>) -> rusqlite::Result<bool> {
    let Some(slug) = slug else { return Ok(false) };
    batch.exists(
        "SELECT 1 FROM organizations WHERE slug = ?1 AND org_id <> ?2",
        params![slug.as_str().as_bytes(), org.bytes()],
    )
}

fn insert(batch: &Batch<'_>, row: &OrganizationRow, tag: RowTag) -> rusqlite::Result<usize> {
    batch.execute(
        "INSERT INTO organizations (org_id, slug, state, created_ms, delete_after_ms, destruction,
                                    sequence, key_version, mac)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            row.org.bytes(),
            row.slug.as_ref().map(|slug| slug.as_str().as_bytes()),
            row.state as u8,
            int(row.created_ms)?,
            row.delete_after_ms.map(int).transpose()?,
            row.destruction.map(|destruction| destruction.encode()),
            int(row.sequence)?,
            tag.key_version,
            tag.mac,
        ],
    )
}

fn update(batch: &Batch<'_>, new: &Authenticated<OrganizationRow>) -> rusqlite::Result<usize> {
    let (row, tag) = (new.row(), new.tag());
    batch.execute(
        "UPDATE organizations SET slug = ?2, state = ?3, created_ms = ?4, delete_after_ms = ?5,
                                  destruction = ?6, sequence = ?7, key_version = ?8, mac = ?9
         WHERE org_id = ?1",
        params![
            row.org.bytes(),
            row.slug.as_ref().map(|slug| slug.as_str().as_bytes()),
            row.state as u8,
            int(row.created_ms)?,
            row.delete_after_ms.map(int).transpose()?,
            row.destruction.map(|destruction| destruction.encode()),
            int(row.sequence)?,
            tag.key_version,
            tag.mac,
        ],
    )
}

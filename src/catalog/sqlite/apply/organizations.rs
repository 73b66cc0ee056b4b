use names::{OrgId, Slug};
use rusqlite::params;

use super::super::batch::Batch;
use super::super::columns::{
    credential_columns, membership_columns, org_key_columns, org_state, organization_columns,
    unverified,
};
use super::super::error::Applied;
use super::super::query::int;
use super::keys;
use crate::catalog::{
    AccountRow, Authenticated, Conflict, CredentialRow, Effect, MembershipRow, OrgKeyRow, OrgState,
    OrganizationRow, RowTag, Unverified,
};

pub(super) fn create(
    batch: &mut Batch<'_>,
    org: OrgId,
    organization: &Authenticated<OrganizationRow>,
    key: &Authenticated<OrgKeyRow>,
    owner: Option<&(Authenticated<AccountRow>, Authenticated<MembershipRow>)>,
) -> Applied<Effect> {
    let row = organization.row();
    batch.same_org(org, row.org)?;
    batch.same_org(org, key.row().org)?;
    batch.key_open(OrgId::PLATFORM, organization.tag().key_version)?;
    batch.key_open(OrgId::PLATFORM, key.tag().key_version)?;
    let taken = find(batch, org)?.is_some()
        || keys::newest(batch, org)?.is_some()
        || slug_taken(batch, org, row.slug.as_ref())?;
    if taken || org.is_platform() {
        return Err(Conflict::Exists.into());
    }
    if let Some((account, membership)) = owner {
        batch.same_org(org, account.row().personal_org)?;
        batch.same_org(org, membership.row().org)?;
        batch.key_open(OrgId::PLATFORM, account.tag().key_version)?;
        let version = membership.tag().key_version;
        if version != key.row().version {
            return Err(Conflict::KeyClosed { version }.into());
        }
        if membership.row().account != account.row().account {
            return Err(Conflict::Missing.into());
        }
        if batch.exists(
            "SELECT 1 FROM accounts WHERE account_id = ?1",
            params![account.row().account.bytes()],
        )? {
            return Err(Conflict::Exists.into());
        }
    }

    batch.changed::<OrganizationRow>(org, None, Some(organization.tag()));
    insert(batch, row, organization.tag())?;
    keys::insert(batch, key)?;
    if let Some((account, membership)) = owner {
        batch.changed::<AccountRow>(org, None, Some(account.tag()));
        insert_account(batch, account.row(), account.tag())?;
        batch.changed::<MembershipRow>(org, None, Some(membership.tag()));
        insert_membership(batch, membership.row(), membership.tag())?;
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
    let credentials: Vec<Unverified<CredentialRow>> = batch.all(
        concat!(
            "SELECT ",
            credential_columns!(),
            " FROM credentials WHERE org_id = ?1"
        ),
        of_org,
        unverified,
    )?;
    let memberships: Vec<Unverified<MembershipRow>> = batch.all(
        concat!(
            "SELECT ",
            membership_columns!(),
            " FROM memberships WHERE org_id = ?1"
        ),
        of_org,
        unverified,
    )?;

    for key in &keys {
        batch.changed::<OrgKeyRow>(org, Some(key.tag()), None);
    }
    for credential in &credentials {
        batch.changed::<CredentialRow>(org, Some(credential.tag()), None);
    }
    for membership in &memberships {
        batch.changed::<MembershipRow>(org, Some(membership.tag()), None);
    }
    batch.name_key_changed(org);
    batch.keys_changed();
    batch.execute("DELETE FROM org_keys WHERE org_id = ?1", of_org)?;
    batch.execute("DELETE FROM name_keys WHERE org_id = ?1", of_org)?;
    batch.execute("DELETE FROM credentials WHERE org_id = ?1", of_org)?;
    batch.execute("DELETE FROM memberships WHERE org_id = ?1", of_org)?;
    batch.changed::<OrganizationRow>(org, Some(before), Some(new.tag()));
    update(batch, new)?;
    Ok(Effect::Done)
}

pub(super) fn create_credential(
    batch: &mut Batch<'_>,
    org: OrgId,
    new: &Authenticated<CredentialRow>,
) -> Applied<Effect> {
    let (row, tag) = (new.row(), new.tag());
    batch.same_org(org, row.org)?;
    stands(batch, org)?;
    batch.sealed_key_open(OrgId::PLATFORM, tag, &row.sealed)?;
    if credential(batch, &row.lookup)?.is_some() {
        return Err(Conflict::Exists.into());
    }
    batch.changed::<CredentialRow>(org, None, Some(tag));
    batch.execute(
        "INSERT INTO credentials (lookup, org_id, principal_id, sealed, created_ms, revoked_ms,
                                  sequence, key_version, mac)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            row.lookup,
            org.bytes(),
            row.principal.bytes(),
            row.sealed,
            int(row.created_ms)?,
            row.revoked_ms.map(int).transpose()?,
            int(row.sequence)?,
            tag.key_version,
            tag.mac,
        ],
    )?;
    Ok(Effect::Done)
}

pub(super) fn replace_credential(
    batch: &mut Batch<'_>,
    org: OrgId,
    new: &Authenticated<CredentialRow>,
) -> Applied<Effect> {
    let (row, tag) = (new.row(), new.tag());
    batch.same_org(org, row.org)?;
    batch.sealed_key_open(OrgId::PLATFORM, tag, &row.sealed)?;
    let old = credential(batch, &row.lookup)?.ok_or(Conflict::Missing)?;
    batch.same_org(org, old.unverified().org)?;
    follows(old.unverified().sequence, row.sequence)?;
    if old.unverified().revoked_ms.is_some() && row.revoked_ms.is_none() {
        return Err(Conflict::Changed.into());
    }
    batch.changed::<CredentialRow>(org, Some(old.tag()), Some(tag));
    batch.execute(
        "UPDATE credentials SET principal_id = ?2, sealed = ?3, created_ms = ?4, revoked_ms = ?5,
                                sequence = ?6, key_version = ?7, mac = ?8
         WHERE lookup = ?1",
        params![
            row.lookup,
            row.principal.bytes(),
            row.sealed,
            int(row.created_ms)?,
            row.revoked_ms.map(int).transpose()?,
            int(row.sequence)?,
            tag.key_version,
            tag.mac,
        ],
    )?;
    Ok(Effect::Done)
}

/// The organization is there and not destroyed. The platform has no row and always stands.
pub(super) fn stands(batch: &Batch<'_>, org: OrgId) -> Applied<()> {
    if org.is_platform() {
        return Ok(());
    }
    match state(batch, org)? {
        None | Some(OrgState::Destroyed) => Err(Conflict::Missing.into()),
        Some(OrgState::Active | OrgState::Suspended | OrgState::Sealed) => Ok(()),
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
fn follows(old: u64, new: u64) -> Applied<()> {
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
    let old = find(batch, org)?.ok_or(Conflict::Missing)?;
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

fn find(batch: &Batch<'_>, org: OrgId) -> rusqlite::Result<Option<Unverified<OrganizationRow>>> {
    batch.one(
        concat!(
            "SELECT ",
            organization_columns!(),
            " FROM organizations WHERE org_id = ?1"
        ),
        params![org.bytes()],
        unverified,
    )
}

fn credential(
    batch: &Batch<'_>,
    lookup: &[u8; 32],
) -> rusqlite::Result<Option<Unverified<CredentialRow>>> {
    batch.one(
        concat!(
            "SELECT ",
            credential_columns!(),
            " FROM credentials WHERE lookup = ?1"
        ),
        params![lookup],
        unverified,
    )
}

fn insert(batch: &Batch<'_>, row: &OrganizationRow, tag: RowTag) -> rusqlite::Result<usize> {
    batch.execute(
        "INSERT INTO organizations (org_id, slug, state, created_ms, destruction, sequence,
                                    key_version, mac)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            row.org.bytes(),
            row.slug.as_ref().map(|slug| slug.as_str().as_bytes()),
            row.state as u8,
            int(row.created_ms)?,
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
        "UPDATE organizations SET slug = ?2, state = ?3, created_ms = ?4, destruction = ?5,
                                  sequence = ?6, key_version = ?7, mac = ?8
         WHERE org_id = ?1",
        params![
            row.org.bytes(),
            row.slug.as_ref().map(|slug| slug.as_str().as_bytes()),
            row.state as u8,
            int(row.created_ms)?,
            row.destruction.map(|destruction| destruction.encode()),
            int(row.sequence)?,
            tag.key_version,
            tag.mac,
        ],
    )
}

fn insert_account(batch: &Batch<'_>, row: &AccountRow, tag: RowTag) -> rusqlite::Result<usize> {
    batch.execute(
        "INSERT INTO accounts (account_id, personal_org, created_ms, sequence, key_version, mac)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            row.account.bytes(),
            row.personal_org.bytes(),
            int(row.created_ms)?,
            int(row.sequence)?,
            tag.key_version,
            tag.mac,
        ],
    )
}

fn insert_membership(
    batch: &Batch<'_>,
    row: &MembershipRow,
    tag: RowTag,
) -> rusqlite::Result<usize> {
    batch.execute(
        "INSERT INTO memberships (org_id, account_id, principal_id, role, sequence, key_version,
                                  mac)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            row.org.bytes(),
            row.account.bytes(),
            row.principal.bytes(),
            row.role as u8,
            int(row.sequence)?,
            tag.key_version,
            tag.mac,
        ],
    )
}

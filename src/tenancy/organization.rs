use std::time::Duration;

use names::{AccountId, OrgId, PrincipalId, Slug};

use super::error::TenancyError;
use super::member::Joining;
use super::profile::ProfileBody;
use super::record::write;
use super::service::Tenancy;
use super::standing::standing;
use super::text::Label;
use crate::authz::{DeleteOrganization, Operator, Permit, ReadSettings, Role, Standing};
use crate::catalog::{CommitError, Conflict, Mutation, OrgState, OrganizationRow};
use crate::keyring::Provisioned;

/// An organization as its operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Which.
    pub org: OrgId,
    /// Its short name; a destroyed one has none.
    pub slug: Option<Slug>,
    /// Whether it may be worked in.
    pub standing: Standing,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// From when on it is to be destroyed, if it is asked to be deleted.
    pub delete_after_ms: Option<u64>,
}

/// Whose an organization is from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// A customer's, in which the operator makes the first access keys, or invites an owner.
    Provisioned,
    /// An account's, which owns it.
    Of(AccountId),
}

/// An organization about to be made.
pub(super) struct Founding {
    pub(super) org: OrgId,
    pub(super) slug: Slug,
    /// What people call it.
    pub(super) name: String,
    pub(super) owner: Option<AccountId>,
}

/// What an operator does to the state of an organization.
///
/// ```text
///            suspend             seal
///   active ──────────► suspended ──────► sealed ◄── seal ── active
///      ▲ ◄────────────────┘ resume          │
///      └────────────────────────────────────┘ unseal
/// ```
///
/// One that its owner has asked to be deleted is not suspended; it is resumed instead of restored,
/// and when it was sealed meanwhile, it is about to be deleted again once it is unsealed.
///
/// Asking for what is already so succeeds and changes nothing. Only destroying the organization's
/// keys makes it destroyed, and nothing leads back from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Lets it be read only.
    Suspend,
    /// Lets it be worked in again.
    Resume,
    /// Evicts its keys: every call answers that it is sealed.
    Seal,
    /// Lets its keys be opened, and lets it be worked in, whatever it was before it was sealed.
    Unseal,
}

impl Tenancy {
    /// Makes an organization with its first keys, in one transaction.
    pub async fn create_organization(
        &self,
        _: &Operator,
        slug: Slug,
        ownership: Ownership,
    ) -> Result<Organization, TenancyError> {
        let owner = match ownership {
            Ownership::Provisioned => None,
            Ownership::Of(account) => Some(self.account_held(account).await?.id()),
        };
        let row = self
            .found(Founding {
                org: OrgId::from_bytes(self.new_id()),
                name: slug.as_str().to_owned(),
                slug,
                owner,
            })
            .await?;
        Ok(row.into())
    }

    /// Makes an organization by an identifier that was drawn before; one that was made before
    /// stands as it is.
    pub async fn provision_organization(
        &self,
        _: &Operator,
        org: OrgId,
        slug: Slug,
        name: Option<&Label>,
    ) -> Result<Organization, TenancyError> {
        if self.catalog.organization(org).await?.is_some() {
            return Ok(self.organization_row(org).await?.into());
        }
        let name = name.map_or(slug.as_str(), Label::as_str).to_owned();
        let founding = Founding {
            org,
            slug,
            name,
            owner: None,
        };
        match self.found(founding).await {
            // The identifier was, by another process at the same call.
            Err(TenancyError::SlugTaken) if self.catalog.organization(org).await?.is_some() => {
                Ok(self.organization_row(org).await?.into())
            }
            founded => Ok(founded?.into()),
        }
    }

    /// An organization by its identifier, also a destroyed one, which has no slug.
    pub async fn organization_by_id(
        &self,
        _: &Operator,
        org: OrgId,
    ) -> Result<Organization, TenancyError> {
        Ok(self.organization_row(org).await?.into())
    }

    /// An identifier for an organization that is about to be made.
    pub fn draw_organization(&self, _: &Operator) -> OrgId {
        OrgId::from_bytes(self.new_id())
    }

    /// Makes an organization with its first keys, its profile and its owner, in one transaction.
    pub(super) async fn found(&self, founding: Founding) -> Result<OrganizationRow, TenancyError> {
        let now_ms = self.clock.now_ms();
        let Founding {
            org,
            slug,
            name,
            owner,
        } = founding;
        let Provisioned {
            key,
            name_key,
            keys,
            ..
        } = self.keyring.provision(org).await?;
        let row = OrganizationRow {
            org,
            slug: Some(slug),
            state: OrgState::Active,
            created_ms: now_ms,
            delete_after_ms: None,
            destruction: None,
            sequence: 1,
        };
        let (profile, body) = ProfileBody::drafted(org, name, now_ms);
        let mut records = vec![write(&keys, profile, &body)?];
        if let Some(account) = owner {
            let joining = Joining {
                account,
                principal: PrincipalId::from_bytes(self.new_id()),
                role: Role::Owner,
                invited_by: None,
                at_ms: now_ms,
            };
            let (member, body) = joining.drafted();
            records.push(write(&keys, member, &body)?);
        }
        let platform = self.keyring.open_platform().await?;
        let creation = Mutation::CreateOrganization {
            organization: Box::new(platform.authenticate(row.clone())?),
            key,
            name_key,
            records,
        };
        match self.catalog.commit(org, creation).await {
            Ok(_) => Ok(row),
            Err(CommitError::Conflict(Conflict::Exists)) => Err(TenancyError::SlugTaken),
            Err(CommitError::Conflict(conflict)) => Err(conflict.into()),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// An organization by its slug.
    pub async fn organization(
        &self,
        _: &Operator,
        slug: &Slug,
    ) -> Result<Organization, TenancyError> {
        let claimed = self.catalog.organization_by_slug(slug).await?;
        let claimed = claimed.ok_or(TenancyError::NoSuchOrganization)?;
        let platform = self.keyring.open_platform_at(claimed.tag().key_version);
        let row = platform.await?.verify(claimed)?;
        if row.slug.as_ref() != Some(slug) {
            return Err(misplaced(&row));
        }
        Ok(row.into())
    }

    /// Up to `max` organizations after one, by identifier, which is by age.
    pub async fn organizations(
        &self,
        _: &Operator,
        after: Option<OrgId>,
        max: u32,
    ) -> Result<Vec<Organization>, TenancyError> {
        let claimed = self.catalog.organizations(after, max).await?;
        let platform = self.platform_for(&claimed).await?;
        claimed
            .into_iter()
            .map(|row| Ok(platform.verify(row)?.into()))
            .collect()
    }

    /// Changes the state of an organization. Sealing drops its keys on this node at once, and on
    /// others as they learn of it.
    pub async fn change_state(
        &self,
        _: &Operator,
        org: OrgId,
        transition: Transition,
    ) -> Result<Organization, TenancyError> {
        let row = self.organization_row(org).await?;
        let next = transition.from(&row)?;
        let row = self.replace_organization(row, next).await?;
        if row.state == OrgState::Sealed {
            self.keyring.forget(org);
        }
        Ok(row.into())
    }

    /// The organization of whoever has the permit.
    pub async fn own_organization(
        &self,
        permit: Permit<ReadSettings>,
    ) -> Result<Organization, TenancyError> {
        Ok(self.organization_row(permit.org()).await?.into())
    }

    /// Asks for the organization to be deleted, once a grace period has ended: [`GRACE_DEFAULT`],
    /// or what is said. Until then it can be read, and [restored](Self::restore).
    pub async fn ask_deletion(
        &self,
        permit: Permit<DeleteOrganization>,
        grace: Option<Duration>,
    ) -> Result<Organization, TenancyError> {
        let grace = grace.unwrap_or(GRACE_DEFAULT);
        if grace > GRACE_MAX {
            return Err(TenancyError::Invalid("a grace period is 90 days at most"));
        }
        let row = self.organization_row(permit.org()).await?;
        match row.state {
            OrgState::Active => {}
            OrgState::Deleting => return Ok(row.into()),
            // Restored it would be active: what the operator has suspended, it resumes.
            other => return Err(TenancyError::State(word(other))),
        }
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let next = Next {
            state: OrgState::Deleting,
            delete_after_ms: Some(self.clock.now_ms().saturating_add(grace_ms)),
        };
        Ok(self.replace_organization(row, next).await?.into())
    }

    /// Takes back that the organization is to be deleted.
    pub async fn restore(
        &self,
        permit: Permit<DeleteOrganization>,
    ) -> Result<Organization, TenancyError> {
        let row = self.organization_row(permit.org()).await?;
        match row.state {
            OrgState::Deleting => {}
            OrgState::Active => return Ok(row.into()),
            other => return Err(TenancyError::State(word(other))),
        }
        let next = Next {
            state: OrgState::Active,
            delete_after_ms: None,
        };
        Ok(self.replace_organization(row, next).await?.into())
    }

    /// Makes sure that an organization may be changed.
    pub(super) async fn open_organization(&self, org: OrgId) -> Result<(), TenancyError> {
        match self.organization_row(org).await?.state {
            OrgState::Active => Ok(()),
            other => Err(TenancyError::State(word(other))),
        }
    }

    async fn replace_organization(
        &self,
        row: OrganizationRow,
        next: Next,
    ) -> Result<OrganizationRow, TenancyError> {
        if (row.state, row.delete_after_ms) == (next.state, next.delete_after_ms) {
            return Ok(row);
        }
        let org = row.org;
        let replaced = OrganizationRow {
            state: next.state,
            delete_after_ms: next.delete_after_ms,
            sequence: row.sequence + 1,
            ..row
        };
        let platform = self.keyring.open_platform().await?;
        let replacement = Mutation::ReplaceOrganization(platform.authenticate(replaced.clone())?);
        match self.catalog.commit(org, replacement).await {
            Ok(_) => Ok(replaced),
            Err(CommitError::Conflict(conflict)) => Err(conflict.into()),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// The row of an organization, verified.
    pub(super) async fn organization_row(
        &self,
        org: OrgId,
    ) -> Result<OrganizationRow, TenancyError> {
        let claimed = self.catalog.organization(org).await?;
        let claimed = claimed.ok_or(TenancyError::NoSuchOrganization)?;
        let platform = self.keyring.open_platform_at(claimed.tag().key_version);
        let row = platform.await?.verify(claimed)?;
        if row.org != org {
            return Err(misplaced(&row));
        }
        Ok(row)
    }
}

/// What the row of an organization is about to say.
struct Next {
    state: OrgState,
    delete_after_ms: Option<u64>,
}

impl Transition {
    /// What it leads to.
    fn from(self, row: &OrganizationRow) -> Result<Next, TenancyError> {
        use OrgState::{Active, Deleting, Destroyed, Sealed, Suspended};
        let (state, delete_after_ms) = match (self, row.state) {
            (_, Destroyed) => return Err(TenancyError::State(word(Destroyed))),
            (Self::Suspend | Self::Resume, Sealed) => {
                return Err(TenancyError::State(word(Sealed)));
            }
            (Self::Suspend, Deleting) => return Err(TenancyError::State(word(Deleting))),
            (Self::Suspend, Active | Suspended) => (Suspended, None),
            (Self::Resume, _) => (Active, None),
            (Self::Seal, _) => (Sealed, row.delete_after_ms),
            (Self::Unseal, Sealed) if row.delete_after_ms.is_some() => {
                (Deleting, row.delete_after_ms)
            }
            (Self::Unseal, Sealed) => (Active, None),
            (Self::Unseal, other) => (other, row.delete_after_ms),
        };
        Ok(Next {
            state,
            delete_after_ms,
        })
    }
}

/// A state, as a refusal says it.
pub(super) fn word(state: OrgState) -> &'static str {
    match state {
        OrgState::Active => "active",
        OrgState::Suspended => "suspended",
        OrgState::Sealed => "sealed",
        OrgState::Deleting => "being deleted",
        OrgState::Destroyed => "destroyed",
    }
}

impl From<OrganizationRow> for Organization {
    fn from(row: OrganizationRow) -> Self {
        Self {
            org: row.org,
            slug: row.slug,
            standing: standing(row.state),
            created_ms: row.created_ms,
            // Of a destroyed one it says since when.
            delete_after_ms: row
                .delete_after_ms
                .filter(|_| row.state != OrgState::Destroyed),
        }
    }
}

/// An authentic row that stands where another one belongs.
fn misplaced(row: &OrganizationRow) -> TenancyError {
    TenancyError::Damaged(format!("the row of organization {} is misplaced", row.org))
}

/// How long a deletion can be taken back if nothing else is said.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(7 * 86_400);
const GRACE_MAX: Duration = Duration::from_secs(90 * 86_400);

use names::{AccountId, OrgId, PrincipalId, Slug};

use super::error::TenancyError;
use super::service::Tenancy;
use super::standing::standing;
use crate::authz::{Operator, Standing};
use crate::catalog::{
    Authenticated, CommitError, Conflict, Mutation, OrgState, OrganizationRow, RecordKind,
    RecordRow, RecordWrite,
};
use crate::keyring::{OrgKeys, Provisioned, RecordDraft};

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
}

/// Whose an organization is from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// A customer's, in which the operator makes the first access keys.
    Provisioned,
    /// The personal organization of an account that is made with it and owns it.
    Personal,
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
        let now_ms = self.clock.now_ms();
        let org = OrgId::from_bytes(self.entropy.uuid_v7(now_ms));
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
        let records = match ownership {
            Ownership::Provisioned => Vec::new(),
            Ownership::Personal => vec![self.owner(&keys, now_ms).await?],
        };
        let platform = self.keyring.open_platform().await?;
        let creation = Mutation::CreateOrganization {
            organization: Box::new(platform.authenticate(row.clone())?),
            key,
            name_key,
            records,
        };
        match self.catalog.commit(org, creation).await {
            Ok(_) => {}
            Err(CommitError::Conflict(Conflict::Exists)) => return Err(TenancyError::SlugTaken),
            Err(CommitError::Conflict(conflict)) => return Err(conflict.into()),
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
        Ok(row.into())
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
        let state = transition.from(row.state)?;
        if state != row.state {
            let next = OrganizationRow {
                state,
                sequence: row.sequence + 1,
                ..row.clone()
            };
            let platform = self.keyring.open_platform().await?;
            let replacement = Mutation::ReplaceOrganization(platform.authenticate(next)?);
            match self.catalog.commit(org, replacement).await {
                Ok(_) => {}
                Err(CommitError::Conflict(conflict)) => return Err(conflict.into()),
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
        if state == OrgState::Sealed {
            self.keyring.forget(org);
        }
        Ok(OrganizationRow { state, ..row }.into())
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

    /// Makes an account, and returns its membership, which stands under the new organization's own
    /// key. An account whose organization is not made in the end owns nothing.
    async fn owner(
        &self,
        keys: &OrgKeys,
        now_ms: u64,
    ) -> Result<Authenticated<RecordRow>, TenancyError> {
        let account = AccountId::from_bytes(self.entropy.uuid_v7(now_ms));
        let principal = PrincipalId::from_bytes(self.entropy.uuid_v7(now_ms));
        let draft = |kind, id: &[u8; 16]| RecordDraft {
            kind,
            id: *id,
            parent: None,
            lookup: None,
            state: 0,
            created_ms: now_ms,
            expires_ms: None,
            sequence: 1,
        };
        let platform = self.keyring.open_platform().await?;
        let account_row = draft(RecordKind::Account, account.bytes());
        let account_row = platform.seal_row(account_row, keys.org().bytes())?;
        let creation = Mutation::CommitRecords {
            writes: vec![RecordWrite::Insert(account_row)],
            guards: Vec::new(),
        };
        match self.catalog.commit(OrgId::PLATFORM, creation).await {
            Ok(_) => {}
            Err(CommitError::Conflict(conflict)) => return Err(conflict.into()),
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
        let membership = RecordDraft {
            parent: Some(*account.bytes()),
            state: OWNER,
            ..draft(RecordKind::Member, principal.bytes())
        };
        Ok(keys.seal_row(membership, &[])?)
    }
}

impl Transition {
    /// The state that it leads to.
    fn from(self, state: OrgState) -> Result<OrgState, TenancyError> {
        match (self, state) {
            (_, OrgState::Destroyed) => Err(TenancyError::State("destroyed")),
            (_, OrgState::Deleting) => Err(TenancyError::State("being deleted")),
            (Self::Suspend | Self::Resume, OrgState::Sealed) => Err(TenancyError::State("sealed")),
            (Self::Suspend, _) => Ok(OrgState::Suspended),
            (Self::Resume, _) => Ok(OrgState::Active),
            (Self::Seal, _) => Ok(OrgState::Sealed),
            (Self::Unseal, OrgState::Sealed) => Ok(OrgState::Active),
            (Self::Unseal, other) => Ok(other),
        }
    }
}

impl From<OrganizationRow> for Organization {
    fn from(row: OrganizationRow) -> Self {
        Self {
            org: row.org,
            slug: row.slug,
            standing: standing(row.state),
            created_ms: row.created_ms,
        }
    }
}

/// An authentic row that stands where another one belongs.
fn misplaced(row: &OrganizationRow) -> TenancyError {
    TenancyError::Damaged(format!("the row of organization {} is misplaced", row.org))
}

/// The role of a member who may do everything, as its record's state.
const OWNER: u8 = 1;

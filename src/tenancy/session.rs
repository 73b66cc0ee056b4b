use names::{AccessKeyId, AccountId, OrgId, PrincipalId, Slug};
use zeroize::Zeroizing;

use super::credential::{Issue, NewCredential, Shown};
use super::error::TenancyError;
use super::member::{MemberBody, member_lookup};
use super::record::{Body, Held};
use super::service::Tenancy;
use super::standing::standing;
use crate::authz::{Caller, CredentialKind, Narrowing, Role, Standing};
use crate::catalog::{OrganizationRow, RecordRow, Unverified};

/// A person who has logged in: the proof that what concerns an account itself asks for. No access
/// key, API token or session of STS leads here, and no agent.
#[derive(Debug)]
pub struct SignedIn {
    account: AccountId,
    org: OrgId,
    session: AccessKeyId,
}

/// A session just made: the one time that its token is shown.
pub struct NewSession {
    /// Its public half.
    pub id: AccessKeyId,
    /// The whole token: `bks_…`.
    pub token: Zeroizing<String>,
    /// The one organization that it is for.
    pub org: OrgId,
    /// Its short name.
    pub slug: Option<Slug>,
    /// Whom it stands for there.
    pub principal: PrincipalId,
    /// When it ends, milliseconds since the epoch.
    pub expires_ms: u64,
}

/// An organization of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Which.
    pub org: OrgId,
    /// How it stands.
    pub standing: Standing,
    /// What the account is there; not told of a sealed or destroyed organization, whose keys are
    /// not there to tell.
    pub details: Option<SeatDetails>,
}

/// What an account is in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatDetails {
    /// The organization's short name.
    pub slug: Option<Slug>,
    /// What people call it.
    pub name: String,
    /// Whom the account is there.
    pub principal: PrincipalId,
    /// Its role.
    pub role: Role,
}

impl SignedIn {
    /// Of a caller that shows a session; of no other.
    pub fn of(caller: &Caller) -> Option<Self> {
        match caller.kind() {
            CredentialKind::Session(account) => Some(Self {
                account,
                org: caller.org(),
                session: caller.credential().clone(),
            }),
            CredentialKind::AccessKey | CredentialKind::ApiToken | CredentialKind::StsSession => {
                None
            }
        }
    }

    /// Whose session it is.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The organization that the session is for.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// The session, by its public half.
    pub fn session(&self) -> &AccessKeyId {
        &self.session
    }
}

impl Tenancy {
    /// Makes a session for another organization of the account. One that does not exist and one
    /// that the account is no member of answer alike.
    pub async fn switch(
        &self,
        signed_in: &SignedIn,
        to: OrgId,
    ) -> Result<NewSession, TenancyError> {
        let account = signed_in.account;
        let found = self
            .catalog
            .record_by_lookup(to, MemberBody::KIND, &member_lookup(account))
            .await?;
        let claimed = found.ok_or(TenancyError::NoSuchOrganization)?;
        let (organization, member) = self.seat_in(account, to, claimed).await?;
        match (standing(organization.state), member) {
            (Standing::Destroyed, _) => Err(TenancyError::NoSuchOrganization),
            (Standing::Sealed, _) | (_, None) => Err(TenancyError::State("sealed")),
            (_, Some(member)) => self.session_in(account, organization, &member).await,
        }
    }

    /// Ends the session.
    pub async fn log_out(&self, signed_in: &SignedIn) -> Result<(), TenancyError> {
        self.revoke(signed_in.org, &signed_in.session, |_| true)
            .await
    }

    /// Up to `max` organizations of the account after one, by identifier.
    pub async fn seats(
        &self,
        signed_in: &SignedIn,
        after: Option<OrgId>,
        max: u32,
    ) -> Result<Vec<Seat>, TenancyError> {
        self.seats_of(signed_in.account, after, max).await
    }

    pub(super) async fn seats_of(
        &self,
        account: AccountId,
        after: Option<OrgId>,
        max: u32,
    ) -> Result<Vec<Seat>, TenancyError> {
        let mut seats = Vec::new();
        for claimed in self.catalog.seats(account, after, max).await? {
            let org = claimed.unverified().org;
            let (organization, member) = self.seat_in(account, org, claimed).await?;
            let details = match member {
                Some(member) => Some(SeatDetails {
                    name: self.profile_of(org).await?.body.name,
                    slug: organization.slug,
                    principal: member.principal(),
                    role: member.role()?,
                }),
                None => None,
            };
            seats.push(Seat {
                org,
                standing: standing(organization.state),
                details,
            });
        }
        Ok(seats)
    }

    /// An organization and the account's membership in it, as far as there are keys to verify it.
    async fn seat_in(
        &self,
        account: AccountId,
        org: OrgId,
        claimed: Unverified<RecordRow>,
    ) -> Result<(OrganizationRow, Option<Held<MemberBody>>), TenancyError> {
        let organization = match self.organization_row(org).await {
            // A membership goes with its organization.
            Err(TenancyError::NoSuchOrganization) => {
                return Err(TenancyError::misplaced("a membership"));
            }
            row => row?,
        };
        if matches!(
            standing(organization.state),
            Standing::Sealed | Standing::Destroyed
        ) {
            return Ok((organization, None));
        }
        let member = self.opened::<MemberBody>(org, claimed).await?;
        if member.account()? == account {
            Ok((organization, Some(member)))
        } else {
            Err(TenancyError::misplaced("a membership"))
        }
    }

    /// The membership of an account in an organization that is not sealed.
    pub(super) async fn member_of(
        &self,
        account: AccountId,
        org: OrgId,
    ) -> Result<Option<Held<MemberBody>>, TenancyError> {
        let lookup = member_lookup(account);
        let member = self.record_by_lookup::<MemberBody>(org, &lookup).await?;
        match member {
            Some(member) if member.account()? != account => {
                Err(TenancyError::misplaced("a membership"))
            }
            member => Ok(member),
        }
    }

    /// A session for the organization that an account works in when it has named none: its
    /// personal one, or else any that it may work in.
    pub(super) async fn session_at_home(
        &self,
        account: AccountId,
        personal: OrgId,
    ) -> Result<Option<NewSession>, TenancyError> {
        if let Some(session) = self.session_if_open(account, personal).await? {
            return Ok(Some(session));
        }
        let mut after = None;
        loop {
            let page = self.catalog.seats(account, after, PAGE).await?;
            for claimed in &page {
                let org = claimed.unverified().org;
                if let Some(session) = self.session_if_open(account, org).await? {
                    return Ok(Some(session));
                }
                after = Some(org);
            }
            if page.len() < PAGE as usize {
                return Ok(None);
            }
        }
    }

    async fn session_if_open(
        &self,
        account: AccountId,
        org: OrgId,
    ) -> Result<Option<NewSession>, TenancyError> {
        let organization = match self.organization_row(org).await {
            Err(TenancyError::NoSuchOrganization) => return Ok(None),
            row => row?,
        };
        if matches!(
            standing(organization.state),
            Standing::Sealed | Standing::Destroyed
        ) {
            return Ok(None);
        }
        match self.member_of(account, org).await? {
            Some(member) => {
                let session = self.session_in(account, organization, &member);
                session.await.map(Some)
            }
            None => Ok(None),
        }
    }

    async fn session_in(
        &self,
        account: AccountId,
        organization: OrganizationRow,
        member: &Held<MemberBody>,
    ) -> Result<NewSession, TenancyError> {
        let expires_ms = self.clock.now_ms() + SESSION_MS;
        let issue = Issue {
            org: organization.org,
            principal: member.principal(),
            kind: CredentialKind::Session(account),
            narrowing: Narrowing::NONE,
            expires_ms: Some(expires_ms),
            label: None,
            parent: None,
            identity: None,
        };
        let NewCredential { credential, shown } = self.issue(issue).await?;
        let Shown::Bearer(token) = shown else {
            let what = "a session was made that is no bearer".to_owned();
            return Err(TenancyError::Unavailable(what));
        };
        Ok(NewSession {
            id: credential.id,
            token,
            org: organization.org,
            slug: organization.slug,
            principal: credential.principal,
            expires_ms,
        })
    }

    /// Ends the sessions of an account in all its organizations, but for one.
    pub(super) async fn end_sessions(
        &self,
        account: AccountId,
        but: Option<&AccessKeyId>,
    ) -> Result<(), TenancyError> {
        let mut after = None;
        loop {
            let page = self.catalog.seats(account, after, PAGE).await?;
            for claimed in &page {
                let row = claimed.unverified();
                after = Some(row.org);
                // What is revoked says itself whose it is: the row is not believed for it.
                self.revoke_all(row.org, PrincipalId::from_bytes(row.id), |_, record| {
                    record.kind() == CredentialKind::Session(account) && Some(record.id()) != but
                })
                .await?;
            }
            if page.len() < PAGE as usize {
                return Ok(());
            }
        }
    }
}

const PAGE: u32 = 100;
/// A working day.
const SESSION_MS: u64 = 12 * 3_600_000;

//! Identities at providers by which agents get their sessions of STS: a workload that its platform
//! vouches for needs no secret of ours.

use names::{AccessKeyId, OrgId, PrincipalId};

use super::credential::{CredentialRequest, NewCredential};
use super::error::TenancyError;
use super::identity::{LinkedIdentity, OidcLinkBody, identity_name};
use super::record::{Held, Refused, draft, insertion};
use super::service::{Tenancy, principal};
use crate::authz::{
    Caller, CreateOwnCredential, Identity, ManageAgents, Permit, ReadAgents, SubjectKind,
};
use crate::catalog::Conflict;
use crate::keyring::RecordDraft;

impl Tenancy {
    /// Links an identity to an agent: whoever proves it, with a token that names the organization,
    /// acts as the agent. An identity may be linked in several organizations, to one agent in each.
    pub async fn link_agent_identity(
        &self,
        permit: Permit<ManageAgents>,
        issuer: &str,
        subject: &str,
    ) -> Result<(), TenancyError> {
        let (org, agent) = (permit.org(), principal(&permit, SubjectKind::Agent)?);
        self.living_agent(org, agent).await?;
        let lookup = self.agent_identity_lookup(org, issuer, subject).await?;
        let draft = RecordDraft {
            parent: Some(*agent.bytes()),
            lookup: Some(lookup),
            ..draft::<OidcLinkBody>(self.new_id(), self.clock.now_ms())
        };
        let platform = self.keyring.open_platform().await?;
        let body = OidcLinkBody::in_organization(issuer, subject, org);
        let write = insertion(&platform, draft, &body)?;
        let linked = self.commit_records(OrgId::PLATFORM, vec![write], Vec::new());
        match linked.await {
            Ok(()) => Ok(()),
            Err(Refused::Conflict(Conflict::Exists)) => {
                match self.agent_named(org, issuer, subject).await? {
                    Some(linked) if linked == agent => Ok(()),
                    _ => Err(TenancyError::Exists("the identity is linked to an agent")),
                }
            }
            Err(refused) => Err(refused.into()),
        }
    }

    /// The identities that an agent has.
    pub async fn agent_identities(
        &self,
        permit: Permit<ReadAgents>,
    ) -> Result<Vec<LinkedIdentity>, TenancyError> {
        let agent = principal(&permit, SubjectKind::Agent)?;
        let links = self.agent_links(permit.org(), agent).await?;
        Ok(links.iter().map(Held::linked).collect())
    }

    /// Takes an identity from an agent. The sessions that it has stay until they end or are
    /// revoked.
    pub async fn unlink_agent_identity(
        &self,
        permit: Permit<ManageAgents>,
        issuer: &str,
        subject: &str,
    ) -> Result<(), TenancyError> {
        let agent = principal(&permit, SubjectKind::Agent)?;
        let links = self.agent_links(permit.org(), agent).await?;
        let link = links.iter().find(|link| link.body.is_of(issuer, subject));
        let link = link.ok_or(TenancyError::NoSuch("identity"))?;
        Ok(self
            .commit_records(OrgId::PLATFORM, vec![link.deletion()], Vec::new())
            .await?)
    }

    /// The agent of an organization that an identity is linked to.
    pub async fn agent_of(
        &self,
        org: OrgId,
        identity: &Identity,
    ) -> Result<Option<PrincipalId>, TenancyError> {
        let (issuer, subject) = (identity.issuer(), identity.subject());
        self.agent_named(org, issuer, subject).await
    }

    async fn agent_named(
        &self,
        org: OrgId,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<PrincipalId>, TenancyError> {
        let lookup = self.agent_identity_lookup(org, issuer, subject).await?;
        let held = self
            .record_by_lookup::<OidcLinkBody>(OrgId::PLATFORM, &lookup)
            .await?;
        let Some(held) = held else {
            return Ok(None);
        };
        match held.row.parent {
            Some(agent) if held.body.is_of(issuer, subject) && held.body.is_in(org) => {
                Ok(Some(PrincipalId::from_bytes(agent)))
            }
            _ => Err(TenancyError::misplaced("an identity")),
        }
    }

    /// An id for a session that is about to be made, so that what makes it can stand under that
    /// name in the activity log.
    pub fn draw_session_id(&self) -> Result<AccessKeyId, TenancyError> {
        self.draw_credential_id()
    }

    /// Makes the session of a caller that has proven an identity: the one that it is named by.
    pub async fn create_identity_session(
        &self,
        permit: Permit<CreateOwnCredential>,
        caller: &Caller,
        request: CredentialRequest,
    ) -> Result<NewCredential, TenancyError> {
        if (caller.org(), caller.principal()) != (permit.org(), permit.principal()) {
            let what = "a permit of another caller".to_owned();
            return Err(TenancyError::Unavailable(what));
        }
        let issue = self.asked(permit.org(), permit.principal(), request)?;
        self.issue_as(caller.credential().clone(), issue).await
    }

    async fn agent_links(
        &self,
        org: OrgId,
        agent: PrincipalId,
    ) -> Result<Vec<Held<OidcLinkBody>>, TenancyError> {
        self.agent_held(org, agent).await?;
        let parent = Some(*agent.bytes());
        let mut links = self
            .all_records::<OidcLinkBody>(OrgId::PLATFORM, parent)
            .await?;
        links.retain(|link| link.body.is_in(org));
        Ok(links)
    }

    async fn agent_identity_lookup(
        &self,
        org: OrgId,
        issuer: &str,
        subject: &str,
    ) -> Result<[u8; 32], TenancyError> {
        let mut name = org.bytes().to_vec();
        name.extend_from_slice(&identity_name(issuer, subject));
        Ok(self.keyring.platform_lookup(AGENT_IDENTITY, &name).await?)
    }
}

/// The kind of the names that are identities of agents, each in its organization.
const AGENT_IDENTITY: &str = "oidc-agent-identity";

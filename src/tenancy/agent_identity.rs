//! Identities at providers by which agents get their sessions of STS: a workload that its platform
//! vouches for needs no secret of ours.

use names::{AccessKeyId, OrgId, PrincipalId};

use super::credential::{CredentialRequest, Issue, NewCredential};
use super::error::TenancyError;
use super::identity::{LinkedIdentity, OidcLinkBody, identity_name};
use super::record::{ATTEMPTS_MAX, Held, Refused, draft, insertion};
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

    /// Takes an identity from an agent, and ends the sessions that the agent got by it. From the
    /// first step on it gets no more; one that was interrupted is unlinked again.
    pub async fn unlink_agent_identity(
        &self,
        permit: Permit<ManageAgents>,
        issuer: &str,
        subject: &str,
    ) -> Result<(), TenancyError> {
        let (org, agent) = (permit.org(), principal(&permit, SubjectKind::Agent)?);
        let link = self.close_link(org, agent, issuer, subject).await?;
        self.revoke_all(org, agent, |_, record| record.identity() == Some(&link))
            .await?;
        for _ in 0..ATTEMPTS_MAX {
            let held = self.record::<OidcLinkBody>(OrgId::PLATFORM, &link).await?;
            // Somebody else unlinks it, too.
            let Some(held) = held else {
                return Ok(());
            };
            let writes = vec![held.deletion()];
            let deleted = self.commit_records(OrgId::PLATFORM, writes, Vec::new());
            match deleted.await {
                Ok(()) | Err(Refused::Conflict(Conflict::Missing)) => return Ok(()),
                Err(refused) if refused.is_worth_retrying() => {}
                Err(refused) => return Err(refused.into()),
            }
        }
        Err(TenancyError::Changed)
    }

    /// Lets nobody in by a link any more, and says which it is.
    async fn close_link(
        &self,
        org: OrgId,
        agent: PrincipalId,
        issuer: &str,
        subject: &str,
    ) -> Result<[u8; 16], TenancyError> {
        for _ in 0..ATTEMPTS_MAX {
            let mut links = self.agent_links(org, agent).await?.into_iter();
            let link = links.find(|link| link.body.is_of(issuer, subject));
            let mut link = link.ok_or(NO_SUCH_IDENTITY)?;
            if link.row.state == UNLINKING {
                return Ok(link.row.id);
            }
            link.row.state = UNLINKING;
            let platform = self.keyring.open_platform().await?;
            let writes = vec![link.replacement(&platform)?];
            let closed = self.commit_records(OrgId::PLATFORM, writes, Vec::new());
            match closed.await {
                Ok(()) => return Ok(link.row.id),
                Err(refused) if refused.is_worth_retrying() => {}
                Err(refused) => return Err(refused.into()),
            }
        }
        Err(TenancyError::Changed)
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
        let link = self.agent_link(org, issuer, subject).await?;
        Ok(link.and_then(|link| link.row.parent.map(PrincipalId::from_bytes)))
    }

    /// The link of an identity to an agent, unless it is being taken away.
    async fn agent_link(
        &self,
        org: OrgId,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Held<OidcLinkBody>>, TenancyError> {
        let lookup = self.agent_identity_lookup(org, issuer, subject).await?;
        let held = self
            .record_by_lookup::<OidcLinkBody>(OrgId::PLATFORM, &lookup)
            .await?;
        let Some(held) = held else {
            return Ok(None);
        };
        let is_asked_for = held.body.is_of(issuer, subject) && held.body.is_in(org);
        if !is_asked_for || held.row.parent.is_none() {
            return Err(TenancyError::misplaced("an identity"));
        }
        Ok(Some(held).filter(|held| held.row.state != UNLINKING))
    }

    /// An id for a session that is about to be made, so that what makes it can stand under that
    /// name in the activity log.
    pub fn draw_session_id(&self) -> Result<AccessKeyId, TenancyError> {
        self.draw_credential_id()
    }

    /// Makes the session of a caller that has proven an identity: the one that it is named by, and
    /// that ends when the identity is unlinked. None, if that has happened.
    pub async fn create_identity_session(
        &self,
        permit: Permit<CreateOwnCredential>,
        caller: &Caller,
        identity: &Identity,
        request: CredentialRequest,
    ) -> Result<Option<NewCredential>, TenancyError> {
        if (caller.org(), caller.principal()) != (permit.org(), permit.principal()) {
            let what = "a permit of another caller".to_owned();
            return Err(TenancyError::Unavailable(what));
        }
        let (org, agent) = (permit.org(), permit.principal());
        let (issuer, subject) = (identity.issuer(), identity.subject());
        let is_agents = |link: &Held<_>| link.row.parent == Some(*agent.bytes());
        let link = self.agent_link(org, issuer, subject).await?;
        let Some(link) = link.filter(is_agents) else {
            return Ok(None);
        };
        let issue = Issue {
            identity: Some(link.row.id),
            ..self.asked(org, agent, request)?
        };
        let made = self.issue_as(caller.credential().clone(), issue).await?;
        // Whoever unlinked it meanwhile may have looked for sessions before this one was there.
        let linked = self.agent_link(org, issuer, subject).await?;
        if linked.is_some_and(|linked| linked.row.id == link.row.id) {
            return Ok(Some(made));
        }
        self.revoke(org, &made.credential.id, |_| true).await?;
        Ok(None)
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

const NO_SUCH_IDENTITY: TenancyError = TenancyError::NoSuch("identity");
/// The state of a link whose sessions are being ended; it is 1 before.
const UNLINKING: u8 = 2;
/// The kind of the names that are identities of agents, each in its organization.
const AGENT_IDENTITY: &str = "oidc-agent-identity";

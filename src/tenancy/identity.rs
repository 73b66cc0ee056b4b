use minicbor::{CborLen, Decode, Encode};
use names::{AccountId, OrgId};

use super::error::TenancyError;
use super::record::{Body, Held, Refused, draft, insertion};
use super::service::Tenancy;
use super::session::{NewSession, SignedIn};
use crate::authz::Identity;
use crate::catalog::{Conflict, RecordGuard, RecordKind};
use crate::keyring::RecordDraft;

/// An identity at a provider by which an account logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedIdentity {
    /// The provider.
    pub issuer: String,
    /// Its name for the person.
    pub subject: String,
    /// Since when, milliseconds since the epoch.
    pub since_ms: u64,
}

/// What the record of a link holds. Its parent is the account, or the agent.
#[derive(Debug, Clone, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct OidcLinkBody {
    #[n(0)]
    issuer: String,
    #[n(1)]
    subject: String,
    /// The agent's organization.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    org: Option<[u8; 16]>,
}

impl OidcLinkBody {
    /// Of an account.
    fn of_account(identity: &Identity) -> Self {
        Self {
            issuer: identity.issuer().to_owned(),
            subject: identity.subject().to_owned(),
            org: None,
        }
    }

    /// Of an agent of this organization.
    pub(super) fn in_organization(issuer: &str, subject: &str, org: OrgId) -> Self {
        Self {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            org: Some(*org.bytes()),
        }
    }

    /// Whether it links this identity.
    pub(super) fn is_of(&self, issuer: &str, subject: &str) -> bool {
        self.issuer == issuer && self.subject == subject
    }

    /// Whether it links it to an agent of this organization.
    pub(super) fn is_in(&self, org: OrgId) -> bool {
        self.org == Some(*org.bytes())
    }
}

impl Body for OidcLinkBody {
    const KIND: RecordKind = RecordKind::OidcLink;
}

impl Tenancy {
    /// Logs the account in that the identity is linked to. Never by an e-mail address: whoever may
    /// choose it at a provider could become anybody.
    pub async fn log_in_by_identity(
        &self,
        identity: &Identity,
    ) -> Result<NewSession, TenancyError> {
        let held = self.link(identity).await?;
        let account = held.ok_or(TenancyError::LogInRefused)?.account()?;
        let account = self.account_held(account).await?;
        let proven = account.password();
        self.session_of(account, &proven).await
    }

    /// Links an identity to the account: from now on it logs in by it.
    pub async fn link_identity(
        &self,
        signed_in: &SignedIn,
        identity: &Identity,
    ) -> Result<(), TenancyError> {
        let lookup = self.identity_lookup(identity).await?;
        let draft = RecordDraft {
            parent: Some(*signed_in.account().bytes()),
            lookup: Some(lookup),
            ..draft::<OidcLinkBody>(self.new_id(), self.clock.now_ms())
        };
        let body = OidcLinkBody::of_account(identity);
        let platform = self.keyring.open_platform().await?;
        let write = insertion(&platform, draft, &body)?;
        let guard = RecordGuard::Exists {
            kind: RecordKind::Account,
            id: *signed_in.account().bytes(),
        };
        match self
            .commit_records(OrgId::PLATFORM, vec![write], vec![guard])
            .await
        {
            Ok(()) => Ok(()),
            Err(Refused::Conflict(Conflict::Exists)) => match self.link(identity).await? {
                Some(held) if held.account()? == signed_in.account() => Ok(()),
                _ => Err(TenancyError::Exists("the identity is linked to an account")),
            },
            Err(refused) => Err(refused.into()),
        }
    }

    /// The identities by which the account logs in.
    pub async fn identities(
        &self,
        signed_in: &SignedIn,
    ) -> Result<Vec<LinkedIdentity>, TenancyError> {
        let parent = Some(*signed_in.account().bytes());
        let links = self
            .all_records::<OidcLinkBody>(OrgId::PLATFORM, parent)
            .await?;
        Ok(links.iter().map(Held::linked).collect())
    }

    /// Takes an identity from the account, unless it could not log in without.
    pub async fn unlink_identity(
        &self,
        signed_in: &SignedIn,
        issuer: &str,
        subject: &str,
    ) -> Result<(), TenancyError> {
        let parent = Some(*signed_in.account().bytes());
        let links = self
            .all_records::<OidcLinkBody>(OrgId::PLATFORM, parent)
            .await?;
        let is_meant =
            |link: &&Held<OidcLinkBody>| link.body.issuer == issuer && link.body.subject == subject;
        let link = links.iter().find(is_meant);
        let link = link.ok_or(TenancyError::NoSuch("identity"))?;
        let account = self.account_held(signed_in.account()).await?;
        if account.password().is_none() && links.len() == 1 {
            return Err(TenancyError::Invalid(
                "the account could not log in any more: choose a password first",
            ));
        }
        // What was counted on to remain, remains.
        let others = links.iter().filter(|other| other.row.id != link.row.id);
        let guards = others
            .map(Held::unchanged)
            .chain([account.unchanged()])
            .collect();
        Ok(self
            .commit_records(OrgId::PLATFORM, vec![link.deletion()], guards)
            .await?)
    }

    async fn link(&self, identity: &Identity) -> Result<Option<Held<OidcLinkBody>>, TenancyError> {
        let lookup = self.identity_lookup(identity).await?;
        let held = self
            .record_by_lookup::<OidcLinkBody>(OrgId::PLATFORM, &lookup)
            .await?;
        match held {
            Some(held)
                if !held.body.is_of(identity.issuer(), identity.subject())
                    || held.body.org.is_some() =>
            {
                Err(TenancyError::misplaced("an identity"))
            }
            held => Ok(held),
        }
    }

    async fn identity_lookup(&self, identity: &Identity) -> Result<[u8; 32], TenancyError> {
        let name = identity_name(identity.issuer(), identity.subject());
        Ok(self.keyring.platform_lookup(IDENTITY, &name).await?)
    }
}

impl Held<OidcLinkBody> {
    fn account(&self) -> Result<AccountId, TenancyError> {
        let account = self.row.parent.map(AccountId::from_bytes);
        account.ok_or_else(|| TenancyError::misplaced("an identity"))
    }

    pub(super) fn linked(&self) -> LinkedIdentity {
        LinkedIdentity {
            issuer: self.body.issuer.clone(),
            subject: self.body.subject.clone(),
            since_ms: self.row.created_ms,
        }
    }
}

/// Issuer and subject have lengths of their own in it: no two identities share a name.
pub(super) fn identity_name(issuer: &str, subject: &str) -> Vec<u8> {
    let mut name = Vec::new();
    for part in [issuer, subject] {
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    name
}

/// The kind of the names that are identities at providers.
const IDENTITY: &str = "oidc-identity";

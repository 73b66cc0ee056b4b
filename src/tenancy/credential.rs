use names::{AccessKeyId, BearerKind, OrgId, PrincipalId};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::error::TenancyError;
use super::member::MemberBody;
use super::record::ATTEMPTS_MAX;
use super::service::{Tenancy, all_of, principal};
use super::text::Label;
use crate::authz::{
    self, Caller, CreateOwnCredential, ListOwnCredentials, ManageCredentials, Narrowing, Permit,
    ReadCredentials, RevokeOwnCredential, Scope, ShowSelf, SubjectKind,
};
use crate::catalog::{
    CommitError, Conflict, CredentialKind, CredentialQuery, CredentialRow, Mutation, Unverified,
};
use crate::keyring::{Credential, OrgKeys, Proof};

/// What credential is asked for.
#[derive(Debug, Clone)]
pub struct CredentialRequest {
    /// What it is.
    pub kind: NewCredentialKind,
    /// How it narrows its principal's rights, beside how the credential that asks does.
    pub narrowing: Narrowing,
    /// When it ends. A session of STS has to end.
    pub expires_ms: Option<u64>,
    /// What its owner calls it.
    pub label: Option<Label>,
}

/// What can be asked for. A session comes from logging in alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewCredentialKind {
    /// An access key, which signs.
    AccessKey,
    /// An API token, which is shown as a bearer.
    ApiToken,
    /// What STS hands out: an access key and a session token.
    StsSession,
}

/// A credential just made: the one time that what proves it is shown.
pub struct NewCredential {
    /// What it is, as it is listed.
    pub credential: IssuedCredential,
    /// What proves it.
    pub shown: Shown,
}

/// What proves a credential, as its holder gets it.
pub enum Shown {
    /// The secret half of an access key.
    Secret(Zeroizing<String>),
    /// A whole bearer token: `bks_…` or `bkt_…`.
    Bearer(Zeroizing<String>),
    /// The secret half of an access key, and the session token that comes with every signature.
    SecretWithToken(Zeroizing<String>, Zeroizing<String>),
}

/// A credential as it is listed: never what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCredential {
    /// Its public half.
    pub id: AccessKeyId,
    /// Whose it is.
    pub principal: PrincipalId,
    /// What it is.
    pub kind: authz::CredentialKind,
    /// How far it reaches.
    pub narrowing: Narrowing,
    /// What its owner calls it.
    pub label: Option<String>,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// When it ends.
    pub expires_ms: Option<u64>,
    /// When it was revoked.
    pub revoked_ms: Option<u64>,
    /// When it was last used, as far as that was noted.
    pub last_used_ms: Option<u64>,
}

/// What is about to be made for a principal.
pub(super) struct Issue {
    pub(super) org: OrgId,
    pub(super) principal: PrincipalId,
    pub(super) kind: authz::CredentialKind,
    pub(super) narrowing: Narrowing,
    pub(super) expires_ms: Option<u64>,
    pub(super) label: Option<String>,
    /// The credential that makes it and that it ends with.
    pub(super) parent: Option<AccessKeyId>,
    /// The link of the identity that it is got by and that it ends with.
    pub(super) identity: Option<[u8; 16]>,
}

impl Tenancy {
    /// Makes a credential for the caller that reaches no further than the one it shows, and does
    /// not outlive it, unless that is the session of a person.
    pub async fn create_own_credential(
        &self,
        permit: Permit<CreateOwnCredential>,
        caller: &Caller,
        request: CredentialRequest,
    ) -> Result<NewCredential, TenancyError> {
        if (caller.org(), caller.principal()) != (permit.org(), permit.principal()) {
            let what = "a permit of another caller".to_owned();
            return Err(TenancyError::Unavailable(what));
        }
        let shown = self.credential_of(permit.org(), caller.credential());
        let (shown, record) = shown
            .await?
            .ok_or(TenancyError::NoSuch(SubjectKind::Credential.as_str()))?;
        let is_session = matches!(caller.kind(), authz::CredentialKind::Session(_));
        let expires_ms = match (shown.expires_ms, request.expires_ms) {
            (Some(end), asked) if !is_session => Some(asked.unwrap_or(end).min(end)),
            (_, asked) => asked,
        };
        let narrowing = narrower(caller.narrowing(), request.narrowing)?;
        let request = CredentialRequest {
            narrowing,
            expires_ms,
            ..request
        };
        if request.kind == NewCredentialKind::StsSession {
            self.check_chain(permit.org(), record.parent()).await?;
        }
        // What it makes for one call after another ends when it is revoked.
        let parent = match request.kind {
            NewCredentialKind::StsSession => Some(caller.credential().clone()),
            NewCredentialKind::AccessKey | NewCredentialKind::ApiToken => None,
        };
        let issue = self.asked(permit.org(), permit.principal(), request)?;
        self.issue(Issue { parent, ..issue }).await
    }

    /// Makes sure that one more session may follow on a credential that `parent` made.
    async fn check_chain(
        &self,
        org: OrgId,
        parent: Option<&AccessKeyId>,
    ) -> Result<(), TenancyError> {
        let mut parent = parent.cloned();
        for _ in 1..Credential::ANCESTORS_MAX {
            let Some(id) = parent else {
                return Ok(());
            };
            let made_by = self.credential_of(org, &id).await?;
            parent = made_by.and_then(|(_, record)| record.parent().cloned());
        }
        match parent {
            None => Ok(()),
            Some(_) => Err(TenancyError::Invalid(
                "too many sessions have made one another: use an access key",
            )),
        }
    }

    /// The credential that the caller shows, as it is listed.
    pub async fn shown_credential(
        &self,
        permit: Permit<ShowSelf>,
        caller: &Caller,
    ) -> Result<IssuedCredential, TenancyError> {
        let held = self.credential_of(permit.org(), caller.credential());
        let (row, record) = held
            .await?
            .ok_or(TenancyError::NoSuch(SubjectKind::Credential.as_str()))?;
        Ok(listed(&row, &record, None))
    }

    /// Makes a credential for the agent that the permit is for.
    pub async fn create_agent_credential(
        &self,
        permit: Permit<ManageCredentials>,
        request: CredentialRequest,
    ) -> Result<NewCredential, TenancyError> {
        let agent = principal(&permit, SubjectKind::Agent)?;
        self.agent_held(permit.org(), agent).await?;
        let issue = self.asked(permit.org(), agent, request)?;
        self.issue(issue).await
    }

    /// Up to `max` credentials of the caller's own after one of them, in an order of no meaning
    /// that stays.
    pub async fn own_credentials(
        &self,
        permit: Permit<ListOwnCredentials>,
        after: Option<&AccessKeyId>,
        max: u32,
    ) -> Result<Vec<IssuedCredential>, TenancyError> {
        let principal = Some(permit.principal());
        self.issued(permit.org(), principal, after, max).await
    }

    /// Revokes a credential of the caller's own, for good.
    pub async fn revoke_own_credential(
        &self,
        permit: Permit<RevokeOwnCredential>,
        id: &AccessKeyId,
    ) -> Result<(), TenancyError> {
        let is_own = |row: &CredentialRow| row.principal == permit.principal();
        self.revoke(permit.org(), id, is_own).await
    }

    /// Up to `max` credentials of the organization, or of one principal in it.
    pub async fn credentials(
        &self,
        permit: Permit<ReadCredentials>,
        principal: Option<PrincipalId>,
        after: Option<&AccessKeyId>,
        max: u32,
    ) -> Result<Vec<IssuedCredential>, TenancyError> {
        all_of(&permit, SubjectKind::Credential)?;
        self.issued(permit.org(), principal, after, max).await
    }

    /// Revokes the credential that the permit is for, unless it is that of a member above the
    /// caller.
    pub async fn revoke_credential(
        &self,
        permit: Permit<ManageCredentials>,
    ) -> Result<(), TenancyError> {
        let id = super::service::subject(&permit, SubjectKind::Credential, |text| {
            AccessKeyId::parse(text).ok()
        })?;
        let org = permit.org();
        let found = self.credential_of(org, &id).await?;
        let (row, _) = found.ok_or(TenancyError::NoSuch(SubjectKind::Credential.as_str()))?;
        let owner = self
            .record::<MemberBody>(org, row.principal.bytes())
            .await?;
        if let Some(owner) = owner {
            let (_, role) = self.acting_member(&permit).await?;
            if !role.may_give(owner.role()?) {
                return Err(TenancyError::AboveOwnRole);
            }
        }
        self.revoke(org, &id, |_| true).await
    }

    /// What was asked for, if it can be.
    pub(super) fn asked(
        &self,
        org: OrgId,
        principal: PrincipalId,
        request: CredentialRequest,
    ) -> Result<Issue, TenancyError> {
        let now_ms = self.clock.now_ms();
        match request.expires_ms {
            Some(end) if end <= now_ms => {
                return Err(TenancyError::Invalid("what is made ends in the future"));
            }
            None if request.kind == NewCredentialKind::StsSession => {
                return Err(TenancyError::Invalid("a session of STS has to end"));
            }
            _ => {}
        }
        Ok(Issue {
            org,
            principal,
            kind: match request.kind {
                NewCredentialKind::AccessKey => authz::CredentialKind::AccessKey,
                NewCredentialKind::ApiToken => authz::CredentialKind::ApiToken,
                NewCredentialKind::StsSession => authz::CredentialKind::StsSession,
            },
            narrowing: request.narrowing,
            expires_ms: request.expires_ms,
            label: request.label.map(|label| label.as_str().to_owned()),
            parent: None,
            identity: None,
        })
    }

    /// Draws a credential and stores it: it works from now on.
    pub(super) async fn issue(&self, issue: Issue) -> Result<NewCredential, TenancyError> {
        let id = self.draw_credential_id()?;
        self.issue_as(id, issue).await
    }

    /// The same under an id that was drawn for it.
    pub(super) async fn issue_as(
        &self,
        id: AccessKeyId,
        issue: Issue,
    ) -> Result<NewCredential, TenancyError> {
        let secret = self.draw_secret();
        let digest = |text: &str| <[u8; 32]>::from(Sha256::digest(text));
        let bearer = |kind: BearerKind| {
            let text = Zeroizing::new(kind.print(&id, &secret));
            (Proof::TokenDigest(digest(&secret)), Shown::Bearer(text))
        };
        let (proof, shown) = match issue.kind {
            authz::CredentialKind::AccessKey => {
                (Proof::Secret(secret.clone()), Shown::Secret(secret))
            }
            authz::CredentialKind::ApiToken => bearer(BearerKind::ApiToken),
            authz::CredentialKind::Session(_) => bearer(BearerKind::Session),
            authz::CredentialKind::StsSession => {
                let token = self.draw_secret();
                let proof = Proof::SecretWithToken(secret.clone(), digest(&token));
                (proof, Shown::SecretWithToken(secret, token))
            }
        };
        let lookup = self.keyring.access_key_lookup(&id).await?;
        let platform = self.keyring.open_platform().await?;
        let record = Credential::new(id, proof, issue.kind, issue.narrowing)
            .labelled(issue.label)
            .made_by(issue.parent)
            .got_by(issue.identity);
        let row = CredentialRow {
            lookup,
            org: issue.org,
            principal: issue.principal,
            kind: stored_kind(issue.kind),
            sealed: record.seal(&platform, &lookup)?,
            created_ms: self.clock.now_ms(),
            expires_ms: issue.expires_ms,
            revoked_ms: None,
            sequence: 1,
        };
        let credential = listed(&row, &record, None);
        let creation = Mutation::CreateCredential(platform.authenticate(row)?);
        match self.catalog.commit(issue.org, creation).await {
            Ok(_) => Ok(NewCredential { credential, shown }),
            Err(CommitError::Conflict(Conflict::Missing)) => Err(TenancyError::NoSuchOrganization),
            Err(CommitError::Conflict(conflict)) => Err(conflict.into()),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// A page of credentials, with when they were last used.
    async fn issued(
        &self,
        org: OrgId,
        principal: Option<PrincipalId>,
        after: Option<&AccessKeyId>,
        max: u32,
    ) -> Result<Vec<IssuedCredential>, TenancyError> {
        let after = match after {
            Some(id) => Some(self.keyring.access_key_lookup(id).await?),
            None => None,
        };
        let query = CredentialQuery {
            principal,
            kind: None,
            after,
            max,
        };
        let page = self.credential_page(org, query).await?;
        let lookups: Vec<_> = page.iter().map(|(row, _)| row.lookup).collect();
        let uses = self.catalog.credential_uses(org, &lookups).await?;
        Ok(page
            .iter()
            .map(|(row, record)| {
                let used = uses.iter().find(|(lookup, _)| *lookup == row.lookup);
                listed(row, record, used.map(|(_, at_ms)| *at_ms))
            })
            .collect())
    }

    async fn credential_page(
        &self,
        org: OrgId,
        query: CredentialQuery,
    ) -> Result<Vec<(CredentialRow, Credential)>, TenancyError> {
        let claimed = self.catalog.credentials(org, query).await?;
        let platform = self.platform_for(&claimed).await?;
        claimed
            .into_iter()
            .map(|claimed| {
                let (row, record) = opened(&platform, claimed)?;
                let is_asked_for =
                    row.org == org && query.principal.is_none_or(|one| row.principal == one);
                if is_asked_for {
                    Ok((row, record))
                } else {
                    Err(TenancyError::misplaced("a credential"))
                }
            })
            .collect()
    }

    /// A credential of an organization by its public half; another organization's is not known
    /// here.
    pub(super) async fn credential_of(
        &self,
        org: OrgId,
        id: &AccessKeyId,
    ) -> Result<Option<(CredentialRow, Credential)>, TenancyError> {
        let lookup = self.keyring.access_key_lookup(id).await?;
        let Some(claimed) = self.catalog.credential(&lookup).await? else {
            return Ok(None);
        };
        let version = claimed.tag().key_version;
        let platform = self.keyring.open_platform_at(version).await?;
        let (row, record) = opened(&platform, claimed)?;
        if record.id() != id {
            return Err(TenancyError::misplaced("a credential"));
        }
        Ok((row.org == org).then_some((row, record)))
    }

    /// Revokes a credential of an organization, for good: on this node from its next request on,
    /// elsewhere within a second. A revoked one stays revoked as of when it was.
    pub(super) async fn revoke(
        &self,
        org: OrgId,
        id: &AccessKeyId,
        is_meant: impl Fn(&CredentialRow) -> bool,
    ) -> Result<(), TenancyError> {
        for _ in 0..ATTEMPTS_MAX {
            let found = self.credential_of(org, id).await?;
            let found = found.filter(|(row, _)| is_meant(row));
            let (row, _) = found.ok_or(TenancyError::NoSuch(SubjectKind::Credential.as_str()))?;
            if self.revoke_row(row).await? {
                return Ok(());
            }
        }
        Err(TenancyError::Changed)
    }

    /// Revokes every credential of a principal for which `is_meant`.
    pub(super) async fn revoke_all(
        &self,
        org: OrgId,
        principal: PrincipalId,
        is_meant: impl Fn(&CredentialRow, &Credential) -> bool,
    ) -> Result<(), TenancyError> {
        let mut query = CredentialQuery {
            principal: Some(principal),
            kind: None,
            after: None,
            max: PAGE,
        };
        loop {
            let page = self.credential_page(org, query).await?;
            query.after = page.last().map(|(row, _)| row.lookup);
            let is_last = page.len() < PAGE as usize;
            for (row, record) in page {
                if is_meant(&row, &record) && !self.revoke_row(row).await? {
                    self.revoke(org, record.id(), |_| true).await?;
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Whether the row was still as it was read.
    async fn revoke_row(&self, row: CredentialRow) -> Result<bool, TenancyError> {
        if row.revoked_ms.is_some() {
            return Ok(true);
        }
        let platform = self.keyring.open_platform().await?;
        let org = row.org;
        let revoked = CredentialRow {
            revoked_ms: Some(self.clock.now_ms()),
            sequence: row.sequence + 1,
            ..row
        };
        let replacement = Mutation::ReplaceCredential(platform.authenticate(revoked)?);
        match self.catalog.commit(org, replacement).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict(Conflict::Changed)) => Ok(false),
            // Its end came, and it was swept away.
            Err(CommitError::Conflict(Conflict::Missing)) => Ok(true),
            Err(CommitError::Conflict(conflict)) => Err(conflict.into()),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    pub(super) fn draw_credential_id(&self) -> Result<AccessKeyId, TenancyError> {
        let text = self.random_text(ID_PREFIX, ALPHABET, ID_LEN);
        AccessKeyId::parse(&text).map_err(|error| TenancyError::Unavailable(error.to_string()))
    }

    fn draw_secret(&self) -> Zeroizing<String> {
        self.random_text("", ALPHABET, SECRET_LEN)
    }
}

/// A row with what it holds, verified.
pub(super) fn opened(
    platform: &OrgKeys,
    claimed: Unverified<CredentialRow>,
) -> Result<(CredentialRow, Credential), TenancyError> {
    let row = platform.verify(claimed)?;
    let record = Credential::open(platform, &row)?;
    if row.kind == stored_kind(record.kind()) {
        Ok((row, record))
    } else {
        Err(TenancyError::misplaced("a credential"))
    }
}

fn listed(row: &CredentialRow, record: &Credential, last_used_ms: Option<u64>) -> IssuedCredential {
    IssuedCredential {
        id: record.id().clone(),
        principal: row.principal,
        kind: record.kind(),
        narrowing: record.narrowing().clone(),
        label: record.label().map(str::to_owned),
        created_ms: row.created_ms,
        expires_ms: row.expires_ms,
        revoked_ms: row.revoked_ms,
        last_used_ms,
    }
}

/// What is asked for, narrowed by what the caller shows.
pub(super) fn narrower(shown: &Narrowing, asked: Narrowing) -> Result<Narrowing, TenancyError> {
    let role = match (shown.role, asked.role) {
        (Some(limit), Some(role)) if !limit.covers(role) => return Err(TenancyError::TooWide),
        (limit, role) => role.or(limit),
    };
    let policies = [&shown.policies[..], &asked.policies].concat();
    if policies.len() > POLICIES_MAX {
        return Err(TenancyError::LimitReached {
            what: "policies on a credential",
            max: POLICIES_MAX as u64,
        });
    }
    Ok(Narrowing {
        scope: match (shown.scope, asked.scope) {
            (Scope::Full, Scope::Full) => Scope::Full,
            _ => Scope::ReadOnly,
        },
        role,
        policies,
    })
}

fn stored_kind(kind: authz::CredentialKind) -> CredentialKind {
    match kind {
        authz::CredentialKind::AccessKey => CredentialKind::AccessKey,
        authz::CredentialKind::ApiToken => CredentialKind::ApiToken,
        authz::CredentialKind::Session(_) => CredentialKind::Session,
        authz::CredentialKind::StsSession => CredentialKind::StsSession,
    }
}

/// Tells our ids from other services', in logs and for secret scanners.
pub(super) const ID_PREFIX: &str = "BK";
/// Base32 (RFC 4648): with the prefix 20 characters, as Amazon's are, and 90 bits of chance.
pub(super) const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
pub(super) const ID_LEN: usize = 18;
/// 240 bits of chance.
const SECRET_LEN: usize = 48;
/// A chain of narrower and narrower credentials ends somewhere.
const POLICIES_MAX: usize = 8;
const PAGE: u32 = 200;

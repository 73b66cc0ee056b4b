use names::{AccessKeyId, OrgId, PrincipalId};
use zeroize::Zeroizing;

use super::error::TenancyError;
use super::service::Tenancy;
use crate::authz::{CredentialKind, Narrowing, Operator, Scope};
use crate::catalog::{
    self, CommitError, Conflict, CredentialQuery, CredentialRow, Mutation, OrgState, Unverified,
};
use crate::keyring::{Credential, OrgKeys, Proof};

/// An access key as it is listed: never its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its public half.
    pub id: AccessKeyId,
    /// How far it reaches.
    pub scope: Scope,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// When it was revoked.
    pub revoked_ms: Option<u64>,
}

/// An access key that was drawn and does not work yet, so that it can stand in the activity log
/// before it does.
pub struct DraftAccessKey {
    org: OrgId,
    id: AccessKeyId,
    secret: Zeroizing<String>,
    scope: Scope,
}

/// An access key just made: the one time that its secret is shown.
pub struct NewAccessKey {
    /// Its public half.
    pub id: AccessKeyId,
    /// Its secret half.
    pub secret: Zeroizing<String>,
    /// How far it reaches.
    pub scope: Scope,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
}

impl DraftAccessKey {
    /// The organization that it will belong to.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Its public half.
    pub fn id(&self) -> &AccessKeyId {
        &self.id
    }

    /// How far it will reach.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Its secret half, for whoever shows it before it works.
    pub fn expose(&self) -> &str {
        &self.secret
    }

    /// One that was drawn before, and kept sealed since.
    pub fn recalled(org: OrgId, id: AccessKeyId, secret: Zeroizing<String>, scope: Scope) -> Self {
        Self {
            org,
            id,
            secret,
            scope,
        }
    }
}

impl Tenancy {
    /// Draws an access key for an organization. Nothing is stored: it does not work before
    /// [`create_access_key`](Self::create_access_key) takes it.
    pub fn draft_access_key(&self, _: &Operator, org: OrgId, scope: Scope) -> DraftAccessKey {
        let id = self.random_text(ID_PREFIX, ID_ALPHABET, ID_LEN);
        let secret = self.random_text("", SECRET_ALPHABET, SECRET_LEN);
        let id = AccessKeyId::parse(&id).expect("the alphabet is one of access key ids");
        DraftAccessKey {
            org,
            id,
            secret,
            scope,
        }
    }

    /// Makes an access key that works, unless the organization is sealed or destroyed.
    pub async fn create_access_key(
        &self,
        _: &Operator,
        draft: DraftAccessKey,
    ) -> Result<NewAccessKey, TenancyError> {
        let DraftAccessKey {
            org,
            id,
            secret,
            scope,
        } = draft;
        let key = Credential::new(
            id.clone(),
            Proof::Secret(secret.clone()),
            CredentialKind::AccessKey,
            Narrowing::to(scope),
        );
        match self.organization_row(org).await?.state {
            OrgState::Active | OrgState::Suspended => {}
            OrgState::Sealed => return Err(TenancyError::State("sealed")),
            OrgState::Deleting => return Err(TenancyError::State("being deleted")),
            OrgState::Destroyed => return Err(TenancyError::State("destroyed")),
        }
        let lookup = self.keyring.access_key_lookup(key.id()).await?;
        let platform = self.keyring.open_platform().await?;
        let row = CredentialRow {
            lookup,
            org,
            principal: the_organization_itself(org),
            kind: catalog::CredentialKind::AccessKey,
            sealed: key.seal(&platform, &lookup)?,
            created_ms: self.clock.now_ms(),
            expires_ms: None,
            revoked_ms: None,
            sequence: 1,
        };
        let created_ms = row.created_ms;
        let creation = Mutation::CreateCredential(platform.authenticate(row)?);
        match self.catalog.commit(org, creation).await {
            Ok(_) => Ok(NewAccessKey {
                id,
                scope,
                secret,
                created_ms,
            }),
            Err(CommitError::Conflict(Conflict::Missing)) => Err(TenancyError::NoSuchOrganization),
            Err(CommitError::Conflict(conflict)) => Err(conflict.into()),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// The same for one that was drawn for this organization alone, and may have been made before:
    /// then it stands as it is, revoked if it was.
    pub async fn provision_access_key(
        &self,
        operator: &Operator,
        draft: DraftAccessKey,
    ) -> Result<(), TenancyError> {
        let (org, lookup) = (draft.org, self.keyring.access_key_lookup(&draft.id).await?);
        if let Some(claimed) = self.catalog.credential(&lookup).await? {
            let platform = self.keyring.open_platform_at(claimed.tag().key_version);
            let (row, key) = opened(&*platform.await?, claimed)?;
            return match row.org == org && *key.id() == draft.id {
                true => Ok(()),
                false => Err(misplaced()),
            };
        }
        self.create_access_key(operator, draft).await.map(drop)
    }

    /// Up to `max` access keys of an organization, revoked ones among them, after one of them. The
    /// order is of no meaning, and stays.
    pub async fn access_keys(
        &self,
        _: &Operator,
        org: OrgId,
        after: Option<&AccessKeyId>,
        max: u32,
    ) -> Result<Vec<AccessKey>, TenancyError> {
        let after = match after {
            Some(id) => Some(self.keyring.access_key_lookup(id).await?),
            None => None,
        };
        let query = CredentialQuery {
            kind: Some(catalog::CredentialKind::AccessKey),
            after,
            max,
            ..CredentialQuery::default()
        };
        let claimed = self.catalog.credentials(org, query).await?;
        let platform = self.platform_for(&claimed).await?;
        claimed
            .into_iter()
            .map(|claimed| {
                let (row, key) = opened(&platform, claimed)?;
                if row.org != org {
                    return Err(misplaced());
                }
                Ok(AccessKey {
                    id: key.id().clone(),
                    scope: key.narrowing().scope,
                    created_ms: row.created_ms,
                    revoked_ms: row.revoked_ms,
                })
            })
            .collect()
    }

    /// Revokes an access key of an organization, for good: on this node from its next request on,
    /// elsewhere within a second. A revoked one stays revoked as of when it was.
    pub async fn revoke_access_key(
        &self,
        _: &Operator,
        org: OrgId,
        id: &AccessKeyId,
    ) -> Result<(), TenancyError> {
        let lookup = self.keyring.access_key_lookup(id).await?;
        for _ in 0..ATTEMPTS_MAX {
            let claimed = self.catalog.credential(&lookup).await?;
            let claimed = claimed.ok_or(TenancyError::NoSuchAccessKey)?;
            let platform = self.keyring.open_platform_at(claimed.tag().key_version);
            let platform = platform.await?;
            let (row, key) = opened(&platform, claimed)?;
            if key.id() != id {
                return Err(misplaced());
            }
            // Another organization's is not known here.
            if row.org != org {
                return Err(TenancyError::NoSuchAccessKey);
            }
            if row.revoked_ms.is_some() {
                return Ok(());
            }
            let revoked = CredentialRow {
                revoked_ms: Some(self.clock.now_ms()),
                sequence: row.sequence + 1,
                ..row
            };
            let replacement = Mutation::ReplaceCredential(platform.authenticate(revoked)?);
            match self.catalog.commit(org, replacement).await {
                Ok(_) => return Ok(()),
                // Rewrapped or revoked in between: look again.
                Err(CommitError::Conflict(Conflict::Changed)) => {}
                Err(CommitError::Conflict(conflict)) => return Err(conflict.into()),
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
        Err(TenancyError::Changed)
    }

    /// `len` characters of an alphabet of 32 or 64, each drawn evenly: a byte holds a multiple of
    /// either.
    pub(super) fn random_text(
        &self,
        prefix: &str,
        alphabet: &[u8],
        len: usize,
    ) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(vec![0; len]);
        self.entropy.fill(&mut bytes);
        // At its full size from the start, so that no copy is left behind by growing.
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + len));
        text.push_str(prefix);
        text.extend(
            bytes
                .iter()
                .map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])),
        );
        text
    }
}

/// A row with what it holds, verified.
fn opened(
    platform: &OrgKeys,
    claimed: Unverified<CredentialRow>,
) -> Result<(CredentialRow, Credential), TenancyError> {
    let row = platform.verify(claimed)?;
    let key = Credential::open(platform, &row)?;
    Ok((row, key))
}

/// Whom an access key stands for that the operator makes: no person or agent, but the organization
/// as a whole.
fn the_organization_itself(org: OrgId) -> PrincipalId {
    PrincipalId::from_bytes(*org.bytes())
}

/// An authentic row that stands where another one belongs.
fn misplaced() -> TenancyError {
    TenancyError::Damaged("the row of an access key is misplaced".to_owned())
}

/// Tells our ids from other services', in logs and for secret scanners.
const ID_PREFIX: &str = "BK";
/// Base32 (RFC 4648): with the prefix 20 characters, as Amazon's are, and 90 bits of chance.
const ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ID_LEN: usize = 18;
/// Of base64url (RFC 4648), which no shell and no URL has to quote: 240 bits of chance.
const SECRET_ALPHABET: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SECRET_LEN: usize = 40;
/// A change in between is a rewrap or another revocation; neither goes on for long.
const ATTEMPTS_MAX: u32 = 4;

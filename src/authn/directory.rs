use std::sync::Arc;

use names::AccessKeyId;
use subtle::ConstantTimeEq;

use super::error::AuthnError;
use super::service::Authn;
use crate::authz::{self, Caller};
use crate::catalog::{CredentialKind, CredentialRow, RowTag, Unverified};
use crate::keyring::{Credential, Proof};

/// What the credential directory holds under an id: verified and opened. Where it holds nothing,
/// the decoy, which proves nothing.
pub(super) struct Held {
    lookup: [u8; 32],
    tag: RowTag,
    row: CredentialRow,
    record: Credential,
    /// The row is found by a blind name; what the record names must be what was presented, and the
    /// row in clear must say of what kind the record is.
    is_in_place: bool,
}

impl Authn {
    /// One read of the directory, and the same computations whether it holds anything or not.
    pub(super) async fn look_up(&self, id: &AccessKeyId) -> Result<Held, AuthnError> {
        let lookup = self.keyring.access_key_lookup(id).await?;
        let found = self.catalog.credential(&lookup).await?;
        let platform = match &found {
            Some(row) => self.keyring.open_platform_at(row.tag().key_version).await?,
            None => self.keyring.open_platform().await?,
        };
        let claimed = match found {
            Some(row) => row,
            None => Unverified::clone(&*self.decoy.row(&platform)?),
        };
        let tag = claimed.tag();
        let row = platform.verify(claimed)?;
        let record = Credential::open(&platform, &row)?;
        let is_in_place = record.id() == id && row.kind == stored_kind(record.kind());
        Ok(Held {
            lookup,
            tag,
            row,
            record,
            is_in_place,
        })
    }

    /// Whether what a session of STS or a token was made by, and that in turn, has not been revoked:
    /// whoever revokes a key that was stolen ends what was made with it.
    pub(super) async fn is_upheld(&self, held: &Held) -> Result<bool, AuthnError> {
        let mut parent = held.record.parent().cloned();
        for _ in 0..Credential::ANCESTORS_MAX {
            let Some(id) = parent else {
                return Ok(true);
            };
            let made_by = self.look_up(&id).await?;
            let is_valid = made_by.is_in_place
                && made_by.row.org == held.row.org
                && made_by.row.principal == held.row.principal
                && made_by.row.is_valid(self.clock.now_ms());
            if !is_valid {
                return Ok(false);
            }
            parent = made_by.record.parent().cloned();
        }
        Ok(parent.is_none())
    }

    /// Whether the row is still the one that was verified: the organization whose changes tell
    /// when it is not was known only after the row had been read.
    pub(super) async fn is_unchanged(&self, held: &Held) -> bool {
        let again = self.catalog.credential(&held.lookup).await;
        matches!(again, Ok(Some(again)) if again.tag() == held.tag)
    }
}

impl Held {
    /// The secret that signatures are computed with. A token signs nothing, and is derived from
    /// all the same.
    pub fn signing_secret(&self) -> &str {
        match self.record.expose() {
            Proof::Secret(secret) | Proof::SecretWithToken(secret, _) => secret,
            Proof::TokenDigest(_) => "",
        }
    }

    /// Whether it is something that signs.
    pub fn signs(&self) -> bool {
        self.is_in_place && !matches!(self.record.expose(), Proof::TokenDigest(_))
    }

    /// Whether it is a bearer token that a secret with this digest proves. Compared whatever it is.
    pub fn is_borne_by(&self, shown: &[u8; 32]) -> bool {
        let (expected, is_bearer) = match self.record.expose() {
            Proof::TokenDigest(digest) => (digest, true),
            Proof::Secret(_) | Proof::SecretWithToken(..) => (&[0; 32], false),
        };
        bool::from(expected.ct_eq(shown)) && is_bearer && self.is_in_place
    }

    /// The digest of the session token that has to come with every signature.
    pub fn token_digest(&self) -> Option<[u8; 32]> {
        match self.record.expose() {
            Proof::SecretWithToken(_, digest) => Some(*digest),
            Proof::Secret(_) | Proof::TokenDigest(_) => None,
        }
    }

    /// Whom it proves.
    pub fn caller(&self) -> Caller {
        let caller = Caller::authenticated(
            self.row.org,
            self.row.principal,
            self.record.id().clone(),
            self.record.kind(),
            Arc::new(self.record.narrowing().clone()),
        );
        match self.record.parent() {
            Some(parent) => caller.made_by(parent.clone()),
            None => caller,
        }
    }

    /// What it is.
    pub fn kind(&self) -> authz::CredentialKind {
        self.record.kind()
    }

    /// Whether it was revoked.
    pub fn is_revoked(&self) -> bool {
        self.row.revoked_ms.is_some()
    }

    /// When it ends, milliseconds since the epoch.
    pub fn expires_ms(&self) -> Option<u64> {
        self.row.expires_ms
    }
}

/// What the row in clear says of a kind.
fn stored_kind(kind: authz::CredentialKind) -> CredentialKind {
    match kind {
        authz::CredentialKind::AccessKey => CredentialKind::AccessKey,
        authz::CredentialKind::ApiToken => CredentialKind::ApiToken,
        authz::CredentialKind::Session(_) => CredentialKind::Session,
        authz::CredentialKind::StsSession => CredentialKind::StsSession,
    }
}

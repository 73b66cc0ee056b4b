use std::sync::Arc;

use names::{AccessKeyId, Bearer, BearerKind};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::AuthnError;
use super::sigv4::Authn;
use crate::authz::{self, Caller};
use crate::catalog::CredentialKind;
use crate::keyring::{Credential, Proof};

impl Authn {
    /// Verifies a bearer token: an API token or a session.
    ///
    /// Each use reads the credential's row, so that a revocation holds on the next request and an
    /// end on the second. What is unknown takes the reads and computations of a wrong secret.
    pub async fn bearer(&self, token: &str) -> Result<Caller, AuthnError> {
        let presented = Bearer::parse(token).map_err(|_| AuthnError::UnknownAccessKey)?;
        let id = presented.id().map_err(|_| AuthnError::UnknownAccessKey)?;
        let lookup = self.keyring.access_key_lookup(&id).await?;
        let found = self.catalog.credential(&lookup).await?;
        let platform = match &found {
            Some(row) => self.keyring.open_platform_at(row.tag().key_version).await?,
            None => self.keyring.open_platform().await?,
        };
        let claimed = match found {
            Some(row) => row,
            None => crate::catalog::Unverified::clone(&*self.decoy.row(&platform)?),
        };
        let row = platform.verify(claimed)?;
        let record = Credential::open(&platform, &row)?;
        let shown: [u8; 32] = Sha256::digest(presented.expose()).into();
        let (expected, is_token) = match record.expose() {
            Proof::TokenDigest(digest) => (*digest, true),
            // Nothing that signs is shown as a token, and is compared all the same.
            Proof::Secret(_) | Proof::SecretWithToken(..) => ([0; 32], false),
        };
        let is_proven = bool::from(shown.ct_eq(&expected));
        let is_presented = is_token
            && is_proven
            && is_same(record.id(), &id)
            && is_kind(presented.kind(), row.kind, record.kind())
            && row.is_valid(self.clock.now_ms());
        if !is_presented {
            return Err(AuthnError::UnknownAccessKey);
        }
        Ok(Caller::authenticated(
            row.org,
            row.principal,
            id,
            record.kind(),
            Arc::new(record.narrowing().clone()),
        ))
    }
}

/// The row is found by a blind name; what it names sealed must be what was presented.
fn is_same(held: &AccessKeyId, presented: &AccessKeyId) -> bool {
    held == presented
}

/// What the token says that it is, the row in clear and the record sealed all agree.
fn is_kind(presented: BearerKind, row: CredentialKind, record: authz::CredentialKind) -> bool {
    match presented {
        BearerKind::Session => {
            row == CredentialKind::Session && matches!(record, authz::CredentialKind::Session(_))
        }
        BearerKind::ApiToken => {
            row == CredentialKind::ApiToken && record == authz::CredentialKind::ApiToken
        }
    }
}

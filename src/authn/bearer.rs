use names::{Bearer, BearerKind};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::AuthnError;
use super::proven::Basis;
use super::service::Authn;
use crate::authz::{Caller, CredentialKind};

impl Authn {
    /// Verifies a bearer token: an API token or a session of an account.
    ///
    /// Malformed, unknown, wrong, revoked and expired are one answer. All but the first take the
    /// same work.
    pub async fn bearer(&self, token: &str) -> Result<Caller, AuthnError> {
        let presented = Bearer::parse(token).map_err(|_| AuthnError::UnknownToken)?;
        let id = presented.id().map_err(|_| AuthnError::UnknownToken)?;
        let shown: [u8; 32] = Sha256::digest(presented.expose()).into();
        let (now, now_ms) = (self.clock.monotonic(), self.clock.now_ms());
        if let Some((caller, digest)) = self.proven.bearer(&id, now, now_ms) {
            let is_shown = bool::from(digest.ct_eq(&shown));
            return match is_shown && is_of(presented.kind(), caller.kind()) {
                true => Ok(caller),
                false => Err(AuthnError::UnknownToken),
            };
        }
        let held = self.look_up(&id).await?;
        let ends = held.expires_ms().is_some_and(|end| end <= now_ms);
        let is_proven = held.is_borne_by(&shown)
            && is_of(presented.kind(), held.kind())
            && !held.is_revoked()
            && !ends;
        // What an agent logged in with may have been revoked since: that ends its token, too.
        if !is_proven || !self.is_upheld(&held).await? {
            return Err(AuthnError::UnknownToken);
        }
        let caller = held.caller();
        if let Some(stamps) = self.proven.stamps(caller.org())
            && self.is_unchanged(&held).await
        {
            let basis = Basis::new(caller.clone(), held.expires_ms(), stamps, now);
            self.proven.keep_bearer(id, basis, shown);
        }
        Ok(caller)
    }
}

/// Whether the token says what the credential is.
fn is_of(presented: BearerKind, held: CredentialKind) -> bool {
    match presented {
        BearerKind::Session => matches!(held, CredentialKind::Session(_)),
        BearerKind::ApiToken => held == CredentialKind::ApiToken,
    }
}

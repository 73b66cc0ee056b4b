use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wire::sigv4::{Presented, Request, SigningKey};

use super::error::AuthnError;
use super::proven::{Basis, Signer};
use super::service::Authn;
use crate::authz::{Caller, CredentialKind};

/// A signature that was verified.
pub struct Signed {
    /// What was presented: what the body is said to be, and what chunk signatures follow from.
    pub presented: Presented,
    /// The key that signs the chunks of an aws-chunked body.
    pub signing_key: Arc<SigningKey>,
}

impl Authn {
    /// Verifies the signature of a request to `service`: `s3`, `sts`, `secretsmanager`.
    ///
    /// The body has not been read: whoever reads it compares it with what was presented.
    pub async fn sigv4(
        &self,
        request: &Request<'_>,
        service: &'static str,
    ) -> Result<(Caller, Signed), AuthnError> {
        let presented = Presented::of(request)?.ok_or(AuthnError::Anonymous)?;
        self.verify(request, presented, service).await
    }

    /// The same of a request whose body has been read: the signature covers its SHA-256, as that
    /// of every service but S3 does, whether the client says it in a field or not.
    pub async fn sigv4_over(
        &self,
        request: &Request<'_>,
        body: &[u8],
        service: &'static str,
    ) -> Result<(Caller, Signed), AuthnError> {
        let hash = Sha256::digest(body).into();
        let presented = Presented::over(request, hash)?.ok_or(AuthnError::Anonymous)?;
        self.verify(request, presented, service).await
    }

    async fn verify(
        &self,
        request: &Request<'_>,
        presented: Presented,
        service: &'static str,
    ) -> Result<(Caller, Signed), AuthnError> {
        self.check_scope(&presented, service)?;
        let token = ShownToken::of(&presented);
        let now_seconds = i64::try_from(self.clock.now_seconds()).unwrap_or(i64::MAX);
        let (now, now_ms) = (self.clock.monotonic(), self.clock.now_ms());
        if let Some((caller, signer)) = self.proven.signer(&presented, now, now_ms) {
            presented.verify(request, &signer.key, now_seconds)?;
            token.check(signer.token_digest)?;
            let signed = Signed {
                presented,
                signing_key: signer.key,
            };
            return Ok((caller, signed));
        }
        let held = self.look_up(presented.access_key()).await?;
        let signing_key = SigningKey::derive(held.signing_secret(), presented.scope());
        let signature = presented.verify(request, &signing_key, now_seconds);
        let token = token.check(held.token_digest());
        // Whether signature and token were right is told only to whom the access key is known,
        // and that a session has ended only to whoever holds it.
        let ends = held.expires_ms().is_some_and(|end| end <= now_ms);
        let is_known = held.signs() && !held.is_revoked();
        if !is_known || ends && held.kind() != CredentialKind::StsSession {
            return Err(AuthnError::UnknownAccessKey);
        }
        signature?;
        token?;
        if ends {
            return Err(AuthnError::ExpiredToken);
        }
        if !self.is_upheld(&held).await? {
            return Err(AuthnError::UnknownAccessKey);
        }
        let caller = held.caller();
        let signer = Signer {
            key: Arc::new(signing_key),
            token_digest: held.token_digest(),
        };
        let signing_key = Arc::clone(&signer.key);
        if let Some(stamps) = self.proven.stamps(caller.org())
            && self.is_unchanged(&held).await
        {
            let basis = Basis::new(caller.clone(), held.expires_ms(), stamps, now);
            self.proven.keep_signer(&presented, basis, signer);
        }
        let signed = Signed {
            presented,
            signing_key,
        };
        Ok((caller, signed))
    }

    fn check_scope(&self, presented_by: &Presented, service: &str) -> Result<(), AuthnError> {
        let scope = presented_by.scope();
        for (part, presented, expected) in [
            ("region", scope.region.as_str(), self.region.as_str()),
            ("service", scope.service.as_str(), service),
        ] {
            if presented != expected {
                return Err(AuthnError::WrongScope {
                    part,
                    presented: presented.to_owned(),
                    expected: expected.to_owned(),
                    carrier: presented_by.carrier(),
                });
            }
        }
        Ok(())
    }
}

/// The session token that came with a signature, which covers it.
struct ShownToken {
    digest: [u8; 32],
    is_shown: bool,
}

impl ShownToken {
    fn of(presented: &Presented) -> Self {
        let token = presented.session_token();
        Self {
            digest: Sha256::digest(token.unwrap_or_default()).into(),
            is_shown: token.is_some(),
        }
    }

    /// Whether it is the one that the credential needs. A session's access key by itself is as
    /// unknown as it is to Amazon.
    fn check(&self, expected: Option<[u8; 32]>) -> Result<(), AuthnError> {
        let is_right = bool::from(self.digest.ct_eq(&expected.unwrap_or_default()));
        match (expected.is_some(), self.is_shown) {
            (false, false) => Ok(()),
            (true, true) if is_right => Ok(()),
            (true, false) => Err(AuthnError::UnknownAccessKey),
            (true, true) | (false, true) => Err(AuthnError::InvalidToken),
        }
    }
}

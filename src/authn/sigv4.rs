use std::sync::Arc;

use percent_encoding::percent_decode_str;
use wire::sigv4::{Presented, Request, SigningKey};

use super::decoy::Decoy;
use super::error::AuthnError;
use super::proven::Proven;
use crate::authz::Caller;
use crate::catalog::{CredentialKind, CredentialRow, PlatformCatalog, RowTag, Unverified};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::keyring::{AccessKeySecret, Keyring, OrgKeys, RowRefused};

/// Authenticates requests.
///
/// ```text
/// presented ── scope ── proven lately? ──► its caller and signing key ─┐
///                          │ no                                       │
///              blind name of the access key id                        │
///              one read of the credential directory                   ├─► signature ──► Caller
///              MAC, record, id  (or those of a decoy)                 │
///              signing key ───────────────────────────────────────────┘
/// ```
///
/// What is unknown, revoked or of an organization that is gone takes the same reads and the same
/// computations as a wrong signature. Refusals are not cached: they cost one read each, and a
/// flood of them pushes nobody out of the cache of what was proven.
pub struct Authn {
    catalog: PlatformCatalog,
    keyring: Arc<Keyring>,
    region: String,
    clock: Clock,
    decoy: Decoy,
    proven: Proven,
}

/// A request whose signature was verified.
pub struct Authenticated {
    /// Who calls.
    pub caller: Caller,
    /// What was presented: what the body is said to be, and what chunk signatures follow from.
    pub presented: Presented,
    /// The key that signs the chunks of an aws-chunked body.
    pub signing_key: Arc<SigningKey>,
}

/// An access key as its row has it.
struct Credential {
    /// Whom it proves; nothing when the access key is unknown or revoked.
    caller: Option<Caller>,
    signing_key: SigningKey,
    tag: RowTag,
}

impl Authn {
    /// Authenticates requests that are signed for `region`.
    pub fn new(
        catalog: PlatformCatalog,
        keyring: Arc<Keyring>,
        region: String,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self {
            proven: Proven::new(catalog.clone()),
            decoy: Decoy::new(entropy),
            catalog,
            keyring,
            region,
            clock,
        }
    }

    /// Verifies the signature of a request to `service`: `s3`, `sts`, `secretsmanager`.
    ///
    /// The body has not been read: whoever reads it compares it with what was presented.
    pub async fn sigv4(
        &self,
        request: &Request<'_>,
        service: &'static str,
    ) -> Result<Authenticated, AuthnError> {
        let presented = Presented::of(request)?.ok_or(AuthnError::Anonymous)?;
        if carries_session_token(request) {
            return Err(AuthnError::InvalidToken);
        }
        self.check_scope(&presented, service)?;
        let now_seconds = i64::try_from(self.clock.now_seconds()).unwrap_or(i64::MAX);
        if let Some((caller, signing_key)) = self.proven.find(&presented, self.clock.monotonic()) {
            presented.verify(request, &signing_key, now_seconds)?;
            return Ok(Authenticated {
                caller,
                presented,
                signing_key,
            });
        }
        let lookup = self
            .keyring
            .access_key_lookup(presented.access_key())
            .await?;
        let found = self.catalog.credential(&lookup).await?;
        let platform = match &found {
            Some(row) => self.keyring.open_platform_at(row.tag().key_version).await?,
            None => self.keyring.open_platform().await?,
        };
        let credential = self.open(&platform, found, &presented)?;
        let signature = presented.verify(request, &credential.signing_key, now_seconds);
        // Whether the signature was right is told only to whom the access key is known.
        let caller = credential.caller.ok_or(AuthnError::UnknownAccessKey)?;
        signature?;
        let signing_key = Arc::new(credential.signing_key);
        self.keep(&presented, &lookup, credential.tag, &caller, &signing_key)
            .await;
        Ok(Authenticated {
            caller,
            presented,
            signing_key,
        })
    }

    /// Drops the signing keys that are outdated. Called after every poll of the catalog.
    pub fn tend(&self) {
        self.proven.tend(self.clock.monotonic());
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

    /// Verifies and opens what the directory returned, or the decoy where it returned nothing.
    fn open(
        &self,
        platform: &OrgKeys,
        found: Option<Unverified<CredentialRow>>,
        presented: &Presented,
    ) -> Result<Credential, RowRefused> {
        let claimed = match found {
            Some(row) => row,
            None => Unverified::clone(&*self.decoy.row(platform)?),
        };
        let tag = claimed.tag();
        let row = platform.verify(claimed)?;
        let record = AccessKeySecret::open(platform, &row)?;
        // The row is found by a blind name; what it names in clear must be what was presented.
        let is_presented = record.id() == presented.access_key()
            && row.kind == CredentialKind::AccessKey
            && row.is_valid(self.clock.now_ms());
        Ok(Credential {
            caller: is_presented.then(|| {
                Caller::authenticated(row.org, row.principal, record.id().clone(), record.scope())
            }),
            signing_key: SigningKey::derive(record.expose(), presented.scope()),
            tag,
        })
    }

    /// Keeps a proof, if its row is still the one that was verified: the organization whose
    /// changes tell when it is not was known only after the row had been read.
    async fn keep(
        &self,
        presented: &Presented,
        lookup: &[u8; 32],
        tag: RowTag,
        caller: &Caller,
        signing_key: &Arc<SigningKey>,
    ) {
        let Some(stamps) = self.proven.stamps(caller.org()) else {
            return;
        };
        let now = self.clock.monotonic();
        if let Ok(Some(again)) = self.catalog.credential(lookup).await
            && again.tag() == tag
        {
            let signing_key = Arc::clone(signing_key);
            self.proven
                .keep(presented, caller.clone(), signing_key, stamps, now);
        }
    }

    /// How many proofs are kept.
    #[cfg(test)]
    pub(super) fn proven_len(&self) -> u64 {
        self.proven.len()
    }
}

/// Sessions come with STS; until then every token is somebody else's.
fn carries_session_token(request: &Request<'_>) -> bool {
    let is_token = |name: &[u8]| name.eq_ignore_ascii_case(b"x-amz-security-token");
    let in_headers = request.headers.iter();
    let in_query = request.query.split('&');
    in_headers
        .into_iter()
        .any(|(name, _)| is_token(name.as_bytes()))
        || in_query
            .map(|parameter| parameter.split('=').next().unwrap_or(parameter))
            .any(|name| is_token(&percent_decode_str(name).collect::<Vec<u8>>()))
}

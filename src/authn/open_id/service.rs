use std::sync::Arc;
use std::time::Duration;

use names::{AccessKeyId, OrgId, PrincipalId};
use reqwest::Client;
use reqwest::redirect::Policy;
use wire::jwt::{Claims, IdToken, JwtError, SigningAlgorithm};

use super::error::OpenIdError;
use super::provider::OpenIdProvider;
use super::published::{Published, Publisher};
use crate::authz::{Caller, CredentialKind, Identity, Narrowing};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::keyring::Keyring;

/// Verifies what OpenID providers sign.
///
/// ```text
/// token ── its issuer ──► provider that the operator named ──► keys that it publishes
///                                                                    │
///             identity ◄── audience, times, nonce ◄── signature ◄────┘
/// ```
pub struct OpenId {
    pub(super) providers: Vec<Known>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
}

/// A provider that is believed, and how it is asked.
pub(super) struct Known {
    pub(super) settings: OpenIdProvider,
    algorithms: Vec<SigningAlgorithm>,
    pub(super) publisher: Publisher,
}

/// What an agent's token proves: who it is at its provider, and for which organization the token
/// was made. Whether that organization has such an agent is another question.
#[derive(Debug)]
pub struct Vouched {
    identity: Identity,
    org: OrgId,
    audience: String,
}

impl OpenId {
    /// Believes these providers.
    ///
    /// # Errors
    /// If this machine has no certificates to know them by, or an algorithm is none.
    pub fn new(
        providers: Vec<OpenIdProvider>,
        keyring: Arc<Keyring>,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, OpenIdError> {
        let known = |settings: OpenIdProvider| {
            // Where a provider sends to, nobody knows before; and what this process is told by its
            // environment, `config` reads.
            let http = Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .timeout(TIMEOUT)
                .build()
                .map_err(|error| OpenIdError::Unavailable(error.to_string()))?;
            let issuer = settings.issuer.clone();
            let algorithms = settings.algorithms.iter().map(|name| name.parse());
            Ok::<_, OpenIdError>(Known {
                algorithms: algorithms.collect::<Result<_, _>>()?,
                settings,
                publisher: Publisher::new(issuer, http, clock.clone()),
            })
        };
        Ok(Self {
            providers: providers.into_iter().map(known).collect::<Result<_, _>>()?,
            keyring,
            clock,
            entropy,
        })
    }

    /// Whom an agent's token vouches for, and for which organization.
    pub async fn vouched(&self, token: &str) -> Result<Vouched, OpenIdError> {
        let token = IdToken::parse(token)?;
        let known = self
            .providers
            .iter()
            .find(|known| known.settings.issuer == token.claimed_issuer())
            .ok_or(OpenIdError::UnknownProvider)?;
        let claims = self.claims(known, &token).await?;
        let org = known.settings.organization(&claims.audience);
        let org = org.ok_or(OpenIdError::Audience)?;
        let audience = claims.audience.into_iter().next().unwrap_or_default();
        Ok(Vouched {
            identity: Identity::verified(claims.issuer, claims.subject),
            org,
            audience,
        })
    }

    /// What a token of the provider says, once its signature and its times are verified; for whom
    /// it is, is not.
    pub(super) async fn claims(
        &self,
        known: &Known,
        token: &IdToken<'_>,
    ) -> Result<Claims, OpenIdError> {
        let published = known.publisher.current().await?;
        let verify = |published: &Published| token.verify(&published.keys, &known.algorithms);
        let claims = match verify(&published) {
            Err(JwtError::UnknownKey) => {
                let newer = known.publisher.newer_than(&published).await?;
                verify(&newer)?
            }
            verified => verified?,
        };
        if claims.issuer != known.settings.issuer {
            return Err(OpenIdError::UnknownProvider);
        }
        // OpenID Connect Core 1.0, section 2.
        if !(1..=SUBJECT_BYTES_MAX).contains(&claims.subject.len()) {
            return Err(JwtError::Malformed("a subject of another length").into());
        }
        self.check_times(&claims)?;
        Ok(claims)
    }

    fn check_times(&self, claims: &Claims) -> Result<(), OpenIdError> {
        let now = i64::try_from(self.clock.now_seconds()).unwrap_or(i64::MAX);
        let begins = [claims.not_before_seconds, claims.issued_at_seconds];
        if now >= claims.expires_seconds.saturating_add(SKEW_SECONDS) {
            Err(OpenIdError::Expired)
        } else if begins
            .into_iter()
            .flatten()
            .any(|at| at > now.saturating_add(SKEW_SECONDS))
        {
            Err(OpenIdError::NotYetValid)
        } else {
            Ok(())
        }
    }
}

impl Vouched {
    /// Who it is at its provider.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The organization that the token was made for.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// The audience, as the token names it.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Who calls: the agent that the identity is linked to in that organization, by a session that
    /// is about to be made.
    pub fn caller(&self, agent: PrincipalId, session: AccessKeyId) -> Caller {
        Caller::authenticated(
            self.org,
            agent,
            session,
            CredentialKind::StsSession,
            Arc::new(Narrowing::NONE),
        )
    }
}

/// How far a provider's clock may be from ours.
const SKEW_SECONDS: i64 = 60;
const SUBJECT_BYTES_MAX: usize = 255;
/// For one document.
const TIMEOUT: Duration = Duration::from_secs(10);

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use tokio::sync::Mutex;
use wire::jwt::{KeySet, ProviderMetadata};
use zeroize::Zeroizing;

use super::error::OpenIdError;
use crate::clock::Clock;

/// What a provider publishes: where it is, and the keys that it signs with now.
///
/// ```text
/// asked ──────── FRESH ───────────────────── STALE ──────────►
///   │   as it was │ asked again; if it does    │ nobody is believed
///   │             │ not answer, as it was      │ until it answers
/// ```
///
/// A token by a key that is not among them makes it be asked again, as a provider that changes its
/// keys expects. It is asked once in [`PAUSE`] at most, whatever strangers send.
pub(super) struct Publisher {
    issuer: String,
    http: Client,
    clock: Clock,
    /// Held while it is asked, so that everybody else waits for the one answer.
    state: Mutex<State>,
}

/// What it published.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) metadata: ProviderMetadata,
    pub(super) keys: KeySet,
    since: Duration,
}

#[derive(Default)]
struct State {
    held: Option<Arc<Published>>,
    /// When it was last asked, whatever came of it.
    asked: Option<Duration>,
}

impl Publisher {
    pub(super) fn new(issuer: String, http: Client, clock: Clock) -> Self {
        Self {
            issuer,
            http,
            clock,
            state: Mutex::default(),
        }
    }

    /// What it publishes, as far as is known.
    pub(super) async fn current(&self) -> Result<Arc<Published>, OpenIdError> {
        let mut state = self.state.lock().await;
        let now = self.clock.monotonic();
        match &state.held {
            Some(held) if now.saturating_sub(held.since) <= FRESH => Ok(Arc::clone(held)),
            _ => self.renew(&mut state).await,
        }
    }

    /// What it publishes, now that `seen` did not do.
    pub(super) async fn newer_than(
        &self,
        seen: &Arc<Published>,
    ) -> Result<Arc<Published>, OpenIdError> {
        let mut state = self.state.lock().await;
        match &state.held {
            Some(held) if !Arc::ptr_eq(held, seen) => Ok(Arc::clone(held)),
            _ => self.renew(&mut state).await,
        }
    }

    async fn renew(&self, state: &mut State) -> Result<Arc<Published>, OpenIdError> {
        let now = self.clock.monotonic();
        let rests = state
            .asked
            .is_some_and(|asked| now.saturating_sub(asked) < PAUSE);
        let answer = match rests {
            true => Err(OpenIdError::Unreachable("it was asked just now".to_owned())),
            false => self.ask().await,
        };
        let now = self.clock.monotonic();
        if !rests {
            state.asked = Some(now);
        }
        match (answer, &state.held) {
            (Ok(published), _) => {
                let published = Arc::new(published);
                state.held = Some(Arc::clone(&published));
                Ok(published)
            }
            (Err(error), Some(held)) if now.saturating_sub(held.since) <= STALE => {
                if !rests {
                    let issuer = &self.issuer;
                    tracing::warn!(issuer, %error, "an identity provider is believed as it was");
                }
                Ok(Arc::clone(held))
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn ask(&self) -> Result<Published, OpenIdError> {
        let url = format!(
            "{}/.well-known/openid-configuration",
            self.issuer.trim_end_matches('/')
        );
        let metadata = ProviderMetadata::parse(&self.document(&url).await?)
            .map_err(|error| OpenIdError::Unreachable(error.to_string()))?;
        // Whoever answers for another could give keys of his own (Discovery 1.0, section 4.3).
        if metadata.issuer != self.issuer {
            let what = "its metadata is of another issuer".to_owned();
            return Err(OpenIdError::Unreachable(what));
        }
        let keys = KeySet::parse(&self.document(&metadata.jwks_uri).await?)
            .map_err(|error| OpenIdError::Unreachable(error.to_string()))?;
        Ok(Published {
            metadata,
            keys,
            since: self.clock.monotonic(),
        })
    }

    async fn document(&self, url: &str) -> Result<Zeroizing<Vec<u8>>, OpenIdError> {
        let url = self.endpoint(url)?;
        match self.exchange(self.http.get(url)).await? {
            (StatusCode::OK, document) => Ok(document),
            (status, _) => Err(OpenIdError::Unreachable(format!("it answers {status}"))),
        }
    }

    /// An address that the provider names. One that is asked over TLS names none without.
    pub(super) fn endpoint(&self, text: &str) -> Result<Url, OpenIdError> {
        let url = Url::parse(text).ok().filter(|url| {
            url.scheme() == "https" || url.scheme() == "http" && self.issuer.starts_with("http://")
        });
        url.ok_or_else(|| {
            OpenIdError::Unreachable("an address of its metadata is no https URL".to_owned())
        })
    }

    /// Sends a request, and reads the answer up to its limit.
    pub(super) async fn exchange(
        &self,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), OpenIdError> {
        let unreachable =
            |error: reqwest::Error| OpenIdError::Unreachable(error.without_url().to_string());
        let request = request.header(ACCEPT, "application/json");
        let mut answer = request.send().await.map_err(unreachable)?;
        // At its full size from the start, so that no copy of a token is left behind by growing.
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX));
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > BYTES_MAX {
                let what = "its answer is too long".to_owned();
                return Err(OpenIdError::Unreachable(what));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok((answer.status(), bytes))
    }

    pub(super) fn http(&self) -> &Client {
        &self.http
    }
}

/// How long it is not asked again.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// How long a provider that does not answer is believed: a key that it took back meanwhile is
/// believed as long.
const STALE: Duration = Duration::from_secs(60 * 60);
const PAUSE: Duration = Duration::from_secs(10);
const BYTES_MAX: usize = 256 << 10;

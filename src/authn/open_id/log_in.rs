use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::form_urlencoded;
use wire::jwt::{IdToken, TokenResponse};
use zeroize::Zeroizing;

use super::error::OpenIdError;
use super::published::Published;
use super::service::{Known, OpenId};
use crate::authz::Identity;

/// A log-in that has begun: where the person goes, and what whoever sent it there keeps.
pub struct Begun {
    /// The address at the provider.
    pub authorization_url: String,
    /// Shows that who comes back is who began. Kept by the browser or program that began, and
    /// never sent to the provider.
    pub ticket: Zeroizing<String>,
}

/// What a log-in came back with.
pub struct Returned<'a> {
    /// Where to: as it was begun.
    pub redirect_uri: &'a str,
    /// What was kept.
    pub ticket: &'a str,
    /// What the provider gave back.
    pub state: &'a str,
    /// What is changed for the token.
    pub code: &'a str,
}

impl OpenId {
    /// Begins a log-in by the provider of this name (OpenID Connect Core 1.0, section 3.1, with
    /// the proof of RFC 7636).
    ///
    /// Nothing is kept here, so that any node can bring it to its end: state, nonce and verifier
    /// follow from the ticket, under the platform's key.
    pub async fn begin(&self, name: &str, redirect_uri: &str) -> Result<Begun, OpenIdError> {
        let (known, client_id) = self.for_log_ins(name)?;
        check_redirect(redirect_uri)?;
        let published = known.publisher.current().await?;
        let endpoint = published.metadata.authorization_endpoint.as_deref();
        let mut url = known.publisher.endpoint(endpoint.unwrap_or_default())?;
        let until = self.clock.now_seconds() + TICKET_SECONDS;
        let ticket = Zeroizing::new(format!(
            "{until}.{}",
            hex::encode(self.entropy.bytes::<32>())
        ));
        let derived = self.derived(name, redirect_uri, &ticket).await?;
        let challenge = Sha256::digest(derived.verifier.as_bytes());
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", "openid")
            .append_pair("state", &derived.state)
            .append_pair("nonce", &derived.nonce)
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(challenge))
            .append_pair("code_challenge_method", "S256");
        Ok(Begun {
            authorization_url: url.into(),
            ticket,
        })
    }

    /// Brings a log-in to its end: who came back, proven by the provider's token.
    pub async fn finish(
        &self,
        name: &str,
        returned: &Returned<'_>,
    ) -> Result<Identity, OpenIdError> {
        let (known, client_id) = self.for_log_ins(name)?;
        let Returned {
            redirect_uri,
            ticket,
            state,
            code,
        } = *returned;
        let derived = self.derived(name, redirect_uri, ticket).await?;
        let is_same = bool::from(derived.state.as_bytes().ct_eq(state.as_bytes()));
        if !is_same || !self.is_timely(ticket) {
            return Err(OpenIdError::NotBegun);
        }
        let published = known.publisher.current().await?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("client_id", client_id)
            .append_pair("code_verifier", &derived.verifier)
            .finish();
        let token = exchange(known, &published, client_id, form).await?;
        let token = IdToken::parse(&token)?;
        let claims = self.claims(known, &token).await?;
        // OpenID Connect Core 1.0, 3.1.3.7, numbers 3 to 5 and 11.
        let is_ours = claims.audience.iter().any(|one| one == client_id);
        let party = claims.authorized_party.as_deref();
        let is_sole = claims.audience.len() == 1 || party.is_some();
        if !is_ours || !is_sole || party.is_some_and(|party| party != client_id) {
            return Err(OpenIdError::Audience);
        }
        let nonce = claims.nonce.unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(derived.nonce.as_bytes())) {
            return Err(OpenIdError::Nonce);
        }
        Ok(Identity::verified(claims.issuer, claims.subject))
    }

    fn for_log_ins(&self, name: &str) -> Result<(&Known, &str), OpenIdError> {
        let known = self.providers.iter().find(|one| one.settings.name == name);
        let known = known.ok_or(OpenIdError::UnknownProvider)?;
        let client_id = known.settings.client_id.as_deref();
        Ok((known, client_id.ok_or(OpenIdError::UnknownProvider)?))
    }

    /// What follows from a ticket. Each part has its length in the name, so that no other log-in
    /// has the same.
    async fn derived(
        &self,
        name: &str,
        redirect_uri: &str,
        ticket: &str,
    ) -> Result<Derived, OpenIdError> {
        let mut of = Vec::new();
        for part in [name, redirect_uri, ticket] {
            of.extend_from_slice(&(part.len() as u64).to_be_bytes());
            of.extend_from_slice(part.as_bytes());
        }
        let draw = async |kind| {
            let bytes = self.keyring.platform_lookup(kind, &of).await?;
            Ok::<_, OpenIdError>(Zeroizing::new(hex::encode(bytes)))
        };
        Ok(Derived {
            state: draw("oidc-state").await?,
            nonce: draw("oidc-nonce").await?,
            verifier: draw("oidc-verifier").await?,
        })
    }

    /// Asked of tickets alone whose state is right, and which so were made here.
    fn is_timely(&self, ticket: &str) -> bool {
        let until = ticket
            .split_once('.')
            .and_then(|(until, _)| until.parse().ok());
        until.is_some_and(|until: u64| self.clock.now_seconds() < until)
    }
}

struct Derived {
    state: Zeroizing<String>,
    nonce: Zeroizing<String>,
    verifier: Zeroizing<String>,
}

/// Changes a code for the token.
async fn exchange(
    known: &Known,
    published: &Published,
    client_id: &str,
    form: String,
) -> Result<Zeroizing<String>, OpenIdError> {
    let mut form = Zeroizing::new(form);
    let endpoint = published.metadata.token_endpoint.as_deref();
    let endpoint = known.publisher.endpoint(endpoint.unwrap_or_default())?;
    let mut request = known.publisher.http().post(endpoint);
    if let Some(secret) = &known.settings.client_secret {
        // RFC 6749, 2.3.1: both are encoded as a form's values.
        let encoded =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let secret = Zeroizing::new(encoded(secret));
        if published.metadata.takes_secret_in_form_alone() {
            form.push_str("&client_secret=");
            form.push_str(&secret);
        } else {
            request = request.basic_auth(encoded(client_id), Some(secret.as_str()));
        }
    }
    let request = request
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.as_bytes().to_vec());
    match known.publisher.exchange(request).await? {
        (status, document) if status.is_success() => {
            let response = TokenResponse::parse(&document)?;
            Ok(response.into_id_token())
        }
        (status, _) if status.is_client_error() => Err(OpenIdError::Refused),
        (status, _) => Err(OpenIdError::Unreachable(format!("it answers {status}"))),
    }
}

/// The provider knows which addresses are its client's; this only makes sure that it is one.
fn check_redirect(text: &str) -> Result<(), OpenIdError> {
    let is_one = Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.fragment().is_none());
    match is_one {
        true => Ok(()),
        false => Err(OpenIdError::RedirectUri),
    }
}

/// How long somebody may take at the provider.
const TICKET_SECONDS: u64 = 10 * 60;

//! Identities and log-ins at OpenID providers, as they are sent and shown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A log-in at an OpenID provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LogInBegin")]
pub struct LogInBegin {
    /// The provider, as the operator named it.
    pub provider: String,
    /// Where the person comes back to; the provider has to know it as this gateway's.
    pub redirect_uri: String,
}

/// A log-in that has begun.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LogInBegun")]
pub struct BegunView<'a> {
    /// Where the person goes.
    pub authorization_url: &'a str,
    /// What shows that who comes back is who began; for ten minutes. It is for no other eyes.
    pub ticket: &'a str,
}

/// What somebody came back with from a provider.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LogInReturned")]
pub struct LogInReturned {
    /// The provider.
    pub provider: String,
    /// Where the person came back to, as it was begun.
    pub redirect_uri: String,
    /// What was kept since.
    pub ticket: String,
    /// `state`, as the provider gave it back.
    pub state: String,
    /// `code`, as the provider gave it.
    pub code: String,
    /// The organization that the session is for; the personal one, if none is named.
    pub organization: Option<String>,
}

/// An identity at a provider, as it is named there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "IdentityRequest")]
pub struct IdentityRequest {
    /// The provider, as its tokens name it.
    pub issuer: String,
    /// Its name for whoever it vouches for.
    pub subject: String,
}

/// An identity that is linked.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Identity")]
pub struct IdentityView {
    /// The provider.
    pub issuer: String,
    /// Its name for whoever it vouches for.
    pub subject: String,
    /// Since when (RFC 3339).
    pub linked_at: String,
}

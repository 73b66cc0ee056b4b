//! Credentials as they are shown, and what makes them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view::{RoleView, ScopeView};

/// A credential, without what proves it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Credential")]
pub struct CredentialView {
    /// Its public name.
    pub id: String,
    /// Whose it is.
    pub principal: String,
    /// `access-key`, `api-token`, `session` or `sts-session`.
    pub kind: &'static str,
    /// Whether it may write.
    pub scope: ScopeView,
    /// The role that it is limited to.
    pub role: Option<RoleView>,
    /// What its owner calls it.
    pub label: Option<String>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it ends (RFC 3339).
    pub expires_at: Option<String>,
    /// When it was revoked (RFC 3339).
    pub revoked_at: Option<String>,
    /// When it was last used (RFC 3339), to the minute or so.
    pub last_used_at: Option<String>,
}

/// A credential with what proves it: the one time that it is shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewCredential")]
pub struct NewCredentialView<'a> {
    /// What is shown of it later, too.
    #[serde(flatten)]
    pub credential: CredentialView,
    /// The secret half of an access key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<&'a str>,
    /// A whole bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<&'a str>,
}

/// What makes a credential.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CredentialRequest")]
pub struct CredentialAsked {
    /// What it is to be.
    pub kind: CredentialKindAsked,
    /// Whether it may write.
    #[serde(default)]
    pub scope: ScopeView,
    /// The role that it is to be limited to.
    pub role: Option<RoleView>,
    /// When it is to end (RFC 3339).
    pub expires_at: Option<String>,
    /// What its owner calls it.
    pub label: Option<String>,
}

/// What a credential is to be.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "CredentialKind")]
pub enum CredentialKindAsked {
    /// An access key, which signs requests to S3.
    AccessKey,
    /// An API token, which is shown as a bearer.
    ApiToken,
}

/// An access key of the organization as a whole, without its secret.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccessKey")]
pub struct AccessKeyView {
    /// Its public half.
    pub id: String,
    /// How far it reaches.
    pub scope: ScopeView,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was revoked (RFC 3339).
    pub revoked_at: Option<String>,
}

/// An access key with its secret: the one time that it is shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewAccessKey")]
pub struct NewAccessKeyView<'a> {
    /// Its public half.
    pub id: &'a str,
    /// Its secret half.
    pub secret: &'a str,
    /// How far it reaches.
    pub scope: ScopeView,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// What makes an access key of the organization as a whole.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AccessKeyRequest")]
pub struct AccessKeyRequest {
    /// How far it is to reach.
    #[serde(default)]
    pub scope: ScopeView,
}

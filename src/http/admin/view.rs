//! What is shown and taken as JSON.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::authz::{Scope, Standing};
use crate::tenancy::{AccessKey, NewAccessKey, Organization};

/// An organization.
#[derive(Debug, Serialize)]
pub struct OrganizationView {
    /// Its identifier, a UUID.
    pub id: String,
    /// Its short name; a destroyed one has none.
    pub slug: Option<String>,
    /// `active`, `suspended`, `sealed` or `destroyed`.
    pub state: &'static str,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// An access key without its secret.
#[derive(Debug, Serialize)]
pub struct AccessKeyView {
    /// Its public half.
    pub id: String,
    /// `full` or `read-only`.
    pub scope: &'static str,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was revoked (RFC 3339).
    pub revoked_at: Option<String>,
}

/// An access key with its secret: the one time that it is shown.
#[derive(Serialize)]
pub struct NewAccessKeyView<'a> {
    /// Its public half.
    pub id: &'a str,
    /// Its secret half.
    pub secret: &'a str,
    /// `full` or `read-only`.
    pub scope: &'static str,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// A page of organizations.
#[derive(Serialize)]
pub(super) struct OrganizationsView {
    pub(super) organizations: Vec<OrganizationView>,
    /// The `after` of the next page, when there is one.
    pub(super) next: Option<String>,
}

/// A page of access keys.
#[derive(Serialize)]
pub(super) struct AccessKeysView {
    pub(super) access_keys: Vec<AccessKeyView>,
    /// The `after` of the next page, when there is one.
    pub(super) next: Option<String>,
}

/// What makes an organization.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrganizationRequest {
    pub(super) slug: String,
}

/// What makes an access key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccessKeyRequest {
    #[serde(default)]
    pub(super) scope: ScopeRequest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ScopeRequest {
    #[default]
    Full,
    ReadOnly,
}

impl From<&Organization> for OrganizationView {
    fn from(organization: &Organization) -> Self {
        Self {
            id: organization.org.to_string(),
            slug: organization.slug.as_ref().map(ToString::to_string),
            state: match organization.standing {
                Standing::Active => "active",
                Standing::Suspended => "suspended",
                Standing::Deleting => "deleting",
                Standing::Sealed => "sealed",
                Standing::Destroyed => "destroyed",
            },
            created_at: rfc_3339(organization.created_ms),
        }
    }
}

impl From<&AccessKey> for AccessKeyView {
    fn from(key: &AccessKey) -> Self {
        Self {
            id: key.id.to_string(),
            scope: scope(key.scope),
            created_at: rfc_3339(key.created_ms),
            revoked_at: key.revoked_ms.map(rfc_3339),
        }
    }
}

impl<'a> From<&'a NewAccessKey> for NewAccessKeyView<'a> {
    fn from(key: &'a NewAccessKey) -> Self {
        Self {
            id: key.id.as_str(),
            secret: &key.secret,
            scope: scope(key.scope),
            created_at: rfc_3339(key.created_ms),
        }
    }
}

impl From<ScopeRequest> for Scope {
    fn from(scope: ScopeRequest) -> Self {
        match scope {
            ScopeRequest::Full => Self::Full,
            ScopeRequest::ReadOnly => Self::ReadOnly,
        }
    }
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Full => "full",
        Scope::ReadOnly => "read-only",
    }
}

/// Milliseconds since the epoch as people and programs read them; the epoch itself for what lies
/// beyond the year 9999.
fn rfc_3339(ms: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    at.unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(&Rfc3339)
        .unwrap_or_default()
}

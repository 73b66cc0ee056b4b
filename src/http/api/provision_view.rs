//! What an organization is made with, and what was made.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::credential_view::AccessKeyRequest;
use super::organization_view::OrganizationView;
use super::people_view::NewInvitationView;
use super::view::ScopeView;

/// What makes an organization.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewOrganization")]
pub struct NewOrganization {
    /// Its short name: 1 to 63 of a-z, 0-9 and -.
    pub slug: String,
    /// What people call it; the short name, if nothing is said.
    pub name: Option<String>,
    /// Who is invited to own it.
    pub owner: Option<NewOwner>,
    /// The template of the server's settings that says what is not said here.
    pub template: Option<String>,
    /// The plan that it is put on; with null, none.
    #[serde(default, deserialize_with = "said")]
    pub plan: Option<Option<String>>,
    /// Its first agents, 32 at most.
    pub agents: Option<Vec<NewFirstAgent>>,
    /// Its first access key; with null, none.
    #[serde(default, deserialize_with = "said")]
    pub access_key: Option<Option<AccessKeyRequest>>,
    /// Its first buckets, 32 at most.
    pub buckets: Option<Vec<String>>,
}

/// Who is invited to own an organization.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewOwner")]
pub struct NewOwner {
    /// The e-mail address.
    pub email: String,
}

/// An agent that an organization is made with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewFirstAgent")]
pub struct NewFirstAgent {
    /// What it is called.
    pub name: String,
    /// Whose costs it makes.
    pub department: Option<String>,
    /// For what it makes them.
    pub project: Option<String>,
}

/// An organization as it was made. Its secrets are shown by this answer, and for a day by its
/// repetition under the same idempotency key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ProvisionedOrganization")]
pub struct ProvisionedView<'a> {
    /// The organization.
    #[serde(flatten)]
    pub organization: OrganizationView,
    /// The plan that it was put on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The invitation of its owner; none once it was used or revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invitation: Option<NewInvitationView<'a>>,
    /// Its first agents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<FirstAgentView>,
    /// Its first access key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key: Option<FirstAccessKeyView<'a>>,
    /// Its first buckets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<String>,
}

/// An agent that an organization was made with.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FirstAgent")]
pub struct FirstAgentView {
    /// Its principal, a UUID.
    pub id: String,
    /// What it is called.
    pub name: String,
}

/// The access key that an organization was made with.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FirstAccessKey")]
pub struct FirstAccessKeyView<'a> {
    /// Its public half.
    pub id: &'a str,
    /// Its secret half.
    pub secret: &'a str,
    /// How far it reaches.
    pub scope: ScopeView,
}

/// Tells null from what is not there.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

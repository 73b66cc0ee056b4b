//! Organizations as they are shown, and what changes them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view::StateView;

/// An organization.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Organization")]
pub struct OrganizationView {
    /// Its identifier, a UUID.
    pub id: String,
    /// Its short name; a destroyed one has none.
    pub slug: Option<String>,
    /// Whether it may be worked in.
    pub state: StateView,
    /// When it will be destroyed (RFC 3339), if it is being deleted.
    pub delete_after: Option<String>,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// The settings of an organization.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Profile")]
pub struct ProfileView {
    /// How people call the organization.
    pub name: String,
    /// The plan that it is on.
    pub plan: Option<String>,
    /// Its settings.
    pub settings: BTreeMap<String, String>,
}

/// What changes of the settings of an organization; what is left out stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ProfileChange")]
pub struct ProfileChangeRequest {
    /// How people call the organization.
    pub name: Option<String>,
    /// Settings to set; `null` takes one away.
    #[serde(default)]
    pub settings: BTreeMap<String, Option<String>>,
}

/// How an organization is to be deleted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeletionRequest")]
pub struct DeletionRequest {
    /// Days within which it can be restored: 0 to 90; 7, if it does not say.
    #[schemars(range(min = 0, max = 90))]
    pub grace_days: Option<u32>,
}

/// What has to be said once more before an organization is destroyed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DestructionRequest")]
pub struct DestructionRequest {
    /// The organization, as the path names it.
    pub confirm: String,
}

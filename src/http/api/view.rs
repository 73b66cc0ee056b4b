//! What is shown and taken as JSON: the names and forms that clients rely on. What several subjects
//! show stands here, and the rest in a file for each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct PageView<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The `after` of the next page, when there is one.
    pub next: Option<String>,
}

/// Whether an organization may be worked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "State")]
pub enum StateView {
    /// All calls.
    Active,
    /// Reads only.
    Suspended,
    /// Reads only, until it is destroyed or restored.
    Deleting,
    /// Keys are evicted.
    Sealed,
    /// Keys are deleted.
    Destroyed,
}

/// Whether a credential may write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Scope")]
pub enum ScopeView {
    /// All that its principal may do.
    #[default]
    Full,
    /// Only what changes nothing.
    ReadOnly,
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Role")]
pub enum RoleView {
    /// Everything, the end of the organization included.
    Owner,
    /// Everything but the end of the organization, its export and its plan.
    Admin,
    /// The files of the organization, and what was granted.
    Member,
    /// Reads the files of the organization.
    Viewer,
    /// Usage, plan and credits.
    Billing,
}

/// Milliseconds since the epoch as people and programs read them; the epoch itself for what lies
/// beyond the year 9999.
pub(super) fn rfc_3339(ms: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    at.unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(&Rfc3339)
        .unwrap_or_default()
}

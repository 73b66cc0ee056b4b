//! Grants and explanations as they are shown, and what is asked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// To whom something is granted.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "GrantSubject")]
pub enum GrantSubjectView {
    /// A member, by identifier.
    Member(String),
    /// An agent, by identifier.
    Agent(String),
    /// A team, by identifier.
    Team(String),
}

/// A grant.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Grant")]
pub struct GrantView {
    /// Its identifier, a UUID.
    pub id: String,
    /// To whom.
    pub subject: GrantSubjectView,
    /// What it allows: actions, with `*` for any text.
    pub actions: Vec<String>,
    /// On what: `drive:bucket/prefix*`, `secret:path*`, `agent:id`.
    pub resources: Vec<String>,
    /// When it ends (RFC 3339).
    pub expires_at: Option<String>,
    /// What it is for.
    pub note: Option<String>,
    /// Who gave it.
    pub given_by: String,
    /// When it was given (RFC 3339).
    pub created_at: String,
}

/// What is to be granted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GrantRequest")]
pub struct GrantRequest {
    /// To whom.
    pub subject: GrantSubjectView,
    /// What it allows.
    pub actions: Vec<String>,
    /// On what.
    pub resources: Vec<String>,
    /// When it ends (RFC 3339).
    pub expires_at: Option<String>,
    /// What it is for.
    pub note: Option<String>,
}

/// What to explain.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ExplainRequest")]
pub struct ExplainRequest {
    /// Whose rights: a member or an agent, by identifier.
    pub principal: String,
    /// The action's name in policies.
    pub action: String,
    /// The resource as policies name it; with a star at its end, a listing.
    pub resource: String,
}

/// What was decided, and by which rule.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Explanation")]
pub struct ExplanationView {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The rule that allows it, or why none does.
    pub rule: String,
}

//! Agents and what they keep, as they are shown and taken.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An agent.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Agent")]
pub struct AgentView {
    /// Its principal, a UUID.
    pub id: String,
    /// How people call it.
    pub name: String,
    /// Whether it may work.
    pub state: AgentStateView,
    /// The department that it costs.
    pub department: Option<String>,
    /// The project that it costs.
    pub project: Option<String>,
    /// Settings, as they were given.
    pub settings: BTreeMap<String, String>,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// Whether an agent may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "AgentState")]
pub enum AgentStateView {
    /// It may.
    Active,
    /// Its credentials are refused.
    Suspended,
}

/// What makes an agent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AgentRequest")]
pub struct AgentRequest {
    /// How people call it.
    pub name: String,
    /// The department that it costs.
    pub department: Option<String>,
    /// The project that it costs.
    pub project: Option<String>,
    /// Settings.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

/// What an agent keeps.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AgentRecord")]
pub struct AgentRecordView {
    /// What it is: `skill`, `setting`, `knowledge` or `conversation`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What it holds: a text, or JSON.
    pub value: serde_json::Value,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was last changed (RFC 3339).
    pub modified_at: String,
    /// Its version, for `If-Match`.
    pub etag: u64,
}

/// What an agent is to keep.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AgentRecordRequest")]
pub struct AgentRecordRequest {
    /// A text, or JSON; at most 64 KiB.
    pub value: serde_json::Value,
}

/// A line of an agent's task history.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Task")]
pub struct TaskView {
    /// Its identifier, a UUID.
    pub id: String,
    /// What was done.
    pub title: String,
    /// More of it: a text, or JSON.
    pub detail: serde_json::Value,
    /// When (RFC 3339).
    pub at: String,
}

/// A line for an agent's task history.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TaskRequest")]
pub struct TaskRequest {
    /// What was done.
    pub title: String,
    /// More of it: a text, or JSON; at most 64 KiB.
    #[serde(default)]
    pub detail: serde_json::Value,
}

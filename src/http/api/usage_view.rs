//! Usage and activity as they are shown.

use schemars::JsonSchema;
use serde::Serialize;

/// What was used in an hour.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HourUsage")]
pub struct HourUsageView {
    /// When the hour began (RFC 3339).
    pub hour: String,
    /// By how much what is stored grew, bytes.
    pub stored_bytes: i64,
    /// By how much the number of objects grew.
    pub objects: i64,
    /// Requests that were answered.
    pub requests: i64,
    /// Bytes of request bodies.
    pub ingress_bytes: i64,
    /// Bytes of answer bodies.
    pub egress_bytes: i64,
    /// Secrets that were revealed.
    pub secret_reads: i64,
    /// Secrets that were used and not revealed.
    pub secret_uses: i64,
    /// Runs of agents, as they were told.
    pub agent_runs: i64,
    /// Tokens that models read, as they were told.
    pub input_tokens: i64,
    /// Tokens that models wrote, as they were told.
    pub output_tokens: i64,
    /// Calls of tools, as they were told.
    pub tool_calls: i64,
    /// Seconds of computing, as they were told.
    pub compute_seconds: i64,
}

/// A page of an activity log.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ActivityPage")]
pub struct ActivityPageView {
    /// Events, as `bulkhead audit export` writes them.
    pub items: Vec<serde_json::Value>,
    /// Segments that are not what was written.
    pub illegible: Vec<String>,
    /// The `after` of the next page, when there is one.
    pub next: Option<String>,
}

use std::collections::BTreeMap;

use crate::catalog::{CatalogError, Meter, UsageDelta};

/// What an organization used in one hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HourUsage {
    /// The hour, by its beginning, milliseconds since the epoch.
    pub hour_ms: u64,
    /// By how many bytes of plaintext what is stored grew. The sum over all hours is what is
    /// stored now.
    pub stored_bytes_change: i64,
    /// By how many objects what is stored grew.
    pub objects_change: i64,
    /// Requests that were answered.
    pub requests: i64,
    /// Bytes of request bodies, as plaintext.
    pub ingress_bytes: i64,
    /// Bytes of answer bodies, as plaintext.
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

/// Why usage cannot be read. The text is for the operator's log.
#[derive(Debug, thiserror::Error)]
#[error("usage cannot be read: {0}")]
pub struct UsageError(#[from] CatalogError);

impl HourUsage {
    /// Puts the sums of each hour together, by hour.
    pub(super) fn by_hour(sums: &[UsageDelta]) -> Vec<Self> {
        let mut hours: BTreeMap<u64, Self> = BTreeMap::new();
        for sum in sums {
            let hour = hours.entry(sum.hour_ms).or_insert(Self {
                hour_ms: sum.hour_ms,
                ..Self::default()
            });
            let meter = match sum.meter {
                Meter::StoredBytes => &mut hour.stored_bytes_change,
                Meter::Objects => &mut hour.objects_change,
                Meter::Requests => &mut hour.requests,
                Meter::IngressBytes => &mut hour.ingress_bytes,
                Meter::EgressBytes => &mut hour.egress_bytes,
                Meter::SecretReads => &mut hour.secret_reads,
                Meter::SecretUses => &mut hour.secret_uses,
                Meter::AgentRuns => &mut hour.agent_runs,
                Meter::InputTokens => &mut hour.input_tokens,
                Meter::OutputTokens => &mut hour.output_tokens,
                Meter::ToolCalls => &mut hour.tool_calls,
                Meter::ComputeSeconds => &mut hour.compute_seconds,
            };
            *meter = meter.saturating_add(sum.amount);
        }
        hours.into_values().collect()
    }
}

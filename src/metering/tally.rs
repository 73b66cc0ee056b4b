use std::collections::BTreeMap;

use crate::authz::Receipt;
use crate::catalog::{Meter, UsageDelta, UsageSubject};

/// What one organization used and what is not written yet, by hour. There are two hours at most
/// while the catalog can be written.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<u64, Used>);

#[derive(Debug, Default)]
struct Used {
    requests: u64,
    ingress_bytes: u64,
    egress_bytes: u64,
}

impl Tally {
    /// Counts one request.
    pub(super) fn count(&mut self, hour_ms: u64, receipt: Receipt) {
        let used = self.0.entry(hour_ms).or_default();
        used.add(1, receipt.bytes_in, receipt.bytes_out);
    }

    /// Takes back what could not be written.
    pub(super) fn restore(&mut self, tally: Self) {
        for (hour_ms, used) in tally.0 {
            let restored = self.0.entry(hour_ms).or_default();
            restored.add(used.requests, used.ingress_bytes, used.egress_bytes);
        }
    }

    /// What is to be added to the catalog's sums.
    pub(super) fn deltas(&self) -> Vec<UsageDelta> {
        let mut deltas = Vec::with_capacity(3 * self.0.len());
        for (&hour_ms, used) in &self.0 {
            for (meter, amount) in [
                (Meter::Requests, used.requests),
                (Meter::IngressBytes, used.ingress_bytes),
                (Meter::EgressBytes, used.egress_bytes),
            ] {
                if amount > 0 {
                    deltas.push(UsageDelta {
                        hour_ms,
                        meter,
                        subject: UsageSubject::Whole,
                        amount: i64::try_from(amount).unwrap_or(i64::MAX),
                    });
                }
            }
        }
        deltas
    }
}

impl Used {
    fn add(&mut self, requests: u64, ingress_bytes: u64, egress_bytes: u64) {
        self.requests = self.requests.saturating_add(requests);
        self.ingress_bytes = self.ingress_bytes.saturating_add(ingress_bytes);
        self.egress_bytes = self.egress_bytes.saturating_add(egress_bytes);
    }
}

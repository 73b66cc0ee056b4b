use std::collections::BTreeMap;

use names::PrincipalId;

use crate::authz::Receipt;
use crate::catalog::{Meter, UsageDelta, UsageSubject};

/// What one organization used and what is not written yet, by hour and by who used it. There are
/// two hours at most while the catalog can be written.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<(u64, PrincipalId), Used>);

#[derive(Debug, Default)]
struct Used {
    requests: u64,
    ingress_bytes: u64,
    egress_bytes: u64,
}

impl Tally {
    /// Counts one request.
    pub(super) fn count(&mut self, hour_ms: u64, principal: PrincipalId, receipt: Receipt) {
        let used = self.0.entry((hour_ms, principal)).or_default();
        used.add(1, receipt.bytes_in, receipt.bytes_out);
    }

    /// Takes back what could not be written.
    pub(super) fn restore(&mut self, tally: Self) {
        for (place, used) in tally.0 {
            let restored = self.0.entry(place).or_default();
            restored.add(used.requests, used.ingress_bytes, used.egress_bytes);
        }
    }

    /// What is to be added to the catalog's sums: of each principal, and of the organization as a
    /// whole, of which that is part.
    pub(super) fn deltas(&self) -> Vec<UsageDelta> {
        let mut sums: BTreeMap<(u64, UsageSubject, Meter), u64> = BTreeMap::new();
        for ((hour_ms, principal), used) in &self.0 {
            for (meter, amount) in [
                (Meter::Requests, used.requests),
                (Meter::IngressBytes, used.ingress_bytes),
                (Meter::EgressBytes, used.egress_bytes),
            ] {
                for subject in [UsageSubject::Whole, UsageSubject::Principal(*principal)] {
                    let sum = sums.entry((*hour_ms, subject, meter)).or_default();
                    *sum = sum.saturating_add(amount);
                }
            }
        }
        sums.into_iter()
            .filter(|(_, amount)| *amount > 0)
            .map(|((hour_ms, subject, meter), amount)| UsageDelta {
                hour_ms,
                meter,
                subject,
                amount: i64::try_from(amount).unwrap_or(i64::MAX),
            })
            .collect()
    }
}

impl Used {
    fn add(&mut self, requests: u64, ingress_bytes: u64, egress_bytes: u64) {
        self.requests = self.requests.saturating_add(requests);
        self.ingress_bytes = self.ingress_bytes.saturating_add(ingress_bytes);
        self.egress_bytes = self.egress_bytes.saturating_add(egress_bytes);
    }
}

use std::collections::{BTreeMap, BTreeSet};

use names::{BucketId, BucketName, PrincipalId};

use crate::authz::{Action, Receipt, RevealSecret, UseSecret};
use crate::catalog::{Meter, UsageDelta, UsageSubject};

/// What one organization used and what is not written yet, by hour, by who used it and in which
/// bucket, as it was named. There are two hours at most while the catalog can be written.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<(u64, Part), Used>);

/// By what the use of one request is told apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    pub(super) principal: PrincipalId,
    pub(super) bucket: Option<BucketName>,
}

#[derive(Debug, Default)]
struct Used {
    requests: u64,
    ingress_bytes: u64,
    egress_bytes: u64,
    secret_reads: u64,
    secret_uses: u64,
}

impl Tally {
    /// Counts one request, and what was done by it.
    pub(super) fn count(
        &mut self,
        hour_ms: u64,
        part: Part,
        done: Option<&'static str>,
        receipt: Receipt,
    ) {
        let used = self.0.entry((hour_ms, part)).or_default();
        used.add(&Used {
            requests: 1,
            ingress_bytes: receipt.bytes_in,
            egress_bytes: receipt.bytes_out,
            secret_reads: u64::from(done == Some(RevealSecret::NAME)),
            secret_uses: u64::from(done == Some(UseSecret::NAME)),
        });
    }

    /// Takes back what could not be written.
    pub(super) fn restore(&mut self, tally: Self) {
        for (place, used) in tally.0 {
            self.0.entry(place).or_default().add(&used);
        }
    }

    /// The buckets that were named.
    pub(super) fn buckets(&self) -> BTreeSet<&BucketName> {
        self.0
            .keys()
            .filter_map(|(_, part)| part.bucket.as_ref())
            .collect()
    }

    /// What is to be added to the catalog's sums: of each principal, of each of `buckets`, and of
    /// the organization as a whole, of which both are parts.
    pub(super) fn deltas(&self, buckets: &BTreeMap<BucketName, BucketId>) -> Vec<UsageDelta> {
        let mut sums: BTreeMap<(u64, UsageSubject, Meter), u64> = BTreeMap::new();
        for ((hour_ms, part), used) in &self.0 {
            let bucket = part.bucket.as_ref().and_then(|name| buckets.get(name));
            let subjects = [
                Some(UsageSubject::Whole),
                Some(UsageSubject::Principal(part.principal)),
                bucket.copied().map(UsageSubject::Bucket),
            ];
            for (meter, amount) in [
                (Meter::Requests, used.requests),
                (Meter::IngressBytes, used.ingress_bytes),
                (Meter::EgressBytes, used.egress_bytes),
                (Meter::SecretReads, used.secret_reads),
                (Meter::SecretUses, used.secret_uses),
            ] {
                for subject in subjects.into_iter().flatten() {
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
    fn add(&mut self, more: &Self) {
        for (sum, more) in [
            (&mut self.requests, more.requests),
            (&mut self.ingress_bytes, more.ingress_bytes),
            (&mut self.egress_bytes, more.egress_bytes),
            (&mut self.secret_reads, more.secret_reads),
            (&mut self.secret_uses, more.secret_uses),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

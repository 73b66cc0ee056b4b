use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use names::OrgId;

use super::limits::{Nearing, Use, is_near};
use super::month::Month;
use crate::authz::{Limit, Limits, Refusal};
use crate::catalog::{Meter, UsageDelta, UsageSubject};

/// What organizations used in this hour and month, of those whose plan limits it. A request is
/// counted before it is done, so that of many at once no more are let in than are left; the bytes
/// of its answer when they have left.
///
/// What other nodes counted is known as of the last time that it was [read](Self::seen): exact on
/// one node, and within [`SEEN_INTERVAL`] on many.
#[derive(Default)]
pub(super) struct Rates(Mutex<HashMap<OrgId, Windows>>);

/// An organization's hour and month.
struct Windows {
    hour: Window,
    month: Window,
    seen: Duration,
}

struct Window {
    from_ms: u64,
    until_ms: u64,
    /// By all, as far as it was written when it was read, without what this node wrote of `own`.
    others: Spent,
    /// By this node, since it looks.
    own: Spent,
    /// What of `own` is written.
    written: Spent,
    warned: BTreeSet<Limit>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    requests: u64,
    egress_bytes: u64,
}

/// Whether a request was let in.
pub(super) enum Entry {
    /// It was, and these limits came near by it.
    Admitted(Vec<Nearing>),
    Refused(Refusal),
    /// Nothing is known of what was used before.
    Unknown,
}

impl Rates {
    /// Lets a request in and counts it, or says by which limit not.
    pub(super) fn enter(&self, org: OrgId, limits: &Limits, what: Use, now_ms: u64) -> Entry {
        let mut all = self.all();
        let Some(windows) = all.get_mut(&org) else {
            return Entry::Unknown;
        };
        windows.turn(now_ms);
        for (limit, max) in limits.iter().filter(|(limit, _)| limit.is_rate()) {
            let window = windows.of(limit);
            // What has left cannot be taken back: it bounds what reads, and nothing else.
            let is_bound = what == Use::Read || counts_requests(limit) && what != Use::Free;
            if is_bound && window.used(limit) >= max {
                return Entry::Refused(Refusal::OverLimit {
                    limit,
                    max,
                    until_ms: window.until_ms,
                });
            }
        }
        for window in windows.both() {
            window.own.requests = window.own.requests.saturating_add(1);
        }
        let mut near = Vec::new();
        for (limit, max) in limits.iter().filter(|(limit, _)| limit.is_rate()) {
            let window = windows.of(limit);
            let used = window.used(limit);
            if is_near(used, max) && window.warned.insert(limit) {
                near.push(Nearing { limit, used, max });
            }
        }
        Entry::Admitted(near)
    }

    /// Whether it is known what an organization used before.
    pub(super) fn is_known(&self, org: OrgId) -> bool {
        self.all().contains_key(&org)
    }

    /// Takes back that a request was counted: it was not answered.
    pub(super) fn release(&self, org: OrgId) {
        if let Some(windows) = self.all().get_mut(&org) {
            for window in windows.both() {
                window.own.requests = window.own.requests.saturating_sub(1);
            }
        }
    }

    /// Counts the bytes of an answer.
    pub(super) fn sent(&self, org: OrgId, egress_bytes: u64, now_ms: u64) {
        if let Some(windows) = self.all().get_mut(&org) {
            windows.turn(now_ms);
            for window in windows.both() {
                window.own.egress_bytes = window.own.egress_bytes.saturating_add(egress_bytes);
            }
        }
    }

    /// Whether what others used should be read again, of an organization that is looked at.
    pub(super) fn is_due(&self, org: OrgId, now: Duration) -> bool {
        self.all()
            .get(&org)
            .is_some_and(|windows| now.saturating_sub(windows.seen) >= SEEN_INTERVAL)
    }

    /// Notes what of an organization's use this node has written.
    pub(super) fn wrote(&self, org: OrgId, deltas: &[UsageDelta]) {
        if let Some(windows) = self.all().get_mut(&org) {
            for window in windows.both() {
                let written = window.sum(deltas);
                window.written = window.written.plus(written);
            }
        }
    }

    /// Takes what all have written, read after all that this node wrote had been noted.
    pub(super) fn seen(&self, org: OrgId, sums: &[UsageDelta], now_ms: u64, now: Duration) {
        let mut all = self.all();
        let windows = all.entry(org).or_insert_with(|| Windows::at(now_ms));
        windows.turn(now_ms);
        windows.seen = now;
        for window in windows.both() {
            window.others = window.sum(sums).minus(window.written);
        }
    }

    /// Forgets an organization whose plan limits no rate.
    pub(super) fn forget(&self, org: OrgId) {
        self.all().remove(&org);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<OrgId, Windows>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Windows {
    fn at(now_ms: u64) -> Self {
        Self {
            hour: Window::hour(now_ms),
            month: Window::month(now_ms),
            seen: Duration::ZERO,
        }
    }

    /// Begins anew what has ended.
    fn turn(&mut self, now_ms: u64) {
        if now_ms >= self.hour.until_ms {
            self.hour = Window::hour(now_ms);
        }
        if now_ms >= self.month.until_ms {
            self.month = Window::month(now_ms);
        }
    }

    fn both(&mut self) -> [&mut Window; 2] {
        [&mut self.hour, &mut self.month]
    }

    /// The window that a limit on a rate is for.
    fn of(&mut self, limit: Limit) -> &mut Window {
        match limit {
            Limit::RequestsPerHour | Limit::EgressBytesPerHour => &mut self.hour,
            _ => &mut self.month,
        }
    }
}

impl Window {
    fn hour(now_ms: u64) -> Self {
        let from_ms = now_ms - now_ms % HOUR_MS;
        Self::between(from_ms, from_ms.saturating_add(HOUR_MS))
    }

    fn month(now_ms: u64) -> Self {
        let month = Month::of(now_ms);
        Self::between(month.start_ms(), month.end_ms())
    }

    fn between(from_ms: u64, until_ms: u64) -> Self {
        Self {
            from_ms,
            until_ms,
            others: Spent::default(),
            own: Spent::default(),
            written: Spent::default(),
            warned: BTreeSet::new(),
        }
    }

    fn used(&self, limit: Limit) -> u64 {
        if counts_requests(limit) {
            self.others.requests.saturating_add(self.own.requests)
        } else {
            let Spent { egress_bytes, .. } = self.others;
            egress_bytes.saturating_add(self.own.egress_bytes)
        }
    }

    /// What lies in the window of what was counted for the organization as a whole.
    fn sum(&self, deltas: &[UsageDelta]) -> Spent {
        let mut sum = Spent::default();
        for delta in deltas {
            let is_in = (self.from_ms..self.until_ms).contains(&delta.hour_ms);
            if !is_in || delta.subject != UsageSubject::Whole {
                continue;
            }
            let amount = u64::try_from(delta.amount).unwrap_or(0);
            match delta.meter {
                Meter::Requests => sum.requests = sum.requests.saturating_add(amount),
                Meter::EgressBytes => sum.egress_bytes = sum.egress_bytes.saturating_add(amount),
                _ => {}
            }
        }
        sum
    }
}

impl Spent {
    fn plus(self, more: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(more.requests),
            egress_bytes: self.egress_bytes.saturating_add(more.egress_bytes),
        }
    }

    fn minus(self, less: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(less.requests),
            egress_bytes: self.egress_bytes.saturating_sub(less.egress_bytes),
        }
    }
}

fn counts_requests(limit: Limit) -> bool {
    matches!(limit, Limit::RequestsPerHour | Limit::RequestsPerMonth)
}

const HOUR_MS: u64 = 3_600_000;

/// How often what other nodes used is read.
pub(super) const SEEN_INTERVAL: Duration = Duration::from_secs(5);

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use names::OrgId;

use crate::clock::Clock;

/// Tells caches of rights, keys and buckets whether what they hold is still what the catalog says.
///
/// A store counts every change of such rows that it makes or, polling, sees: per organization and
/// [`Class`]. A cache takes a [`Stamp`] **before** it reads rows and keeps it with what it read;
/// the entry holds as long as a new stamp equals the old one.
///
/// ```text
/// stamp ── read rows ── keep (stamp, value) … stamp again: equal → value, otherwise read again
/// ```
///
/// So a change holds on the next request of the node that made it, and on another node with its
/// next poll. A node whose last poll is over [`STALE_AFTER`] old gets no stamp at all and reads
/// everything from the catalog.
#[derive(Debug, Clone)]
pub struct Coherence(Arc<Shared>);

/// What kind of rows changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Rows that decide a right or a key: organizations, wrapped keys, name keys, credentials,
    /// and the records of members, teams, agents, grants, profiles and plans.
    Rights,
    /// Buckets.
    Buckets,
    /// Accounts, and how they are signed in.
    Accounts,
    /// Secrets and their versions.
    Secrets,
}

/// How many changes had been seen when it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(u64);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Since this process began, and only of what changed since.
    changes: HashMap<(OrgId, Class), u64>,
    /// How often everything may have changed.
    of_all: u64,
    polled: Option<Duration>,
}

impl Coherence {
    /// Not fresh until the first [`polled`](Self::polled).
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Shared {
            clock,
            state: RwLock::default(),
        }))
    }

    /// What is known of an organization's rows now; nothing while this node may have missed a
    /// change.
    pub fn stamp(&self, org: OrgId, class: Class) -> Option<Stamp> {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let age = self.0.clock.monotonic().saturating_sub(state.polled?);
        // Neither ever becomes less, so that their sum is the same only when both are.
        (age <= STALE_AFTER).then(|| {
            let of_org = state.changes.get(&(org, class)).copied().unwrap_or(0);
            Stamp(of_org + state.of_all)
        })
    }

    /// States that rows of an organization changed.
    pub fn changed(&self, org: OrgId, class: Class) {
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        *state.changes.entry((org, class)).or_default() += 1;
    }

    /// States that any row of anybody may have changed.
    pub fn all_changed(&self) {
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        state.of_all += 1;
    }

    /// States that every change committed before `at`, of [`Clock::monotonic`], has been counted.
    pub fn polled(&self, at: Duration) {
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        state.polled = state.polled.max(Some(at));
    }
}

/// How old the last poll may be. A revocation made on another node holds within this time.
pub const STALE_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_until_a_change_and_while_polls_come() {
        let (clock, hand) = Clock::manual(0);
        let coherence = Coherence::new(clock.clone());
        let (one, two) = (OrgId::from_bytes([1; 16]), OrgId::from_bytes([2; 16]));
        assert_eq!(coherence.stamp(one, Class::Rights), None);
        coherence.polled(clock.monotonic());
        let before = [one, two].map(|org| coherence.stamp(org, Class::Rights));
        coherence.changed(one, Class::Buckets);
        coherence.changed(two, Class::Rights);
        let after = [one, two].map(|org| coherence.stamp(org, Class::Rights));
        assert_eq!((before[0], before[1].is_some()), (after[0], true));
        assert_ne!(before[1], after[1]);
        hand.advance(STALE_AFTER + Duration::from_millis(1));
        assert_eq!(coherence.stamp(one, Class::Rights), None);
        coherence.polled(clock.monotonic());
        assert_eq!(coherence.stamp(one, Class::Rights), before[0]);
    }
}

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use moka::sync::Cache;
use names::{AccessKeyId, OrgId};
use wire::sigv4::{Presented, Scope, SigningKey};

use crate::authz::Caller;
use crate::catalog::{Class, PlatformCatalog, Stamp};

/// Access keys that were lately proven, with the signing keys of the day.
///
/// An entry stands for the credential's row only while nothing changed among the rights of its
/// organization and of the platform, and for [`AGE_MAX`] at most: a revocation holds on the next
/// request. Only what was proven is kept, so that nobody without a secret can push others out.
pub(super) struct Proven {
    catalog: PlatformCatalog,
    cache: Cache<Name, Arc<Entry>>,
}

/// What was known of the rows that a proof rests on, before they were read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamps {
    organization: Stamp,
    platform: Stamp,
}

/// Which signing key.
#[derive(PartialEq, Eq, Hash)]
struct Name {
    access_key: AccessKeyId,
    scope: Scope,
}

/// The cache keeps evicted values alive until later traffic, so a signing key stands in a slot
/// that is emptied: it is wiped once the requests that use it end.
struct Entry {
    caller: Caller,
    signing_key: RwLock<Option<Arc<SigningKey>>>,
    stamps: Stamps,
    since: Duration,
}

impl Proven {
    pub(super) fn new(catalog: PlatformCatalog) -> Self {
        Self {
            catalog,
            cache: Cache::builder()
                .max_capacity(ENTRIES_MAX)
                .eviction_listener(|_, entry: Arc<Entry>, _| entry.empty())
                .build(),
        }
    }

    /// What is known now of the rights of the platform and of an organization; nothing while this
    /// node may have missed a change.
    pub(super) fn stamps(&self, org: OrgId) -> Option<Stamps> {
        Some(Stamps {
            organization: self.catalog.stamp(org, Class::Rights)?,
            platform: self.catalog.stamp(OrgId::PLATFORM, Class::Rights)?,
        })
    }

    /// Whose signature this would be, and the key that it has to be made with.
    pub(super) fn find(
        &self,
        presented: &Presented,
        now: Duration,
    ) -> Option<(Caller, Arc<SigningKey>)> {
        let name = Name::of(presented);
        let entry = self.cache.get(&name)?;
        if !self.holds(&entry, now) {
            self.forget(&name);
            return None;
        }
        let signing_key = entry
            .signing_key
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        Some((entry.caller.clone(), signing_key))
    }

    /// Keeps a proof that rests on rows read after `stamps`.
    pub(super) fn keep(
        &self,
        presented: &Presented,
        caller: Caller,
        signing_key: Arc<SigningKey>,
        stamps: Stamps,
        now: Duration,
    ) {
        let entry = Entry {
            caller,
            signing_key: RwLock::new(Some(signing_key)),
            stamps,
            since: now,
        };
        self.cache.insert(Name::of(presented), Arc::new(entry));
    }

    /// Drops what is outdated, so that no signing key waits for a request to be wiped.
    pub(super) fn tend(&self, now: Duration) {
        for (name, entry) in &self.cache {
            if !self.holds(&entry, now) {
                self.forget(&name);
            }
        }
    }

    fn holds(&self, entry: &Entry, now: Duration) -> bool {
        now.saturating_sub(entry.since) <= AGE_MAX
            && self.stamps(entry.caller.org()) == Some(entry.stamps)
    }

    fn forget(&self, name: &Name) {
        if let Some(entry) = self.cache.remove(name) {
            entry.empty();
        }
    }

    /// How many entries hold a signing key.
    #[cfg(test)]
    pub(super) fn len(&self) -> u64 {
        self.cache.run_pending_tasks();
        self.cache.entry_count()
    }
}

impl Name {
    fn of(presented: &Presented) -> Self {
        Self {
            access_key: presented.access_key().clone(),
            scope: presented.scope().clone(),
        }
    }
}

impl Entry {
    fn empty(&self) {
        *self
            .signing_key
            .write()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// How long a proof is used without its credential being looked up again.
pub(super) const AGE_MAX: Duration = Duration::from_secs(30);
const ENTRIES_MAX: u64 = 16_384;

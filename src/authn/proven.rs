use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use moka::sync::Cache;
use names::{AccessKeyId, OrgId};
use wire::sigv4::{Presented, Scope, SigningKey};

use crate::authz::Caller;
use crate::catalog::{Class, PlatformCatalog, Stamp};

/// Credentials that were lately proven: access keys with the signing keys of the day, and bearer
/// tokens by the digests of their secrets.
///
/// An entry stands for the credential's row only while nothing changed among the rights of its
/// organization and of the platform, for [`AGE_MAX`] at most, and not beyond the end of the
/// credential: a revocation holds on the next request. Only what was proven is kept, so that nobody
/// without a secret can push others out.
pub(super) struct Proven {
    catalog: PlatformCatalog,
    signers: Cache<Name, Arc<SignerEntry>>,
    bearers: Cache<AccessKeyId, Arc<(Basis, [u8; 32])>>,
}

/// What was known of the rows that a proof rests on, before they were read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamps {
    organization: Stamp,
    platform: Stamp,
}

/// Whom a proof is of, and for how long it stands.
pub(super) struct Basis {
    caller: Caller,
    expires_ms: Option<u64>,
    stamps: Stamps,
    since: Duration,
}

/// What signatures are verified by.
pub(super) struct Signer {
    /// The key that they have to be made with.
    pub(super) key: Arc<SigningKey>,
    /// The digest of the session token that has to come with them.
    pub(super) token_digest: Option<[u8; 32]>,
}

/// Which signing key.
#[derive(PartialEq, Eq, Hash)]
struct Name {
    access_key: AccessKeyId,
    scope: Scope,
}

/// The cache keeps evicted values alive until later traffic, so a signing key stands in a slot
/// that is emptied: it is wiped once the requests that use it end.
struct SignerEntry {
    basis: Basis,
    signing_key: RwLock<Option<Arc<SigningKey>>>,
    token_digest: Option<[u8; 32]>,
}

impl Proven {
    pub(super) fn new(catalog: PlatformCatalog) -> Self {
        Self {
            catalog,
            signers: Cache::builder()
                .max_capacity(ENTRIES_MAX)
                .eviction_listener(|_, entry: Arc<SignerEntry>, _| entry.empty())
                .build(),
            bearers: Cache::new(ENTRIES_MAX),
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

    /// Whose signature this would be, and what it has to be verified by.
    pub(super) fn signer(
        &self,
        presented: &Presented,
        now: Duration,
        now_ms: u64,
    ) -> Option<(Caller, Signer)> {
        let name = Name::of(presented);
        let entry = self.signers.get(&name)?;
        if !self.holds(&entry.basis, now, now_ms) {
            self.forget(&name);
            return None;
        }
        let key = entry
            .signing_key
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        let token_digest = entry.token_digest;
        Some((entry.basis.caller.clone(), Signer { key, token_digest }))
    }

    /// Whose token this would be, and the digest that its secret has to have.
    pub(super) fn bearer(
        &self,
        id: &AccessKeyId,
        now: Duration,
        now_ms: u64,
    ) -> Option<(Caller, [u8; 32])> {
        let entry = self.bearers.get(id)?;
        if !self.holds(&entry.0, now, now_ms) {
            self.bearers.invalidate(id);
            return None;
        }
        Some((entry.0.caller.clone(), entry.1))
    }

    /// Keeps a proof that rests on rows read after the stamps of its basis.
    pub(super) fn keep_signer(&self, presented: &Presented, basis: Basis, signer: Signer) {
        let entry = SignerEntry {
            basis,
            signing_key: RwLock::new(Some(signer.key)),
            token_digest: signer.token_digest,
        };
        self.signers.insert(Name::of(presented), Arc::new(entry));
    }

    /// The same of a bearer token, by the digest of its secret.
    pub(super) fn keep_bearer(&self, id: AccessKeyId, basis: Basis, digest: [u8; 32]) {
        self.bearers.insert(id, Arc::new((basis, digest)));
    }

    /// Drops what is outdated, so that no signing key waits for a request to be wiped.
    pub(super) fn tend(&self, now: Duration, now_ms: u64) {
        for (name, entry) in &self.signers {
            if !self.holds(&entry.basis, now, now_ms) {
                self.forget(&name);
            }
        }
        for (id, entry) in &self.bearers {
            if !self.holds(&entry.0, now, now_ms) {
                self.bearers.invalidate(&*id);
            }
        }
    }

    fn holds(&self, basis: &Basis, now: Duration, now_ms: u64) -> bool {
        now.saturating_sub(basis.since) <= AGE_MAX
            && basis.expires_ms.is_none_or(|end| now_ms < end)
            && self.stamps(basis.caller.org()) == Some(basis.stamps)
    }

    fn forget(&self, name: &Name) {
        if let Some(entry) = self.signers.remove(name) {
            entry.empty();
        }
    }

    /// How many proofs are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> u64 {
        self.signers.run_pending_tasks();
        self.bearers.run_pending_tasks();
        self.signers.entry_count() + self.bearers.entry_count()
    }
}

impl Basis {
    /// A proof of `caller` at `now`, that rests on rows read after `stamps`.
    pub(super) fn new(
        caller: Caller,
        expires_ms: Option<u64>,
        stamps: Stamps,
        now: Duration,
    ) -> Self {
        Self {
            caller,
            expires_ms,
            stamps,
            since: now,
        }
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

impl SignerEntry {
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

use std::sync::{Arc, PoisonError, RwLock};

use envelope::{Kek, WrappedKek, wrap_kek};
use moka::sync::Cache;
use names::OrgId;

use super::org_keys::{OrgKeys, RowRefused};
use super::random::Chance;
use super::root_file::RootFile;
use crate::authz::{Action, Permit};
use crate::catalog::{
    Authenticated, CatalogError, CommitError, Conflict, JobCatalog, KeyState, Mutation, OrgKeyRow,
    PlatformCatalog, Unverified,
};
use crate::clock::Clock;
use crate::entropy::Entropy;

/// Opens organizations' keys with the root key, and keeps those lately used.
///
/// ```text
/// root key file ── unwraps ──► the platform's keys (organization 0)
///       │                          │ verify the row of
///       └──── unwraps ────────► an organization's wrapped key ──► OrgKeys
/// ```
pub struct Keyring {
    catalog: PlatformCatalog,
    root: RwLock<RootFile>,
    cache: Cache<OrgId, Arc<Slot>>,
    clock: Clock,
    entropy: Entropy,
}

/// Why an organization's keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The organization has no key: it was destroyed, or never was.
    #[error("the organization has no key")]
    NoKey,
    /// A wrapped key was made under a root, or a version of it, that is not at hand.
    #[error("the root key that wraps version {version} of the organization's key is not at hand")]
    NoRoot {
        /// The version of the organization's key.
        version: u32,
    },
    /// A wrapped key or its row is not what was written.
    #[error(transparent)]
    Refused(#[from] RowRefused),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The platform's first key was not made.
    #[error("the platform's key was not made: {0}")]
    NotMade(Conflict),
}

/// What the cache holds. It keeps expired values alive until later traffic, so forgetting empties
/// the slot itself: the keys are wiped once the requests that use them end.
struct Slot {
    keys: RwLock<Option<Arc<OrgKeys>>>,
    opened_ms: u64,
}

impl Keyring {
    /// A keyring that remembers the keys of at most `organizations_max` organizations.
    pub fn new(
        catalog: PlatformCatalog,
        root: RootFile,
        organizations_max: u64,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self {
            catalog,
            root: RwLock::new(root),
            cache: Cache::builder()
                .max_capacity(organizations_max)
                .eviction_listener(|_, slot: Arc<Slot>, _| slot.empty())
                .build(),
            clock,
            entropy,
        }
    }

    /// Makes the platform's first key, unless there is one.
    pub async fn provision_platform(&self) -> Result<(), KeyringError> {
        if !self.catalog.org_keys(OrgId::PLATFORM).await?.is_empty() {
            return Ok(());
        }
        let kek = self.fresh(OrgId::PLATFORM, 1)?;
        let row = self.wrapped(&kek)?;
        let platform = self.ring(OrgId::PLATFORM, vec![kek])?;
        let key = platform.authenticate(row)?;
        match self
            .catalog
            .commit(OrgId::PLATFORM, Mutation::CreatePlatformKey(key))
            .await
        {
            // Another process was first; its key is the platform's.
            Ok(_) | Err(CommitError::Conflict(Conflict::Exists)) => Ok(()),
            Err(CommitError::Conflict(conflict)) => Err(KeyringError::NotMade(conflict)),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// The keys of the organization that `permit` is for.
    pub async fn open<A: Action>(&self, permit: &Permit<A>) -> Result<Arc<OrgKeys>, KeyringError> {
        self.keys(permit.org()).await
    }

    /// The keys of the organization that a background job works in.
    pub async fn open_for_job(&self, job: &JobCatalog) -> Result<Arc<OrgKeys>, KeyringError> {
        self.keys(job.org()).await
    }

    /// The platform's own keys.
    pub async fn open_platform(&self) -> Result<Arc<OrgKeys>, KeyringError> {
        if let Some(keys) = self.cached(OrgId::PLATFORM) {
            return Ok(keys);
        }
        let rows = self.catalog.org_keys(OrgId::PLATFORM).await?;
        let keks = self.unwrap_all(OrgId::PLATFORM, rows.iter().map(Unverified::unverified))?;
        let keys = self.ring(OrgId::PLATFORM, keks)?;
        // The platform's key rows stand under the very keys that they wrap. A MAC by a key that
        // the root has unwrapped, for this organization and version, is what they have to show.
        for row in rows {
            keys.verify(row)?;
        }
        Ok(self.remember(keys))
    }

    /// The first key of an organization about to be made: its row to commit, and the keys with
    /// which to authenticate the other rows that are committed with it.
    pub async fn provision(
        &self,
        org: OrgId,
    ) -> Result<(Authenticated<OrgKeyRow>, OrgKeys), KeyringError> {
        let platform = self.open_platform().await?;
        let kek = self.fresh(org, 1)?;
        let row = platform.authenticate(self.wrapped(&kek)?)?;
        Ok((row, self.ring(org, vec![kek])?))
    }

    /// Drops an organization's keys. Requests under way end with those that they hold.
    pub fn forget(&self, org: OrgId) {
        if let Some(slot) = self.cache.remove(&org) {
            slot.empty();
        }
    }

    /// Drops all keys.
    pub fn forget_all(&self) {
        for (_, slot) in &self.cache {
            slot.empty();
        }
        self.cache.invalidate_all();
    }

    async fn keys(&self, org: OrgId) -> Result<Arc<OrgKeys>, KeyringError> {
        if let Some(keys) = self.cached(org) {
            return Ok(keys);
        }
        let platform = self.open_platform().await?;
        let rows = self.catalog.org_keys(org).await?;
        let rows = rows
            .into_iter()
            .map(|row| platform.verify(row))
            .collect::<Result<Vec<_>, _>>()?;
        let keks = self.unwrap_all(org, &rows)?;
        Ok(self.remember(self.ring(org, keks)?))
    }

    fn cached(&self, org: OrgId) -> Option<Arc<OrgKeys>> {
        let slot = self.cache.get(&org)?;
        let age_ms = self.clock.now_ms().checked_sub(slot.opened_ms)?;
        if age_ms > AGE_MS_MAX {
            self.forget(org);
            return None;
        }
        slot.keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn remember(&self, keys: OrgKeys) -> Arc<OrgKeys> {
        let keys = Arc::new(keys);
        let slot = Slot {
            keys: RwLock::new(Some(Arc::clone(&keys))),
            opened_ms: self.clock.now_ms(),
        };
        self.cache.insert(keys.org(), Arc::new(slot));
        keys
    }

    /// Unwraps every version. The record itself is authenticated by the root, with organization
    /// and version in it.
    fn unwrap_all<'a>(
        &self,
        org: OrgId,
        rows: impl IntoIterator<Item = &'a OrgKeyRow>,
    ) -> Result<Vec<Kek>, KeyringError> {
        let root = self.root.read().unwrap_or_else(PoisonError::into_inner);
        rows.into_iter()
            .map(|row| {
                let version = row.version;
                if row.root != root.id() {
                    return Err(KeyringError::NoRoot { version });
                }
                let key = root
                    .version(row.root_version)
                    .ok_or(KeyringError::NoRoot { version })?;
                let wrapped = WrappedKek::parse(&row.wrapped).map_err(RowRefused::from)?;
                let kek = wrapped
                    .unwrap(key, *org.bytes(), version)
                    .map_err(RowRefused::from)?;
                Ok(kek)
            })
            .collect()
    }

    fn fresh(&self, org: OrgId, version: u32) -> Result<Kek, KeyringError> {
        Kek::generate(*org.bytes(), version, &Chance(&self.entropy))
            .map_err(|error| RowRefused::from(error).into())
    }

    fn wrapped(&self, kek: &Kek) -> Result<OrgKeyRow, KeyringError> {
        let root = self.root.read().unwrap_or_else(PoisonError::into_inner);
        let wrapped =
            wrap_kek(root.newest(), kek, &Chance(&self.entropy)).map_err(RowRefused::from)?;
        Ok(OrgKeyRow {
            org: OrgId::from_bytes(kek.org_id()),
            version: kek.version(),
            state: KeyState::Open,
            root: root.id(),
            root_version: root.newest().version(),
            wrapped,
            created_ms: self.clock.now_ms(),
            sequence: 1,
        })
    }

    fn ring(&self, org: OrgId, versions: Vec<Kek>) -> Result<OrgKeys, KeyringError> {
        OrgKeys::new(org, versions, self.clock.clone(), self.entropy.clone())
            .ok_or(KeyringError::NoKey)
    }
}

impl Slot {
    fn empty(&self) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// How long a key is used without being looked up again, milliseconds.
const AGE_MS_MAX: u64 = 30_000;

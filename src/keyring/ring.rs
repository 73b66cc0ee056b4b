use std::sync::{Arc, PoisonError, RwLock};

use envelope::{Kek, WrappedKek, wrap_kek};
use moka::sync::Cache;
use names::OrgId;

use super::name_keys::NameIndex;
use super::org_keys::{OrgKeys, RowRefused};
use super::random::Chance;
use super::root_file::{FileIdentity, RootFile};
use crate::authz::{Action, Permit};
use crate::catalog::{
    Authenticated, CatalogError, Class, CommitError, Conflict, JobCatalog, KeyState, Mutation,
    NameKeyRow, OrgKeyRow, PlatformCatalog, Stamp, Unverified,
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
///
/// What is kept holds while the catalog's stamps say that no right or key of the organization or
/// the platform has changed, and half a minute at most.
pub struct Keyring {
    pub(super) catalog: PlatformCatalog,
    pub(super) root: RwLock<RootFile>,
    cache: Cache<OrgId, Arc<Slot>>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
}

/// Why an organization's keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The organization has no key: it was destroyed, or never was.
    #[error("the organization has no key")]
    NoKey,
    /// The name key was never made, or is gone: what it indexes cannot be found.
    #[error("the organization has no name key")]
    NoNameKey,
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
    /// The platform's first key, or a name key, was not made.
    #[error("a key was not made: {0}")]
    NotMade(Conflict),
}

/// The keys of an organization about to be made.
pub struct Provisioned {
    /// The first version of its key, to commit.
    pub key: Authenticated<OrgKeyRow>,
    /// Its name key, to commit with it.
    pub name_key: NameKeyRow,
    /// What seals and authenticates the records that are committed with them.
    pub keys: OrgKeys,
    /// What makes their lookups.
    pub names: NameIndex,
}

/// What the cache holds. It keeps expired values alive until later traffic, so forgetting empties
/// the slot itself: the keys are wiped once the requests that use them end.
pub(super) struct Slot {
    keys: RwLock<Option<Arc<OrgKeys>>>,
    /// Opened when it is first needed.
    names: RwLock<Option<Arc<NameIndex>>>,
    opened_ms: u64,
    stamps: Stamps,
}

/// What the catalog said of the rows before they were read: of the organization's, and of the
/// platform's, whose key authenticates them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamps {
    org: Stamp,
    platform: Stamp,
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
        let row = self.wrapped(&kek).await?;
        let platform = self.ring(OrgId::PLATFORM, vec![(kek, KeyState::Open)])?;
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
        self.keys_of(job.org()).await
    }

    /// The keys of an organization, for whoever holds the platform's handle and so may reach every
    /// organization: before there is a permit, rights are read, and an account's own organizations.
    pub async fn open_as_platform(
        &self,
        _: &PlatformCatalog,
        org: OrgId,
    ) -> Result<Arc<OrgKeys>, KeyringError> {
        self.keys_of(org).await
    }

    /// The platform's own keys.
    pub async fn open_platform(&self) -> Result<Arc<OrgKeys>, KeyringError> {
        let stamps = self.stamps(OrgId::PLATFORM);
        if let Some(keys) = self.cached(OrgId::PLATFORM, stamps) {
            return Ok(keys);
        }
        let rows = self.catalog.org_keys(OrgId::PLATFORM).await?;
        let claimed: Vec<_> = rows.iter().map(Unverified::unverified).collect();
        let keks = self.unwrap_all(OrgId::PLATFORM, &claimed).await?;
        let keys = self.ring(OrgId::PLATFORM, keks)?;
        // The platform's key rows stand under the very keys that they wrap. A MAC by a key that
        // the root has unwrapped, for this organization and version, is what they have to show.
        for row in rows {
            keys.verify(row)?;
        }
        Ok(self.remember(keys, stamps))
    }

    /// The platform's own keys, to verify a row that names `version` of them: read again, if another
    /// process has added that version since they were.
    pub async fn open_platform_at(&self, version: u32) -> Result<Arc<OrgKeys>, KeyringError> {
        let keys = self.open_platform().await?;
        if keys.holds(version) {
            return Ok(keys);
        }
        self.forget(OrgId::PLATFORM);
        self.open_platform().await
    }

    /// The first keys of an organization about to be made.
    pub async fn provision(&self, org: OrgId) -> Result<Provisioned, KeyringError> {
        let platform = self.open_platform().await?;
        let kek = self.fresh(org, 1)?;
        let key = platform.authenticate(self.wrapped(&kek).await?)?;
        let keys = self.ring(org, vec![(kek, KeyState::Open)])?;
        let (name_key, names) = self.fresh_names(&keys)?;
        Ok(Provisioned {
            key,
            name_key,
            keys,
            names,
        })
    }

    /// Drops an organization's keys. Requests under way end with those that they hold.
    pub fn forget(&self, org: OrgId) {
        if let Some(slot) = self.cache.remove(&org) {
            slot.empty();
        }
    }

    /// Drops the keys that what changed in the catalog has outdated, and takes the root key file
    /// over if another process has replaced it. Called after every poll of the catalog, so that a
    /// destroyed key stays in no memory.
    pub async fn tend(&self) {
        for (org, slot) in &self.cache {
            if !self.is_current(slot.opened_ms, slot.stamps, self.stamps(*org)) {
                self.forget(*org);
            }
        }
        self.follow_root().await;
    }

    pub(super) async fn keys_of(&self, org: OrgId) -> Result<Arc<OrgKeys>, KeyringError> {
        match org {
            OrgId::PLATFORM => self.open_platform().await,
            org => self.keys(org).await,
        }
    }

    async fn keys(&self, org: OrgId) -> Result<Arc<OrgKeys>, KeyringError> {
        let stamps = self.stamps(org);
        if let Some(keys) = self.cached(org, stamps) {
            return Ok(keys);
        }
        let platform = self.open_platform().await?;
        let rows = self.catalog.org_keys(org).await?;
        let rows = rows
            .into_iter()
            .map(|row| platform.verify(row))
            .collect::<Result<Vec<_>, _>>()?;
        let keks = self
            .unwrap_all(org, &rows.iter().collect::<Vec<_>>())
            .await?;
        Ok(self.remember(self.ring(org, keks)?, stamps))
    }

    /// Taken before rows are read; nothing while this node may have missed a change.
    pub(super) fn stamps(&self, org: OrgId) -> Option<Stamps> {
        Some(Stamps {
            org: self.catalog.stamp(org, Class::Rights)?,
            platform: self.catalog.stamp(OrgId::PLATFORM, Class::Rights)?,
        })
    }

    /// What is kept of an organization, if it holds at these stamps.
    pub(super) fn slot(&self, org: OrgId, stamps: Option<Stamps>) -> Option<Arc<Slot>> {
        let slot = self.cache.get(&org)?;
        if !self.is_current(slot.opened_ms, slot.stamps, stamps) {
            self.forget(org);
            return None;
        }
        Some(slot)
    }

    fn cached(&self, org: OrgId, stamps: Option<Stamps>) -> Option<Arc<OrgKeys>> {
        let slot = self.slot(org, stamps)?;
        slot.keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether what was opened at `opened_ms`, after the stamps `then`, holds at the stamps `now`.
    fn is_current(&self, opened_ms: u64, then: Stamps, now: Option<Stamps>) -> bool {
        let age_ms = self.clock.now_ms().checked_sub(opened_ms);
        now == Some(then) && age_ms.is_some_and(|age_ms| age_ms <= AGE_MS_MAX)
    }

    fn remember(&self, keys: OrgKeys, stamps: Option<Stamps>) -> Arc<OrgKeys> {
        let keys = Arc::new(keys);
        if let Some(stamps) = stamps {
            let slot = Slot {
                keys: RwLock::new(Some(Arc::clone(&keys))),
                names: RwLock::new(None),
                opened_ms: self.clock.now_ms(),
                stamps,
            };
            self.cache.insert(keys.org(), Arc::new(slot));
        }
        keys
    }

    /// Unwraps every version. The record itself is authenticated by the root, with organization
    /// and version in it.
    async fn unwrap_all(
        &self,
        org: OrgId,
        rows: &[&OrgKeyRow],
    ) -> Result<Vec<(Kek, KeyState)>, KeyringError> {
        let unwrap_all = || rows.iter().map(|row| self.unwrap(org, row)).collect();
        match unwrap_all() {
            // The root may have been rotated by another process: its file tells.
            Err(KeyringError::NoRoot { .. }) if self.follow_root().await => unwrap_all(),
            outcome => outcome,
        }
    }

    pub(super) fn unwrap(
        &self,
        org: OrgId,
        row: &OrgKeyRow,
    ) -> Result<(Kek, KeyState), KeyringError> {
        let version = row.version;
        let root = self.root.read().unwrap_or_else(PoisonError::into_inner);
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
        Ok((kek, row.state))
    }

    /// Takes the root key file over if it is another than the one that was read. Returns whether
    /// it was. A file that is gone or unreadable changes nothing: what was read still holds.
    pub(super) async fn follow_root(&self) -> bool {
        let (path, known) = {
            let root = self.root.read().unwrap_or_else(PoisonError::into_inner);
            (root.path().to_owned(), root.read_from())
        };
        let Ok(metadata) = tokio::fs::metadata(&path).await else {
            return false;
        };
        if known == Some(FileIdentity::of(&metadata)) {
            return false;
        }
        let read = RootFile::open(&path);
        let mut root = self.root.write().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(read) if read.id() == root.id() => {
                *root = read;
                true
            }
            Ok(read) => {
                tracing::error!(id = %read.id(), "the root key file holds another root: not taken over");
                false
            }
            Err(error) => {
                tracing::error!(%error, "the root key file was replaced and is not taken over");
                false
            }
        }
    }

    pub(super) fn fresh(&self, org: OrgId, version: u32) -> Result<Kek, KeyringError> {
        Kek::generate(*org.bytes(), version, &Chance(&self.entropy))
            .map_err(|error| RowRefused::from(error).into())
    }

    /// Wraps a key under the newest root version, as the file has it now: a version that another
    /// process is about to destroy wraps nothing new.
    pub(super) async fn wrapped(&self, kek: &Kek) -> Result<OrgKeyRow, KeyringError> {
        self.follow_root().await;
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

    fn ring(&self, org: OrgId, versions: Vec<(Kek, KeyState)>) -> Result<OrgKeys, KeyringError> {
        OrgKeys::new(org, versions, self.clock.clone(), self.entropy.clone())
            .ok_or(KeyringError::NoKey)
    }
}

impl Slot {
    /// What makes blind lookups, if it has been opened.
    pub(super) fn names(&self) -> Option<Arc<NameIndex>> {
        self.names
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Keeps what makes blind lookups as long as the keys: a slot that was emptied meanwhile stays
    /// empty.
    pub(super) fn hold_names(&self, names: &Arc<NameIndex>) {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        if keys.is_some() {
            *self.names.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(names));
        }
    }

    fn empty(&self) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        *keys = None;
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// How long a key is used without being looked up again, milliseconds.
const AGE_MS_MAX: u64 = 30_000;

use std::sync::{Arc, PoisonError, RwLock};

use envelope::{NameKey, Secret};
use names::{AccessKeyId, OrgId};

use super::org_keys::{OrgKeys, Record, RowRefused};
use super::random::Chance;
use super::ring::{Keyring, KeyringError, Stamps};
use crate::catalog::{CommitError, Conflict, Mutation, NameKeyRow};

/// The platform's name key, while it is cached by the rules of all keys.
///
/// Under it the credential directory finds an access key by its id without holding the id.
#[derive(Default)]
pub(super) struct PlatformNameKey(RwLock<Option<Held>>);

#[derive(Clone)]
struct Held {
    key: Arc<NameKey>,
    opened_ms: u64,
    stamps: Stamps,
}

impl Keyring {
    /// Makes the name key of the organization whose keys these are, unless it has one.
    pub async fn provision_name_key(&self, keys: &OrgKeys) -> Result<(), KeyringError> {
        let org = keys.org();
        if self.catalog.name_key(org).await?.is_some() {
            return Ok(());
        }
        let key = NameKey::generate(&Chance(&self.entropy)).map_err(RowRefused::from)?;
        let row = NameKeyRow {
            org,
            sealed: keys.seal_record(record(&[org.bytes()]), key.expose())?,
            key_version: keys.newest_version(),
        };
        match self.catalog.commit(org, Mutation::CreateNameKey(row)).await {
            // Another process was first; its key is the organization's.
            Ok(_) | Err(CommitError::Conflict(Conflict::Exists)) => Ok(()),
            Err(CommitError::Conflict(conflict)) => Err(KeyringError::NotMade(conflict)),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// The blind name under which the credential directory keeps an access key.
    pub async fn access_key_lookup(&self, id: &AccessKeyId) -> Result<[u8; 32], KeyringError> {
        let key = self.platform_name_key().await?;
        Ok(key.index(ACCESS_KEY, id.as_str().as_bytes()))
    }

    async fn platform_name_key(&self) -> Result<Arc<NameKey>, KeyringError> {
        let org = OrgId::PLATFORM;
        let stamps = self.stamps(org);
        if let Some(held) = self.name_key.held()
            && self.is_current(held.opened_ms, held.stamps, stamps)
        {
            return Ok(held.key);
        }
        let platform = self.open_platform().await?;
        let row = self.catalog.name_key(org).await?;
        let row = row.ok_or(KeyringError::NoNameKey)?;
        let bytes = platform.open_record(record(&[org.bytes()]), &row.sealed)?;
        let secret = Secret::from_slice(&bytes).ok_or(RowRefused::Unreadable { table: TABLE })?;
        let key = Arc::new(NameKey::new(secret));
        if let Some(stamps) = stamps {
            self.name_key.hold(Held {
                key: Arc::clone(&key),
                opened_ms: self.clock.now_ms(),
                stamps,
            });
        }
        Ok(key)
    }

    /// Drops the name key, if it is outdated.
    pub(super) fn tend_name_key(&self) {
        let stamps = self.stamps(OrgId::PLATFORM);
        if let Some(held) = self.name_key.held()
            && !self.is_current(held.opened_ms, held.stamps, stamps)
        {
            self.name_key.empty();
        }
    }
}

impl PlatformNameKey {
    /// Drops the key; it is wiped once the requests that use it end.
    pub(super) fn empty(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn held(&self) -> Option<Held> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn hold(&self, held: Held) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }
}

fn record<'a>(primary_key: &'a [&'a [u8]]) -> Record<'a> {
    Record {
        table: TABLE,
        primary_key,
        column: "name_key",
    }
}

const TABLE: &str = "name_keys";
/// The kind of the names that are access key ids.
const ACCESS_KEY: &str = "access-key";

use std::sync::Arc;

use envelope::{NameKey, Secret};
use names::{AccessKeyId, OrgId};

use super::locked::Locked;
use super::org_keys::{OrgKeys, Record, RowRefused};
use super::random::Chance;
use super::ring::{Keyring, KeyringError};
use crate::authz::{Action, Permit};
use crate::catalog::{CommitError, Conflict, JobCatalog, Mutation, NameKeyRow};

/// An organization's key for blind lookups: what the catalog finds by a name that it must not
/// read, it keeps under what this makes of the name.
///
/// It outlives every rotation of the organization's key. What it makes is its one exit.
pub struct NameIndex(Locked<NameKey>);

impl NameIndex {
    /// The blind name. Names of two kinds never share one.
    pub fn lookup(&self, kind: &str, name: &[u8]) -> [u8; 32] {
        self.0.index(kind, name)
    }

    /// Where its key lies in memory.
    #[cfg(test)]
    pub(super) fn extents(&self) -> Vec<envelope::Extent> {
        envelope::Extents::extents(&*self.0)
    }

    fn open(keys: &OrgKeys, row: &NameKeyRow) -> Result<Self, RowRefused> {
        let bytes = keys.open_record(record(&[keys.org().bytes()]), &row.sealed)?;
        let secret = Secret::from_slice(&bytes).ok_or(RowRefused::Unreadable { table: TABLE })?;
        Ok(Self(Locked::new(NameKey::new(secret))))
    }
}

impl Keyring {
    /// The blind lookups of the organization that `permit` is for.
    pub async fn names<A: Action>(
        &self,
        permit: &Permit<A>,
    ) -> Result<Arc<NameIndex>, KeyringError> {
        self.name_index(permit.org()).await
    }

    /// The blind lookups of the organization that a background job works in.
    pub async fn names_for_job(&self, job: &JobCatalog) -> Result<Arc<NameIndex>, KeyringError> {
        self.name_index(job.org()).await
    }

    /// A blind name under the platform's name key.
    pub async fn platform_lookup(&self, kind: &str, name: &[u8]) -> Result<[u8; 32], KeyringError> {
        Ok(self.platform_names().await?.lookup(kind, name))
    }

    /// The platform's blind lookups.
    pub(super) async fn platform_names(&self) -> Result<Arc<NameIndex>, KeyringError> {
        self.name_index(OrgId::PLATFORM).await
    }

    /// The blind name under which the credential directory keeps an access key.
    pub async fn access_key_lookup(&self, id: &AccessKeyId) -> Result<[u8; 32], KeyringError> {
        self.platform_lookup(ACCESS_KEY, id.as_str().as_bytes())
            .await
    }

    /// Makes the platform's name key, unless it has one.
    pub async fn provision_platform_names(&self) -> Result<(), KeyringError> {
        let org = OrgId::PLATFORM;
        let platform = self.open_platform().await?;
        if self.catalog.name_key(org).await?.is_some() {
            return Ok(());
        }
        let (row, _) = self.fresh_names(&platform)?;
        match self.catalog.commit(org, Mutation::CreateNameKey(row)).await {
            // Another process was first; its key is the platform's.
            Ok(_) | Err(CommitError::Conflict(Conflict::Exists)) => Ok(()),
            Err(CommitError::Conflict(conflict)) => Err(KeyringError::NotMade(conflict)),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// A random name key: its row to commit, and what looks up with it.
    pub(super) fn fresh_names(
        &self,
        keys: &OrgKeys,
    ) -> Result<(NameKeyRow, NameIndex), RowRefused> {
        let org = keys.org();
        let key = NameKey::generate(&Chance(&self.entropy))?;
        let row = NameKeyRow {
            org,
            sealed: keys.seal_record(record(&[org.bytes()]), key.expose())?,
            key_version: keys.newest_version(),
        };
        Ok((row, NameIndex(Locked::new(key))))
    }

    /// Kept beside the organization's keys, and dropped with them.
    async fn name_index(&self, org: OrgId) -> Result<Arc<NameIndex>, KeyringError> {
        let stamps = self.stamps(org);
        if let Some(names) = self.slot(org, stamps).and_then(|slot| slot.names()) {
            return Ok(names);
        }
        let keys = self.keys_of(org).await?;
        let row = self.catalog.name_key(org).await?;
        let row = row.ok_or(KeyringError::NoNameKey)?;
        let names = Arc::new(NameIndex::open(&keys, &row)?);
        if let Some(slot) = self.slot(org, stamps) {
            slot.hold_names(&names);
        }
        Ok(names)
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

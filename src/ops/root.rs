use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use names::NodeId;
use serde::Serialize;

use super::OpsError;
use super::lock::Lock;
use super::scrub::scrub;
use crate::authz::Operator;
use crate::catalog::{Jobs, PlatformCatalog};
use crate::clock::Clock;
use crate::keyring::{Keyring, KeyringError, Rewrapped, RootFileError, RotationError};

/// Rotates the root key: a new version, under which every organization's key is wrapped again. No
/// data moves.
pub struct RootRotation {
    jobs: Jobs,
    platform: PlatformCatalog,
    keyring: Arc<Keyring>,
    node: NodeId,
    clock: Clock,
}

/// What a rotation of the root did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootRotated {
    /// Which root.
    pub root: String,
    /// The version that wraps.
    pub version: u32,
    /// All versions that the file holds.
    pub versions: Vec<u32>,
    /// How many keys were wrapped again.
    pub rewrapped: u64,
    /// Keys that could not be: what is stored is not what was written, or its root is not at hand.
    pub left: Vec<String>,
}

/// What the destruction of a root version did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootDestroyed {
    /// Which root.
    pub root: String,
    /// The version that is gone from the file.
    pub destroyed: u32,
    /// Those that are left.
    pub versions: Vec<u32>,
    /// Whether old wrapped keys are gone from the catalog's pages and log; if not, why.
    pub scrub_failed: Option<String>,
}

impl RootRotation {
    /// What rotates on behalf of this process.
    pub fn new(
        jobs: Jobs,
        platform: PlatformCatalog,
        keyring: Arc<Keyring>,
        node: NodeId,
        clock: Clock,
    ) -> Self {
        Self {
            jobs,
            platform,
            keyring,
            node,
            clock,
        }
    }

    /// Adds a version to the root key file and wraps every key under it.
    pub async fn rotate(&self, _operator: &Operator) -> Result<RootRotated, OpsError> {
        let mut lock = self.lock().await?;
        let outcome = match self.keyring.rotate_root().await {
            Ok(_) => self.rewrap_all(&mut lock).await,
            Err(error) => Err(error.into()),
        };
        lock.release().await;
        outcome
    }

    /// Wraps every key under the newest version: ends a rotation that did not come to its end.
    pub async fn rewrap(&self, _operator: &Operator) -> Result<RootRotated, OpsError> {
        let mut lock = self.lock().await?;
        let outcome = self.rewrap_all(&mut lock).await;
        lock.release().await;
        outcome
    }

    /// Removes a version from the root key file, and with it every copy of a key that it wrapped:
    /// those in old backups, and those of destroyed organizations.
    ///
    /// # Errors
    ///
    /// [`OpsError::RootInUse`] while a key in the catalog is wrapped by it or by an older version;
    /// [`RootFileError::Newest`] for the one that wraps.
    pub async fn destroy_version(
        &self,
        _operator: &Operator,
        version: u32,
    ) -> Result<RootDestroyed, OpsError> {
        let mut lock = self.lock().await?;
        let outcome = self.destroy(&mut lock, version).await;
        lock.release().await;
        outcome
    }

    async fn lock(&self) -> Result<Lock, OpsError> {
        Lock::demand(&self.jobs, "root".to_owned(), self.node, &self.clock).await
    }

    async fn rewrap_all(&self, lock: &mut Lock) -> Result<RootRotated, OpsError> {
        let mut rewrapped = 0;
        let mut left = BTreeSet::new();
        loop {
            lock.keep().await?;
            let (root, versions) = self.keyring.root_versions();
            let version = versions.last().copied().unwrap_or_default();
            let max = BATCH.saturating_add(u32::try_from(left.len()).unwrap_or(u32::MAX));
            let rows = self
                .platform
                .org_keys_wrapped_before(root, version, max)
                .await?;
            let mut found = false;
            for row in rows {
                let name = {
                    let row = row.unverified();
                    format!("org_keys {} {}", row.org, row.version)
                };
                if left.contains(&name) {
                    continue;
                }
                found = true;
                match self.keyring.rewrap_key(row).await {
                    Ok(Rewrapped::Done) => rewrapped += 1,
                    Ok(Rewrapped::Changed) => {}
                    Err(RotationError::Keyring(
                        reason @ (KeyringError::Refused(_) | KeyringError::NoRoot { .. }),
                    )) => {
                        tracing::error!(key = %name, %reason, "left under the old root version");
                        left.insert(name);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            if !found {
                return Ok(RootRotated {
                    root: root.to_string(),
                    version,
                    versions,
                    rewrapped,
                    left: left.into_iter().collect(),
                });
            }
        }
    }

    async fn destroy(&self, lock: &mut Lock, version: u32) -> Result<RootDestroyed, OpsError> {
        let (_, versions) = self.keyring.root_versions();
        if versions.last() == Some(&version) {
            return Err(RootFileError::Newest.into());
        }
        self.refuse_while_used(version).await?;
        // A process that read the root file just before it was rotated may be about to commit a
        // key that it wrapped under this version; its transaction ends within this time.
        tokio::time::sleep(QUIET).await;
        lock.keep().await?;
        self.refuse_while_used(version).await?;
        if !self.keyring.danger_destroy_root_version(version).await? {
            return Err(OpsError::NoRootVersion { version });
        }
        let scrubbed = scrub(&self.jobs).await;
        let (root, versions) = self.keyring.root_versions();
        Ok(RootDestroyed {
            root: root.to_string(),
            destroyed: version,
            versions,
            scrub_failed: scrubbed.err().map(|error| error.to_string()),
        })
    }

    async fn refuse_while_used(&self, version: u32) -> Result<(), OpsError> {
        let (root, _) = self.keyring.root_versions();
        let rows = self
            .platform
            .org_keys_wrapped_before(root, version.saturating_add(1), FOREIGN_MAX)
            .await?;
        let keys = rows
            .iter()
            .filter(|row| row.unverified().root == root)
            .count();
        // A full page may hide keys of this root behind those of another one.
        if keys > 0 || rows.len() >= FOREIGN_MAX as usize {
            return Err(OpsError::RootInUse { version, keys });
        }
        Ok(())
    }
}

/// How many keys are looked up at a time.
const BATCH: u32 = 64;

/// How many keys of other roots than this one may lie around before nothing is destroyed any more.
const FOREIGN_MAX: u32 = 10_000;

/// Transactions end within it.
const QUIET: Duration = Duration::from_secs(5);

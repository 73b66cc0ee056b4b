use std::sync::PoisonError;

use envelope::wrap_kek;
use names::RootId;

use super::org_keys::RowRefused;
use super::random::Chance;
use super::ring::{Keyring, KeyringError};
use super::root_file::RootFileError;
use crate::catalog::{
    Authenticated, CatalogError, CommitError, Conflict, JobCatalog, KeyState, Mutation, OrgKeyRow,
    RowTag, Unverified,
};

/// A version of an organization's key, as its verified row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyVersion {
    /// Which.
    pub version: u32,
    /// Whether it takes writes.
    pub state: KeyState,
    /// The root version that wraps it.
    pub root_version: u32,
}

/// What became of a wrapped key that was to be wrapped again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrapped {
    /// It stands under the newest root version now.
    Done,
    /// Its row was changed or deleted meanwhile: look again.
    Changed,
}

/// Why a key was not rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// Keys cannot be had.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The root key file cannot be used.
    #[error(transparent)]
    Root(#[from] RootFileError),
    /// The catalog refused.
    #[error("the key's row was not written: {0}")]
    Conflict(Conflict),
    /// The organization has no such version.
    #[error("the organization's key has no version {version}")]
    NoVersion {
        /// Which was asked for.
        version: u32,
    },
    /// There is no version after the newest.
    #[error("the versions of the organization's key are used up")]
    Exhausted,
    /// Closing it would leave none that takes writes.
    #[error("version {version} is the only one that takes writes")]
    Last {
        /// Which was to be closed.
        version: u32,
    },
}

impl Keyring {
    /// The versions of the key of the job's organization, ascending.
    pub async fn versions(&self, job: &JobCatalog) -> Result<Vec<KeyVersion>, RotationError> {
        let rows = self.verified(job).await?;
        Ok(rows
            .iter()
            .map(|(_, row)| KeyVersion {
                version: row.version,
                state: row.state,
                root_version: row.root_version,
            })
            .collect())
    }

    /// Adds the next version of the key of the job's organization, which takes the writes from
    /// now on.
    ///
    /// # Errors
    ///
    /// [`Conflict::Exists`] when another process was first.
    pub async fn add_version(&self, job: &JobCatalog) -> Result<u32, RotationError> {
        let rows = self.verified(job).await?;
        let (_, newest) = rows.last().ok_or(KeyringError::NoKey)?;
        let version = newest.version.checked_add(1).ok_or(RotationError::Last {
            version: newest.version,
        })?;
        let kek = self.fresh(job.org(), version)?;
        let row = self.wrapped(&kek).await?;
        // Also the platform's own next version stands under the one before until that is rewrapped:
        // no commit is asked to believe a key that is not there yet.
        let key = self.authenticated(row).await?;
        self.commit_key(job, Mutation::AddKey(key)).await?;
        Ok(version)
    }

    /// Closes a version of the key of the job's organization: no commit may name it any more.
    /// Closing it again changes nothing.
    pub async fn close_version(&self, job: &JobCatalog, version: u32) -> Result<(), RotationError> {
        self.end_writes(job, version, KeyState::Closed).await
    }

    /// Closes a version of the key of the job's organization that somebody else has, if it is not
    /// closed yet: what it ever wrapped is to be sealed anew. Done again, it changes nothing.
    pub async fn condemn_version(
        &self,
        job: &JobCatalog,
        version: u32,
    ) -> Result<(), RotationError> {
        self.end_writes(job, version, KeyState::Leaked).await
    }

    /// Puts a version into a state in which no commit may name it. A key that has leaked stays
    /// one that has.
    async fn end_writes(
        &self,
        job: &JobCatalog,
        version: u32,
        state: KeyState,
    ) -> Result<(), RotationError> {
        let rows = self.verified(job).await?;
        let is_open = |row: &OrgKeyRow| row.state == KeyState::Open;
        if !rows
            .iter()
            .any(|(_, row)| is_open(row) && row.version != version)
        {
            return Err(RotationError::Last { version });
        }
        let (old, row) = rows
            .into_iter()
            .find(|(_, row)| row.version == version)
            .ok_or(RotationError::NoVersion { version })?;
        if row.state == state || row.state == KeyState::Leaked {
            return Ok(());
        }
        let sequence = row.sequence + 1;
        let new = self
            .authenticated(OrgKeyRow {
                state,
                sequence,
                ..row
            })
            .await?;
        self.commit_key(job, Mutation::ReplaceKey { old, new })
            .await
    }

    /// Wraps a wrapped key again under the newest root version: its row is verified and the key
    /// unwrapped before. The row is compared and set, so that a destroyed key does not come back.
    pub async fn rewrap_key(&self, row: Unverified<OrgKeyRow>) -> Result<Rewrapped, RotationError> {
        let old = row.tag();
        let platform = self.open_platform().await?;
        let row = platform.verify(row).map_err(KeyringError::from)?;
        let (kek, _) = self.unwrap(row.org, &row)?;
        let (wrapped, root, root_version) = {
            let root = self.root.read().unwrap_or_else(PoisonError::into_inner);
            let wrapped = wrap_kek(root.newest(), &kek, &Chance(&self.entropy))
                .map_err(|error| KeyringError::from(RowRefused::from(error)))?;
            (wrapped, root.id(), root.newest().version())
        };
        let org = row.org;
        let sequence = row.sequence + 1;
        let new = self
            .authenticated(OrgKeyRow {
                wrapped,
                root,
                root_version,
                sequence,
                ..row
            })
            .await?;
        let committed = self
            .catalog
            .commit(org, Mutation::ReplaceKey { old, new })
            .await;
        self.forget(org);
        match committed {
            Ok(_) => Ok(Rewrapped::Done),
            Err(CommitError::Conflict(Conflict::Changed)) => Ok(Rewrapped::Changed),
            Err(error) => Err(error.into()),
        }
    }

    /// Which root wraps keys, and its versions at hand, oldest first.
    pub fn root_versions(&self) -> (RootId, Vec<u32>) {
        let root = self.root.read().unwrap_or_else(PoisonError::into_inner);
        (root.id(), root.versions().collect())
    }

    /// Appends a version to the root key file, which wraps from now on. The caller holds the lock
    /// that keeps other processes from doing the same.
    pub async fn rotate_root(&self) -> Result<u32, RotationError> {
        self.follow_root().await;
        let mut root = self.root.write().unwrap_or_else(PoisonError::into_inner);
        Ok(root.rotate(&self.entropy)?)
    }

    /// Removes a version from the root key file for good: what it alone wraps can never be opened
    /// again. Returns whether it was there.
    pub async fn danger_destroy_root_version(&self, version: u32) -> Result<bool, RotationError> {
        self.follow_root().await;
        let mut root = self.root.write().unwrap_or_else(PoisonError::into_inner);
        Ok(root.danger_destroy(version)?)
    }

    /// The rows of the job's organization with the tags that they carried.
    async fn verified(&self, job: &JobCatalog) -> Result<Vec<(RowTag, OrgKeyRow)>, KeyringError> {
        let platform = self.open_platform().await?;
        let rows = self.catalog.org_keys(job.org()).await?;
        rows.into_iter()
            .map(|row| Ok((row.tag(), platform.verify(row)?)))
            .collect()
    }

    async fn authenticated(
        &self,
        row: OrgKeyRow,
    ) -> Result<Authenticated<OrgKeyRow>, KeyringError> {
        Ok(self.open_platform().await?.authenticate(row)?)
    }

    async fn commit_key(&self, job: &JobCatalog, mutation: Mutation) -> Result<(), RotationError> {
        let committed = job.commit(mutation).await;
        self.forget(job.org());
        Ok(committed.map(drop)?)
    }
}

impl From<CommitError> for RotationError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict(conflict) => Self::Conflict(conflict),
            CommitError::Store(error) => Self::from(error),
        }
    }
}

impl From<CatalogError> for RotationError {
    fn from(error: CatalogError) -> Self {
        Self::Keyring(error.into())
    }
}

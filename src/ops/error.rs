use names::OrgId;

use super::checkpoint::CheckpointError;
use crate::audit::AuditError;
use crate::blobs::BlobError;
use crate::catalog::{CatalogError, CommitError, Conflict};
use crate::drive::DriveError;
use crate::keyring::{KeyringError, RootFileError, RotationError, RowRefused};

/// Why a job of the operator's did not come to its end. Every one of them may be started again.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// Nothing has this name or identifier.
    #[error("no such organization")]
    NoSuchOrganization,
    /// There is nothing to rotate: the organization was destroyed.
    #[error("the organization has no key: it was destroyed")]
    NoKeys,
    /// Another process has the lock of this job.
    #[error(
        "`{job}` runs in another process, or one that ended in its middle still has the lock: try again in {seconds} s"
    )]
    Busy {
        /// The job.
        job: String,
        /// How long a lock outlives its holder.
        seconds: u32,
    },
    /// The lock went to another process before the job was done.
    #[error("`{job}` has lost its lock to another process")]
    LockLost {
        /// The job.
        job: String,
    },
    /// The organization was changed by somebody else meanwhile.
    #[error("the organization was changed meanwhile")]
    Changed,
    /// A round of a rotation changed nothing, again and again.
    #[error("what names version {version} of the key of {org} does not become less")]
    Stuck {
        /// Whose key.
        org: OrgId,
        /// The version to be given up.
        version: u32,
    },
    /// A root version still wraps keys.
    #[error(
        "version {version} of the root, or one before it, still wraps {keys} or more keys: run `bulkhead root rewrap` first"
    )]
    RootInUse {
        /// The root version.
        version: u32,
        /// How many keys were seen.
        keys: usize,
    },
    /// The root has no such version.
    #[error("the root has no version {version}")]
    NoRootVersion {
        /// Which was asked for.
        version: u32,
    },
    /// A row is not what was written.
    #[error(transparent)]
    Refused(#[from] RowRefused),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The catalog refused a change, for a reason that this job cannot meet.
    #[error("the catalog refused a change: {0}")]
    Conflict(Conflict),
    /// The platform's log cannot be written.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Keys cannot be had.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A key was not rotated.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// The checkpoint file cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A body could not be sealed anew.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The blob store failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

impl From<CommitError> for OpsError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict(conflict) => Self::Conflict(conflict),
            CommitError::Store(error) => Self::Catalog(error),
        }
    }
}

impl From<RootFileError> for OpsError {
    fn from(error: RootFileError) -> Self {
        Self::Rotation(error.into())
    }
}

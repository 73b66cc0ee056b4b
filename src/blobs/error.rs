use std::io;

use names::{BlobId, OrgId};

/// Why a blob could not be written, read, listed or deleted.
///
/// The texts are for the operator's log; no door shows them. They hold identifiers, paths below
/// the store's root and the backend's own words, never content.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No blob has this name. On a name that the catalog holds this is damage; on a remote store
    /// it may also mean that the blob was collected since the row was read.
    #[error("blob {org}/{blob} does not exist")]
    NotFound {
        /// The organization it was looked for under.
        org: OrgId,
        /// The blob.
        blob: BlobId,
    },
    /// The backend has no room left (ENOSPC, EDQUOT, a quota of the object store). What was
    /// written of the blob is gone. The operator's turn; worth a retry once there is room.
    #[error("no room left for blobs: {0}")]
    Full(String),
    /// The backend does not answer, answers with an error of its own, or refuses the
    /// credentials. The operator's turn; worth a retry.
    #[error("the blob store is unavailable: {0}")]
    Unavailable(String),
    /// The blob is there but is not what was written: it ends before the range that was asked.
    #[error("blob {org}/{blob} is damaged: {reason}")]
    Damaged {
        /// The organization it belongs to.
        org: OrgId,
        /// The blob.
        blob: BlobId,
        /// What was seen.
        reason: String,
    },
    /// A blob of this name exists already. Names are random and used once, so this is our
    /// mistake. Only the disk notices it.
    #[error("blob {org}/{blob} exists already")]
    Exists {
        /// The organization it belongs to.
        org: OrgId,
        /// The blob.
        blob: BlobId,
    },
}

impl BlobError {
    /// Judges an error of the file system that no blob's name explains.
    pub(super) fn from_io(doing: &str, error: &io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Self::Full(format!("{doing}: {error}")),
            _ => Self::Unavailable(format!("{doing}: {error}")),
        }
    }

    /// Judges an error of the file system about one blob.
    pub(super) fn from_blob_io(org: OrgId, blob: BlobId, doing: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { org, blob },
            io::ErrorKind::AlreadyExists => Self::Exists { org, blob },
            _ => Self::from_io(&format!("{doing} blob {org}/{blob}"), error),
        }
    }

    /// Judges an error of an object store.
    ///
    /// The crate keeps the response behind its own types, so that a full store and a missing
    /// bucket (which also answers 404) are told from their error codes in the text.
    pub(super) fn from_object_store(doing: &str, error: &object_store::Error) -> Self {
        let text = format!("{doing}: {error}");
        match FULL_CODES.iter().any(|code| text.contains(code)) {
            true => Self::Full(text),
            false => Self::Unavailable(text),
        }
    }

    /// Judges an error of an object store about one blob.
    pub(super) fn from_blob_object_store(
        org: OrgId,
        blob: BlobId,
        doing: &str,
        error: &object_store::Error,
    ) -> Self {
        match error {
            object_store::Error::NotFound { .. } if !error.to_string().contains("NoSuchBucket") => {
                Self::NotFound { org, blob }
            }
            _ => Self::from_object_store(&format!("{doing} blob {org}/{blob}"), error),
        }
    }

    /// A task of ours on the blocking pool did not end: it panicked, or the runtime is stopping.
    pub(super) fn from_join(error: &tokio::task::JoinError) -> Self {
        Self::Unavailable(format!("a task of the blob store was cut short: {error}"))
    }
}

/// Error codes by which object stores say that they are full: HTTP 507, Ceph and R2, MinIO.
const FULL_CODES: [&str; 4] = [
    "507 Insufficient Storage",
    "<Code>QuotaExceeded",
    "<Code>XMinioStorageFull",
    "<Code>XMinioAdminBucketQuotaExceeded",
];

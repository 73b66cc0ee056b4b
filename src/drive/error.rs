use std::fmt::Display;

use tokio::task::JoinError;

use super::{IncomingError, ObjectInfo};
use crate::authz::Limit;
use crate::blobs::BlobError;
use crate::catalog::{CatalogError, Conflict, Meter};
use crate::keyring::{KeyringError, RowRefused};

/// Why the Drive did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    // The caller's turn.
    /// No such bucket in the caller's organization.
    #[error("no such bucket")]
    NoSuchBucket,
    /// No such object in the bucket.
    #[error("no such key")]
    NoSuchKey,
    /// No such upload in progress, or a part number that was not uploaded.
    #[error("no such upload")]
    NoSuchUpload,
    /// A bucket of this name exists in the caller's organization.
    #[error("the bucket exists")]
    BucketExists,
    /// The bucket holds objects.
    #[error("the bucket is not empty")]
    BucketNotEmpty,
    /// A condition of the request does not hold; the header that carried it.
    #[error("the condition {condition} does not hold")]
    PreconditionFailed {
        /// The header, as the S3 API spells it.
        condition: &'static str,
    },
    /// A conditional read found nothing new. Carries what a 304 has to say.
    #[error("not modified")]
    NotModified(Box<ObjectInfo>),
    /// A conditional write lost a race: 409, worth a retry.
    #[error("a conflicting conditional operation is under way")]
    ConditionalConflict,
    /// The range lies outside the object.
    #[error("the range is not satisfiable")]
    InvalidRange {
        /// The object's size, bytes.
        size: u64,
    },
    /// The part asked for by number is not there.
    #[error("the part number is not satisfiable")]
    InvalidPartNumber,
    /// A part of a completion is not there, or is not the one named.
    #[error("a part is not there or has another ETag")]
    InvalidPart,
    /// The parts of a completion do not ascend.
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    /// A part other than the last is below 5 MiB.
    #[error("a part is too small")]
    EntityTooSmall,
    /// The body or object is longer than the API allows.
    #[error("the body is too large")]
    EntityTooLarge,
    /// The bytes are not those that `Content-MD5` or a checksum names.
    #[error("the body does not match its {0}")]
    BadDigest(&'static str),
    /// The bytes are not those that the signature covers.
    #[error("the body is not the one that was signed")]
    Sha256Mismatch,
    /// A copy onto itself that changes nothing, or another use that the API refuses.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// More would be stored than the organization's plan allows.
    #[error("more would be stored than the plan allows by the limit {0}")]
    OverLimit(Limit),
    /// A value that the API refuses.
    #[error("{0}")]
    InvalidArgument(&'static str),
    /// The body did not come to its end.
    #[error(transparent)]
    Incoming(#[from] IncomingError),

    // The operator's turn: 503, worth a retry.
    /// The catalog, the blob store or the root key is unavailable, or full. The text is for the
    /// log.
    #[error("unavailable: {0}")]
    Unavailable(String),

    // Ours, or an attacker's who can write to the store: an error and a log entry.
    /// A row, record or blob is not what was written. The text is for the log.
    #[error("damaged: {0}")]
    Damaged(String),
}

impl DriveError {
    /// What the catalog or the blob store returned is not what was written. Names identifiers
    /// only: the text is for the log.
    pub(super) fn damaged(what: impl Display, reason: impl Display) -> Self {
        Self::Damaged(format!("{what}: {reason}"))
    }

    /// Nothing could be sealed or authenticated. What is new fails only without randomness.
    pub(super) fn sealing(refused: RowRefused) -> Self {
        Self::Unavailable(format!("sealing failed: {refused}"))
    }

    /// A change lost to others, or met a closed key, as often as it may be tried.
    pub(super) fn contended() -> Self {
        Self::Unavailable("a change met another at every attempt".to_owned())
    }

    /// The catalog refused a mutation: for lack of room, or for a reason that it does not give for
    /// such a one.
    pub(super) fn refused(conflict: &Conflict) -> Self {
        match conflict {
            Conflict::OverLimit {
                meter: Meter::Objects,
            } => Self::OverLimit(Limit::Objects),
            Conflict::OverLimit { .. } => Self::OverLimit(Limit::StoredBytes),
            other => Self::Unavailable(format!("the catalog refuses a change: {other}")),
        }
    }
}

impl From<CatalogError> for DriveError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Full | CatalogError::Unavailable(_) => {
                Self::Unavailable(error.to_string())
            }
            CatalogError::Damaged(_) => Self::Damaged(error.to_string()),
        }
    }
}

impl From<BlobError> for DriveError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Full(_) | BlobError::Unavailable(_) => Self::Unavailable(error.to_string()),
            BlobError::NotFound { .. } | BlobError::Damaged { .. } | BlobError::Exists { .. } => {
                Self::Damaged(error.to_string())
            }
        }
    }
}

impl From<KeyringError> for DriveError {
    fn from(error: KeyringError) -> Self {
        match error {
            // Destroyed since the permit was made, or the root key file lacks a key.
            KeyringError::NoKey
            | KeyringError::NoNameKey
            | KeyringError::NoRoot { .. }
            | KeyringError::NotMade(_) => Self::Unavailable(error.to_string()),
            KeyringError::Refused(_) => Self::Damaged(error.to_string()),
            KeyringError::Catalog(error) => error.into(),
        }
    }
}

/// A task of ours on the blocking pool did not end: it panicked, or the runtime is stopping.
impl From<JoinError> for DriveError {
    fn from(error: JoinError) -> Self {
        Self::Unavailable(format!("a task was cut short: {error}"))
    }
}

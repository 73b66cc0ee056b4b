use std::fmt::Display;

use super::model::GoneVersion;
use crate::catalog::{CatalogError, Conflict};
use crate::keyring::{KeyringError, RowRefused};

/// Why the vault did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    // The caller's turn.
    /// No such secret in the caller's organization.
    #[error("no such secret")]
    NoSuchSecret,
    /// The secret has no such version, or none with that stage.
    #[error("no such version")]
    NoSuchVersion,
    /// The version is deleted or destroyed: what is left of it.
    #[error("the version is deleted")]
    VersionGone(Box<GoneVersion>),
    /// The organization has a secret at this path.
    #[error("the secret exists")]
    Exists,
    /// The secret is scheduled for deletion: it can be restored, and nothing else.
    #[error("the secret is scheduled for deletion")]
    Deleted,
    /// The secret is not scheduled for deletion.
    #[error("the secret is not scheduled for deletion")]
    NotDeleted,
    /// Another version is current than the caller has seen.
    #[error("version {current} is current")]
    CheckFailed {
        /// The current one; 0 if there is none.
        current: u64,
    },
    /// The secret takes writes only with a check.
    #[error("the secret takes writes only with a check of its version")]
    CheckRequired,
    /// The token of a write that was done before, with another value.
    #[error("the token was used for another value")]
    TokenReused,
    /// A stage was to be taken from a version that does not carry it.
    #[error("the stage is at another version")]
    StageElsewhere,
    /// AWSCURRENT is moved and never taken away.
    #[error("a stage that is always somewhere cannot be taken away")]
    StageNeeded,
    /// There are as many secrets as the plan allows.
    #[error("the plan allows {max} secrets")]
    LimitReached {
        /// How many.
        max: u64,
    },
    /// There are as many share links as there may be at a time.
    #[error("an organization has at most 10,000 share links at a time")]
    TooManyShares,
    /// What was given is longer, or more, or other than it may be.
    #[error("{text}")]
    Invalid {
        /// Of what.
        field: Field,
        /// How it may be.
        text: &'static str,
    },
    /// Others changed it at every attempt.
    #[error("it was changed meanwhile")]
    Changed,
    /// The link is unknown, used up, or has ended: one answer.
    #[error("the link does not open anything")]
    NoSuchShare,

    // The operator's turn.
    /// The catalog or a key is unavailable. The text is for the log.
    #[error("unavailable: {0}")]
    Unavailable(String),

    // Ours, or an attacker's who can write to the catalog.
    /// A row or record is not what was written. The text is for the log.
    #[error("damaged: {0}")]
    Damaged(String),
}

/// What a call gives that may be invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// What a secret is for.
    Description,
    /// Its tags.
    Tags,
    /// Its names and values as HashiCorp Vault has them.
    Custom,
    /// How many versions are kept.
    VersionsMax,
    /// A value.
    Value,
    /// What makes a write idempotent.
    Token,
    /// The stages of a version.
    Stages,
    /// Of which characters a password is made.
    PasswordCharacters,
    /// How many characters a password has.
    PasswordLength,
}

impl VaultError {
    /// What `field` may be, and is not.
    pub(super) fn invalid(field: Field, text: &'static str) -> Self {
        Self::Invalid { field, text }
    }

    /// What the catalog returned is not what was written. Names identifiers only.
    pub(super) fn damaged(what: impl Display) -> Self {
        Self::Damaged(what.to_string())
    }
}

impl From<CatalogError> for VaultError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Full | CatalogError::Unavailable(_) => {
                Self::Unavailable(error.to_string())
            }
            CatalogError::Damaged(_) => Self::Damaged(error.to_string()),
        }
    }
}

impl From<KeyringError> for VaultError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::NoKey
            | KeyringError::NoNameKey
            | KeyringError::NoRoot { .. }
            | KeyringError::NotMade(_) => Self::Unavailable(error.to_string()),
            KeyringError::Refused(_) => Self::Damaged(error.to_string()),
            KeyringError::Catalog(error) => error.into(),
        }
    }
}

impl From<RowRefused> for VaultError {
    fn from(refused: RowRefused) -> Self {
        Self::Damaged(refused.to_string())
    }
}

/// A conflict that the change at hand has no better name for.
impl From<Conflict> for VaultError {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::LimitReached { max, .. } => Self::LimitReached { max },
            Conflict::Changed | Conflict::KeyClosed { .. } => Self::Changed,
            other => Self::Unavailable(format!("the catalog refuses a change: {other}")),
        }
    }
}

use crate::catalog::{CatalogError, Conflict};
use crate::keyring::{KeyringError, RowRefused};

/// Why tenancy did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum TenancyError {
    /// No such organization.
    #[error("no such organization")]
    NoSuchOrganization,
    /// No such access key in the organization.
    #[error("no such access key")]
    NoSuchAccessKey,
    /// The slug is taken.
    #[error("the slug is taken")]
    SlugTaken,
    /// Somebody else changed it meanwhile.
    #[error("it was changed meanwhile")]
    Changed,
    /// The organization's state does not allow it.
    #[error("the organization is {0}")]
    State(&'static str),
    /// The catalog or a key cannot be had. The text is for the log.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A row is not what was written. The text is for the log.
    #[error("damaged: {0}")]
    Damaged(String),
}

impl From<CatalogError> for TenancyError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Damaged(what) => Self::Damaged(what),
            CatalogError::Full | CatalogError::Unavailable(_) => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

impl From<KeyringError> for TenancyError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Refused(refused) => refused.into(),
            KeyringError::Catalog(error) => error.into(),
            KeyringError::NoKey
            | KeyringError::NoNameKey
            | KeyringError::NoRoot { .. }
            | KeyringError::NotMade(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<RowRefused> for TenancyError {
    fn from(refused: RowRefused) -> Self {
        Self::Damaged(refused.to_string())
    }
}

/// A conflict that the mutation at hand has no better name for.
impl From<Conflict> for TenancyError {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::Changed | Conflict::Stale { .. } | Conflict::KeyClosed { .. } => {
                Self::Changed
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

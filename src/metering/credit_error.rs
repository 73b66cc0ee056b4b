use crate::catalog::CatalogError;
use crate::keyring::{KeyringError, RowRefused};

/// Why something was not done to an organization's credit.
#[derive(Debug, thiserror::Error)]
pub enum CreditError {
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(&'static str),
    /// Another grant has this reference.
    #[error("the reference is that of another grant")]
    ReferenceUsed,
    /// Others changed it at every attempt.
    #[error("it was changed meanwhile")]
    Changed,
    /// The catalog or a key cannot be had. The text is for the log.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A row is not what was written, or the ledger does not add up. The text is for the log.
    #[error("damaged: {0}")]
    Damaged(String),
}

impl From<CatalogError> for CreditError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Damaged(what) => Self::Damaged(what),
            CatalogError::Full | CatalogError::Unavailable(_) => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

impl From<KeyringError> for CreditError {
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

impl From<RowRefused> for CreditError {
    fn from(refused: RowRefused) -> Self {
        Self::Damaged(refused.to_string())
    }
}

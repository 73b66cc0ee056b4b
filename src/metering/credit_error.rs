use crate::keyring::StorageError;

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

impl<E: Into<StorageError>> From<E> for CreditError {
    fn from(error: E) -> Self {
        match error.into() {
            StorageError::Unavailable(cause) => Self::Unavailable(cause),
            StorageError::Damaged(what) => Self::Damaged(what),
        }
    }
}

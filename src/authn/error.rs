use wire::sigv4::{Carrier, SigV4Error};

use crate::catalog::CatalogError;
use crate::keyring::{KeyringError, RowRefused};

/// Why a request is not authenticated.
#[derive(Debug, thiserror::Error)]
pub enum AuthnError {
    /// It carries no signature at all.
    #[error("the request is not signed")]
    Anonymous,
    /// The signature, or what it must cover, is not right.
    #[error(transparent)]
    Signature(#[from] SigV4Error),
    /// The session token is not that of the access key, or the access key has none.
    #[error("the session token is not that of the access key")]
    InvalidToken,
    /// The session of STS has ended. Told only to whoever holds it.
    #[error("the session has ended")]
    ExpiredToken,
    /// The bearer token is malformed, not known, revoked or expired. One answer.
    #[error("the token is not known")]
    UnknownToken,
    /// The access key is not known, revoked, or of an organization that is gone. One answer, after
    /// the work of a wrong signature.
    #[error("the access key is not known")]
    UnknownAccessKey,
    /// Signed for another region or service.
    #[error("the {part} '{presented}' is wrong; expecting '{expected}'")]
    WrongScope {
        /// `region` or `service`.
        part: &'static str,
        /// What the signature names: 1 to 64 letters, digits and `-`.
        presented: String,
        /// What it has to name.
        expected: String,
        /// Where it was presented.
        carrier: Carrier,
    },
    /// The row of the access key is not what was written: tampering or damage. The caller is
    /// answered as for [`UnknownAccessKey`](Self::UnknownAccessKey); the text is for the
    /// platform's log.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The catalog or a key cannot be had: the operator's turn. The text is for the log.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

impl AuthnError {
    /// By which rule the caller is refused, for logs: into these goes nothing that strangers write.
    pub fn rule(&self) -> String {
        match self {
            Self::WrongScope { part, .. } => format!("signed for another {part}"),
            other => other.to_string(),
        }
    }
}

impl From<CatalogError> for AuthnError {
    fn from(error: CatalogError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<KeyringError> for AuthnError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Refused(refused) => refused.into(),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<RowRefused> for AuthnError {
    fn from(refused: RowRefused) -> Self {
        Self::Damaged(refused.to_string())
    }
}

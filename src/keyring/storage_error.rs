use super::{KeyringError, RowRefused};
use crate::catalog::CatalogError;

/// What catalog, keys or rows failed a domain module by: whose turn it is. The texts are for the
/// log.
///
/// A module's own error takes it apart into kinds of its own, so that a door can tell them without
/// naming what stores and seals.
#[derive(Debug)]
pub enum StorageError {
    /// The catalog or a key cannot be had: the operator's turn.
    Unavailable(String),
    /// What was stored is not what was written: ours, or an attacker's who can write to the
    /// catalog.
    Damaged(String),
}

impl From<CatalogError> for StorageError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Damaged(what) => Self::Damaged(what),
            CatalogError::Full | CatalogError::Unavailable(_) => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

impl From<KeyringError> for StorageError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Refused(refused) => refused.into(),
            KeyringError::Catalog(error) => error.into(),
            // Destroyed meanwhile, or the root key file lacks a key.
            KeyringError::NoKey
            | KeyringError::NoNameKey
            | KeyringError::NoRoot { .. }
            | KeyringError::NotMade(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<RowRefused> for StorageError {
    fn from(refused: RowRefused) -> Self {
        Self::Damaged(refused.to_string())
    }
}

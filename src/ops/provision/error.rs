use std::io;
use std::path::PathBuf;

use crate::audit::AuditError;
use crate::catalog::CatalogError;
use crate::keyring::{KeyringError, RootFileError, RowRefused};
use crate::ops::AdministrationError;
use crate::tenancy::TenancyError;

/// Why the program cannot start on this catalog.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The catalog holds keys, and the file that opens them is not there. A fresh one would open
    /// nothing, and hide that the right one is missing.
    #[error(
        "the root key file {} is missing, and the catalog holds keys that only it opens: put it \
         back from its backup",
        path.display()
    )]
    RootMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The root key file cannot be used.
    #[error(transparent)]
    Root(#[from] RootFileError),
    /// The platform's keys cannot be made or opened.
    #[error("the platform's keys: {0}")]
    Keys(#[from] KeyringError),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The first organization or its access key was not made.
    #[error("the first organization: {0}")]
    First(#[from] AdministrationError),
    /// The first access key could not be shown, and so does not work.
    #[error("the first access key cannot be shown")]
    Unseen(#[source] io::Error),
}

/// Why an organization was not made from its template, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum ProvisioningError {
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    AnotherRequest,
    /// No template has the name that the call gives.
    #[error("there is no such template")]
    NoSuchTemplate,
    /// Others were quicker, again and again.
    #[error("others change it at the same time: try again")]
    Contended,
    /// It is not possible, or cannot be recorded.
    #[error(transparent)]
    Administration(#[from] AdministrationError),
    /// Keys cannot be had.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A row is not what was written.
    #[error(transparent)]
    Refused(#[from] RowRefused),
    /// What was kept is not what it has to be.
    #[error("{0}")]
    Damaged(&'static str),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl From<TenancyError> for ProvisioningError {
    fn from(error: TenancyError) -> Self {
        Self::Administration(error.into())
    }
}

impl From<AuditError> for ProvisioningError {
    fn from(error: AuditError) -> Self {
        Self::Administration(error.into())
    }
}

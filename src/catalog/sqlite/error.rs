use rusqlite::{Error, ErrorCode};

use crate::catalog::{CatalogError, Conflict};

/// Why a mutation was not applied: judged and refused, or the database failed.
#[derive(Debug)]
pub(super) enum Failure {
    Conflict(Conflict),
    Sql(Error),
}

/// What a mutation comes to.
pub(super) type Applied<T> = Result<T, Failure>;

impl From<Conflict> for Failure {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

/// Says whose turn it is.
pub(super) fn catalog_error(error: &Error) -> CatalogError {
    match error {
        Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull => CatalogError::Full,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                CatalogError::Damaged(error.to_string())
            }
            _ => CatalogError::Unavailable(error.to_string()),
        },
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => CatalogError::Damaged(error.to_string()),
        _ => CatalogError::Unavailable(error.to_string()),
    }
}

/// Whether the disk or the database's own limit is reached.
pub(super) fn is_full(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Whether another process has been writing for longer than we wait.
pub(super) fn is_busy(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

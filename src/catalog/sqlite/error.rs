use rusqlite::{Error, ErrorCode, ffi};

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

/// Whether the disk did not take a write: it or the database's own limit is full, or a quota
/// (which SQLite does not tell from a device that fails) is used up. What was written before of
/// the transaction has no commit record behind it, and no reader will take it for a part of the
/// database.
pub(super) fn is_unwritten(error: &Error) -> bool {
    let Some(failure) = error.sqlite_error() else {
        return false;
    };
    failure.code == ErrorCode::DiskFull || failure.extended_code == ffi::SQLITE_IOERR_WRITE
}

/// Whether another process has been writing for longer than we wait.
pub(super) fn is_busy(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Params, Result, Row};

/// Runs a statement and returns how many rows it wrote.
pub(super) fn execute(conn: &Connection, sql: &str, params: impl Params) -> Result<usize> {
    conn.prepare_cached(sql)?.execute(params)
}

/// Reads one row or none.
pub(super) fn one<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    conn.prepare_cached(sql)?.query_row(params, read).optional()
}

/// Reads every row.
pub(super) fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    conn.prepare_cached(sql)?.query_map(params, read)?.collect()
}

/// Whether there is a row.
pub(super) fn exists(conn: &Connection, sql: &str, params: impl Params) -> Result<bool> {
    conn.prepare_cached(sql)?.exists(params)
}

/// A number as SQL holds it: half of them are out of its reach, and of ours.
pub(super) fn int(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

/// A number that we wrote with [`int`].
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| Error::IntegralValueOutOfRange(column, number))
}

/// A number that may be absent.
pub(super) fn unsigned_or_null(row: &Row<'_>, column: usize) -> Result<Option<u64>> {
    match row.get::<_, Option<i64>>(column)? {
        None => Ok(None),
        Some(_) => unsigned(row, column).map(Some),
    }
}

/// Text, which is stored as its bytes so that both databases order it alike.
pub(super) fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str> {
    let bytes = row
        .get_ref(column)?
        .as_blob()
        .map_err(|error| damaged(column, error))?;
    std::str::from_utf8(bytes).map_err(|error| damaged(column, error))
}

/// A value that the schema does not allow.
pub(super) fn damaged(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
}

/// A value that is none of an enum's.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no value of its column")]
pub(super) struct Unknown(pub(super) i64);

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use refinery::{Runner, embed_migrations};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rustix::fs::{FlockOperation, flock};

use super::error::catalog_error;
use super::query::one;
use crate::catalog::CatalogError;
use crate::durable::{directory_of, make_directories};

/// Makes the file and its directory where they are missing, brings the schema up to date and
/// returns the connection that writes.
///
/// Processes that open the same file take turns, so that one of them migrates.
pub(super) fn open_writer(path: &Path) -> Result<Connection, CatalogError> {
    let turn = prepare(path).map_err(|error| cannot_open(path, &error))?;
    let mut conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.set_transaction_behavior(TransactionBehavior::Immediate);
    set_up_writer(&conn).map_err(|error| catalog_error(&error))?;
    migrate(&mut conn)?;
    drop(turn);
    Ok(conn)
}

/// A connection that only reads. The file stands already.
pub(super) fn open_reader(path: &Path) -> Result<Connection, CatalogError> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    conn.pragma_update(None, "query_only", true)
        .map_err(|error| catalog_error(&error))?;
    Ok(conn)
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, CatalogError> {
    // Every connection stays with one thread at a time, so SQLite needs no lock of its own; and
    // a path is a path, never a URI.
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(|e| catalog_error(&e))?;
    set_up(&conn).map_err(|error| catalog_error(&error))?;
    Ok(conn)
}

/// What holds for every connection.
fn set_up(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Plans depend on no bound value. Otherwise a cached statement is planned anew whenever its
    // bindings change, which costs more than running it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Nothing of what is sorted or rolled up may reach a file of its own, and a page that the
    // kernel cannot read is an error, not a signal.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "mmap_size", 0)?;
    // Whoever can write the file may have put triggers and views into it.
    conn.pragma_update(None, "trusted_schema", false)
}

/// What holds for the connection that writes.
fn set_up_writer(conn: &Connection) -> rusqlite::Result<()> {
    // ENVELOPE.md, rule 7: what is deleted is overwritten.
    conn.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // FULL syncs the log with every commit. A checkpoint runs between commits, on this thread.
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_KEPT, |_| Ok(()))?;
    conn.pragma_update(None, "cache_size", WRITER_CACHE_KIB)
}

fn migrate(conn: &mut Connection) -> Result<(), CatalogError> {
    let runner = migrations::runner()
        .set_grouped(true)
        .set_abort_divergent(true);
    refuse_newer(conn, &runner)?;
    runner
        .run(conn)
        .map_err(|error| CatalogError::Unavailable(format!("migration failed: {error}")))?;
    Ok(())
}

/// An older program must not write what a newer one will read.
fn refuse_newer(conn: &Connection, runner: &Runner) -> Result<(), CatalogError> {
    let known = runner
        .get_migrations()
        .iter()
        .map(|m| i64::from(m.version()));
    let known = known.max().unwrap_or(0);
    let migrated = one(
        conn,
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'refinery_schema_history'",
        [],
        |_| Ok(()),
    );
    if migrated.map_err(|error| catalog_error(&error))?.is_none() {
        return Ok(());
    }
    let stands: i64 = conn
        .query_row(
            "SELECT COALESCE(MAX(version), 0) FROM refinery_schema_history",
            [],
            |row| row.get(0),
        )
        .map_err(|error| catalog_error(&error))?;
    if stands > known {
        return Err(CatalogError::Unavailable(format!(
            "the catalog has schema {stands}, written by a newer program; this one knows up to \
             {known}"
        )));
    }
    Ok(())
}

/// Makes directory and file, private to this user and durable, and takes the turn to open them.
fn prepare(path: &Path) -> io::Result<File> {
    let directory = directory_of(path);
    make_directories(directory)?;
    let turn = File::open(directory)?;
    flock(&turn, FlockOperation::LockExclusive)?;
    // SQLite gives its log and index the mode of the database.
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    turn.sync_all()?;
    Ok(turn)
}

fn cannot_open(path: &Path, error: &io::Error) -> CatalogError {
    CatalogError::Unavailable(format!("{} cannot be opened: {error}", path.display()))
}

embed_migrations!("src/catalog/migrations");

/// How long to wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// More than there are statements.
const STATEMENTS_MAX: usize = 256;
/// After so many pages in the log they are copied into the database.
const CHECKPOINT_PAGES: i64 = 4_000;
/// The log shrinks to this after a checkpoint, bytes.
const LOG_BYTES_KEPT: i64 = 64 << 20;
/// The writer's page cache; negative is KiB.
const WRITER_CACHE_KIB: i64 = -16_384;

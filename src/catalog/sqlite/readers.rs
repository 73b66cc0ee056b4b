use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::error::catalog_error;
use super::open::open_reader;
use crate::catalog::CatalogError;

/// Connections that read beside the writer and never wait for it.
pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
}

impl Readers {
    /// Opens `count` connections to a file that stands.
    pub(super) fn open(path: &Path, count: u32) -> Result<Self, CatalogError> {
        let idle = (0..count.max(1))
            .map(|_| open_reader(path))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            free: Arc::new(Semaphore::new(idle.len())),
            idle: Mutex::new(idle),
        })
    }

    /// Reads on the calling thread: for what takes microseconds, less than a change of threads.
    pub(super) async fn inline<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        let permit: SemaphorePermit<'_> = self.free.acquire().await.map_err(|_| closed())?;
        let conn = self.take()?;
        let result = read(&conn);
        self.give_back(conn);
        drop(permit);
        result.map_err(|error| catalog_error(&error))
    }

    /// Reads on the blocking pool: for pages and walks.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, CatalogError> {
        let permit: OwnedSemaphorePermit = Arc::clone(&self.free)
            .acquire_owned()
            .await
            .map_err(|_| closed())?;
        let readers = Arc::clone(self);
        let work = move || {
            let conn = readers.take()?;
            let result = read(&conn);
            readers.give_back(conn);
            drop(permit);
            result.map_err(|error| catalog_error(&error))
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| CatalogError::Unavailable(format!("a read failed: {error}")))?
    }

    /// Counts the instructions of SQLite's machine on the connections that are idle.
    #[cfg(test)]
    pub(super) fn count_steps(&self, steps: &Arc<std::sync::atomic::AtomicU64>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        for conn in &mut *idle {
            super::tests::count_steps(conn, steps);
        }
    }

    fn take(&self) -> Result<Connection, CatalogError> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop().ok_or_else(closed)
    }

    fn give_back(&self, conn: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(conn);
    }
}

fn closed() -> CatalogError {
    CatalogError::Unavailable("no connection to read with".to_owned())
}

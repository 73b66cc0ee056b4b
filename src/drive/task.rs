use tokio::task::{JoinHandle, spawn_blocking};

use super::DriveError;
use super::batch::CHUNK;

/// A piece of work on the blocking pool, or one too short to be worth the switch that is done
/// already.
pub(super) enum Task<T> {
    Done(T),
    Running(JoinHandle<T>),
}

impl<T: Send + 'static> Task<T> {
    /// Works on `bytes`: few of them here and now, more on the blocking pool.
    pub(super) fn start(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Self {
        match bytes <= INLINE_BYTES_MAX {
            true => Self::Done(work()),
            false => Self::Running(spawn_blocking(work)),
        }
    }

    pub(super) async fn join(self) -> Result<T, DriveError> {
        match self {
            Self::Done(done) => Ok(done),
            Self::Running(task) => Ok(task.await?),
        }
    }
}

/// MD5 takes 0.12 ms for as much: what an async thread may be kept from others.
const INLINE_BYTES_MAX: usize = CHUNK.stride();

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use names::{BlobId, OrgId};
use tokio::task::spawn_blocking;

use super::super::object::EmptyReader;
use super::super::{BlobEntry, BlobError, BlobReader, BlobWriter, Blobs};
use super::directory::Directory;
use super::read::DiskReader;
use super::walk::walk;
use super::write::DiskWriter;

/// Blobs as files below one directory of a local disk.
///
/// Not on object_store's `LocalFileSystem`, for three reasons: each blob costs it a rename and so
/// a second commit of the file system's journal; a directory that another writer has just made
/// may be unsynced in its parent when a blob in it is acknowledged; and it reads 8 KiB at a time
/// into buffers that cannot be opened in place. Its layout and its promise (file, then directory
/// synced before a write is acknowledged) are kept. See `Draft` for what a crash leaves.
///
/// Files are made with mode 0600 and directories with 0700. Everything that can block runs on
/// tokio's blocking pool.
pub struct DiskBlobs {
    directory: Arc<Directory>,
}

impl DiskBlobs {
    /// Opens the directory `root`, making it where it is missing. Blocks.
    pub fn open(root: &Path) -> Result<Self, BlobError> {
        let directory = Directory::open(root).map_err(|error| {
            BlobError::from_io(&format!("opening the directory {}", root.display()), &error)
        })?;
        Ok(Self {
            directory: Arc::new(directory),
        })
    }
}

#[async_trait]
impl Blobs for DiskBlobs {
    async fn writer(
        &self,
        org: OrgId,
        blob: BlobId,
        _size_expected: Option<u64>,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        let directory = Arc::clone(&self.directory);
        Ok(Box::new(DiskWriter::new(directory, org, blob)))
    }

    async fn read(
        &self,
        org: OrgId,
        blob: BlobId,
        range: Range<u64>,
        stride: usize,
    ) -> Result<Box<dyn BlobReader>, BlobError> {
        if range.is_empty() {
            return Ok(Box::new(EmptyReader));
        }
        let directory = Arc::clone(&self.directory);
        let reader = DiskReader::open(directory, org, blob, range, stride).await?;
        Ok(Box::new(reader))
    }

    async fn delete(&self, org: OrgId, blob: BlobId) -> Result<(), BlobError> {
        let path = self.directory.blob(org, blob);
        let deleted = spawn_blocking(move || std::fs::remove_file(path))
            .await
            .map_err(|e| BlobError::from_join(&e))?;
        match deleted {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(BlobError::from_blob_io(org, blob, "deleting", &error))
            }
            _ => Ok(()),
        }
    }

    fn list(&self, org: OrgId) -> BoxStream<'static, Result<BlobEntry, BlobError>> {
        walk(self.directory.root(), Some(org))
    }

    fn list_all(&self) -> BoxStream<'static, Result<BlobEntry, BlobError>> {
        walk(self.directory.root(), None)
    }

    /// There are none: an unfinished blob stands under its own name, where a list shows it and
    /// the collector of orphans finds it by its age.
    async fn sweep_leftovers(&self, _before: SystemTime) -> Result<u64, BlobError> {
        Ok(0)
    }

    async fn check(&self) -> Result<(), BlobError> {
        let directory = Arc::clone(&self.directory);
        spawn_blocking(move || directory.check())
            .await
            .map_err(|e| BlobError::from_join(&e))?
            .map_err(|e| BlobError::from_io("checking the directory of blobs", &e))
    }
}

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use names::{BlobId, OrgId};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use super::super::{BlobError, BlobWriter, WRITE_SIZE};
use super::directory::Directory;

/// Gathers pieces on the async side and hands them to the blocking pool, [`WRITE_SIZE`] at a
/// time, while the caller prepares the next ones. A small blob is one trip to the pool, which
/// creates, writes and syncs.
pub(super) struct DiskWriter {
    /// Here or, while a write is under way, in `writing`. Neither after a failure.
    draft: Option<Draft>,
    writing: Option<JoinHandle<Result<Draft, BlobError>>>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
}

impl DiskWriter {
    pub(super) fn new(directory: Arc<Directory>, org: OrgId, blob: BlobId) -> Self {
        Self {
            draft: Some(Draft {
                directory,
                org,
                blob,
                file: None,
            }),
            writing: None,
            gathered: Vec::new(),
            gathered_bytes: 0,
        }
    }

    /// Waits for the write under way, if any, and takes the draft.
    async fn draft(&mut self) -> Result<Draft, BlobError> {
        if let Some(writing) = &mut self.writing {
            let written = writing.await;
            self.writing = None;
            self.draft = Some(written.map_err(|e| BlobError::from_join(&e))??);
        }
        self.draft.take().ok_or_else(|| {
            BlobError::Unavailable("a blob was written to after its writer had failed".into())
        })
    }
}

#[async_trait]
impl BlobWriter for DiskWriter {
    async fn write(&mut self, piece: Bytes) -> Result<(), BlobError> {
        self.gathered_bytes += piece.len();
        self.gathered.push(piece);
        if self.gathered_bytes < WRITE_SIZE {
            return Ok(());
        }
        let mut draft = self.draft().await?;
        let pieces = mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        self.writing = Some(spawn_blocking(move || {
            draft.append(&pieces)?;
            Ok(draft)
        }));
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), BlobError> {
        let mut draft = self.draft().await?;
        let pieces = mem::take(&mut self.gathered);
        spawn_blocking(move || {
            draft.append(&pieces)?;
            draft.publish()
        })
        .await
        .map_err(|e| BlobError::from_join(&e))?
    }

    async fn abort(mut self: Box<Self>) -> Result<(), BlobError> {
        // A failed write has removed the file already.
        let Ok(draft) = self.draft().await else {
            return Ok(());
        };
        spawn_blocking(move || draft.discard())
            .await
            .map_err(|e| BlobError::from_join(&e))?
    }
}

impl Drop for DiskWriter {
    /// Unlinking can block, and so leaves the async threads while there is a pool to go to. A
    /// write under way owns the draft and drops it where it runs.
    fn drop(&mut self) {
        if let Some(draft) = self.draft.take().filter(|draft| draft.file.is_some())
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(draft));
        }
    }
}

/// A blob's file until it is published; unlinked when dropped before.
///
/// The file is created under its final name, without a temporary name and a rename. That is safe
/// because nothing knows the name yet: a blob exists for a reader once the catalog's commit names
/// it, and that comes after `publish`. A crash leaves a part of a blob that no row names, which
/// is just an orphan and is collected by its age like any other. A rename after the file's sync
/// would cost a second commit of the file system's journal for each blob.
struct Draft {
    directory: Arc<Directory>,
    org: OrgId,
    blob: BlobId,
    /// Created with the first bytes.
    file: Option<File>,
}

impl Draft {
    fn append(&mut self, pieces: &[Bytes]) -> Result<(), BlobError> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let created = self.directory.create(self.org, self.blob);
                let created = created.map_err(|error| match error.kind() {
                    // A directory vanished under us; it is not the blob that is missing.
                    io::ErrorKind::NotFound => BlobError::from_io("creating a blob", &error),
                    _ => BlobError::from_blob_io(self.org, self.blob, "creating", &error),
                })?;
                self.file.insert(created)
            }
        };
        write_all(file, pieces)
            .map_err(|e| BlobError::from_blob_io(self.org, self.blob, "writing", &e))
    }

    /// Syncs the file, then its directory. A failed sync is never retried, since the kernel may
    /// have dropped the dirty pages that it could not write: the blob is given up.
    fn publish(mut self) -> Result<(), BlobError> {
        let file = self.file.take();
        let synced = match &file {
            Some(file) => file
                .sync_all()
                .and_then(|()| self.directory.sync_entry(self.org, self.blob)),
            None => Ok(()),
        };
        synced.map_err(|error| {
            self.file = file;
            BlobError::from_io(&format!("syncing blob {}/{}", self.org, self.blob), &error)
        })
    }

    fn discard(mut self) -> Result<(), BlobError> {
        let Some(_file) = self.file.take() else {
            return Ok(());
        };
        std::fs::remove_file(self.directory.blob(self.org, self.blob))
            .map_err(|e| BlobError::from_blob_io(self.org, self.blob, "removing", &e))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.file.is_some()
            && let Err(error) = std::fs::remove_file(self.directory.blob(self.org, self.blob))
        {
            // The collector finds it by its age.
            tracing::warn!(org = %self.org, blob = %self.blob, %error,
                "an unfinished blob could not be removed");
        }
    }
}

/// Writes all pieces with as few system calls as they allow.
fn write_all(file: &mut File, pieces: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut left = slices.as_mut_slice();
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use names::{BlobId, OrgId};
use rustix::buffer::spare_capacity;
use rustix::io::pread;
use tokio::task::{JoinHandle, spawn_blocking};

use super::super::store::buffer_size;
use super::super::{BlobError, BlobReader};
use super::directory::Directory;

/// Reads a range by positioned reads on the blocking pool, one buffer ahead of its caller. The
/// file stays open, so that a blob deleted meanwhile is read to its end.
pub(super) struct DiskReader {
    source: Arc<Source>,
    /// What is not yet asked of the disk.
    range: Range<u64>,
    buffer_size: usize,
    first: Option<Vec<u8>>,
    ahead: Option<JoinHandle<Result<Vec<u8>, BlobError>>>,
}

struct Source {
    file: File,
    org: OrgId,
    blob: BlobId,
}

impl DiskReader {
    /// Opens the blob and reads its first buffer in the same trip to the pool.
    pub(super) async fn open(
        directory: Arc<Directory>,
        org: OrgId,
        blob: BlobId,
        range: Range<u64>,
        stride: usize,
    ) -> Result<Self, BlobError> {
        spawn_blocking(move || {
            let opened = File::open(directory.blob(org, blob))
                .and_then(|file| file.metadata().map(|metadata| (file, metadata.len())));
            let (file, size) =
                opened.map_err(|e| BlobError::from_blob_io(org, blob, "opening", &e))?;
            if size < range.end {
                let reason = format!("it has {size} bytes, not {}", range.end);
                return Err(BlobError::Damaged { org, blob, reason });
            }
            let mut reader = Self {
                source: Arc::new(Source { file, org, blob }),
                range,
                buffer_size: buffer_size(stride),
                first: None,
                ahead: None,
            };
            let next = reader.advance();
            reader.first = Some(reader.source.read(next)?);
            Ok(reader)
        })
        .await
        .map_err(|e| BlobError::from_join(&e))?
    }

    /// Takes the next buffer's range off the range that is left.
    fn advance(&mut self) -> Range<u64> {
        let start = self.range.start;
        self.range.start = self.range.end.min(start + self.buffer_size as u64);
        start..self.range.start
    }

    fn read_ahead(&mut self) {
        if self.range.is_empty() {
            return;
        }
        let range = self.advance();
        let source = Arc::clone(&self.source);
        self.ahead = Some(spawn_blocking(move || source.read(range)));
    }
}

#[async_trait]
impl BlobReader for DiskReader {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BlobError> {
        let buffer = match self.first.take() {
            Some(first) => first,
            None => {
                let Some(ahead) = &mut self.ahead else {
                    return Ok(None);
                };
                let read = ahead.await;
                self.ahead = None;
                read.map_err(|e| BlobError::from_join(&e))??
            }
        };
        self.read_ahead();
        Ok(Some(buffer))
    }
}

impl Source {
    /// Reads into memory that is not cleared first.
    fn read(&self, range: Range<u64>) -> Result<Vec<u8>, BlobError> {
        let Self { file, org, blob } = self;
        let size = (range.end - range.start) as usize;
        let mut buffer = Vec::with_capacity(size);
        while buffer.len() < size {
            let position = range.start + buffer.len() as u64;
            match pread(file, spare_capacity(&mut buffer), position) {
                Ok(0) => {
                    return Err(BlobError::Damaged {
                        org: *org,
                        blob: *blob,
                        reason: "it became shorter while it was read".into(),
                    });
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    let error = io::Error::from(error);
                    return Err(BlobError::from_blob_io(*org, *blob, "reading", &error));
                }
            }
        }
        // The allocator may have given more room than was asked for.
        buffer.truncate(size);
        Ok(buffer)
    }
}

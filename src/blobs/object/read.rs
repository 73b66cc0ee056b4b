use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use names::{BlobId, OrgId};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinSet;

use super::super::store::buffer_size;
use super::super::{BlobError, BlobReader};

/// Gathers the frames of one ranged request into buffers that the caller owns, one buffer ahead
/// of its caller. Dropping the reader ends the request.
pub(super) struct ObjectReader {
    buffers: Receiver<Result<Vec<u8>, BlobError>>,
    /// Holds the one task that fills `buffers`; dropping the set ends the task.
    _task: JoinSet<()>,
}

impl ObjectReader {
    pub(super) async fn open(
        store: &dyn ObjectStore,
        path: &Path,
        org: OrgId,
        blob: BlobId,
        range: Range<u64>,
        stride: usize,
    ) -> Result<Self, BlobError> {
        let options = GetOptions {
            range: Some(range.clone().into()),
            ..GetOptions::default()
        };
        let short = |size: u64| BlobError::Damaged {
            org,
            blob,
            reason: format!("it has {size} bytes, not {}", range.end),
        };
        let got = match store.get_opts(path, options).await {
            Ok(got) if got.range == range => got,
            Ok(got) => return Err(short(got.meta.size)),
            Err(error @ object_store::Error::NotFound { .. }) => {
                return Err(BlobError::from_blob_object_store(
                    org, blob, "opening", &error,
                ));
            }
            // Each store words a range beyond the end differently, so we look for ourselves.
            Err(error) => match store.head(path).await {
                Ok(meta) if meta.size < range.end => return Err(short(meta.size)),
                _ => {
                    return Err(BlobError::from_blob_object_store(
                        org, blob, "opening", &error,
                    ));
                }
            },
        };
        let gatherer = Gatherer {
            frames: got.into_stream(),
            frame: Bytes::new(),
            org,
            blob,
        };
        let (sender, buffers) = mpsc::channel(1);
        let mut task = JoinSet::new();
        task.spawn(gatherer.run(range.end - range.start, buffer_size(stride), sender));
        Ok(Self {
            buffers,
            _task: task,
        })
    }
}

#[async_trait]
impl BlobReader for ObjectReader {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BlobError> {
        self.buffers.recv().await.transpose()
    }
}

struct Gatherer {
    frames: BoxStream<'static, object_store::Result<Bytes>>,
    /// What is left of the last frame.
    frame: Bytes,
    org: OrgId,
    blob: BlobId,
}

impl Gatherer {
    async fn run(
        mut self,
        mut left: u64,
        buffer_size: usize,
        sender: Sender<Result<Vec<u8>, BlobError>>,
    ) {
        while left > 0 {
            let size = left.min(buffer_size as u64);
            left -= size;
            let gathered = self.gather(size as usize).await;
            let is_failed = gathered.is_err();
            if sender.send(gathered).await.is_err() || is_failed {
                return;
            }
        }
    }

    async fn gather(&mut self, size: usize) -> Result<Vec<u8>, BlobError> {
        let mut buffer = Vec::with_capacity(size);
        while buffer.len() < size {
            if self.frame.is_empty() {
                self.frame = self.next_frame().await?;
            }
            let taken = self.frame.len().min(size - buffer.len());
            buffer.extend_from_slice(&self.frame.split_to(taken));
        }
        Ok(buffer)
    }

    async fn next_frame(&mut self) -> Result<Bytes, BlobError> {
        let Self { org, blob, .. } = *self;
        match self.frames.next().await {
            Some(Ok(frame)) => Ok(frame),
            Some(Err(error)) => Err(BlobError::from_blob_object_store(
                org, blob, "reading", &error,
            )),
            None => Err(BlobError::Damaged {
                org,
                blob,
                reason: "the store sent less of it than was asked for".into(),
            }),
        }
    }
}

/// A range without bytes.
pub(in super::super) struct EmptyReader;

#[async_trait]
impl BlobReader for EmptyReader {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BlobError> {
        Ok(None)
    }
}

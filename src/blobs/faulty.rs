use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use names::{BlobId, OrgId};

use super::{BlobEntry, BlobError, BlobReader, BlobWriter, Blobs};

/// A store that counts its calls and fails on command, in front of a real one; for tests.
#[doc(hidden)]
pub struct FaultyBlobs {
    inner: Arc<dyn Blobs>,
    faults: Arc<Faults>,
}

/// How a faulty store fails.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// As on ENOSPC.
    Full,
    /// As when the backend does not answer; nothing was done.
    Unavailable,
    /// As when the answer is lost: it was written or deleted, and its caller does not know.
    Unanswered,
}

/// How often a store was called.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Blobs begun, by `writer` or `put`.
    pub written: u64,
    /// Ranges opened.
    pub read: u64,
    /// Blobs deleted, missing ones included.
    pub deleted: u64,
    /// Lists begun.
    pub listed: u64,
}

#[derive(Default)]
struct Faults {
    plan: Mutex<Plan>,
    written: AtomicU64,
    read: AtomicU64,
    deleted: AtomicU64,
    listed: AtomicU64,
}

#[derive(Default)]
struct Plan {
    /// How many more writes succeed, and what the ones after them meet.
    writes: Option<(u64, Fault)>,
    reads: Option<(u64, Fault)>,
    /// Whether a step has met a fault since there were none.
    has_failed: bool,
    /// The byte of each blob that is returned flipped.
    damaged: Vec<(BlobId, u64)>,
}

impl FaultyBlobs {
    /// Puts a store in front of `inner` that does not fail yet.
    pub fn new(inner: Arc<dyn Blobs>) -> Self {
        Self {
            inner,
            faults: Arc::default(),
        }
    }

    /// Lets `count` more writing steps succeed (each piece, each finish, each deletion), and
    /// fails all that follow until [`heal`](Self::heal).
    pub fn fail_writes_after(&self, count: u64, fault: Fault) {
        self.faults.plan().writes = Some((count, fault));
    }

    /// The same for reading steps (each opened range, each buffer).
    pub fn fail_reads_after(&self, count: u64, fault: Fault) {
        self.faults.plan().reads = Some((count, fault));
    }

    /// Flips all bits of the byte at `offset` whenever the blob is read.
    pub fn damage(&self, blob: BlobId, offset: u64) {
        self.faults.plan().damaged.push((blob, offset));
    }

    /// Ends all faults, and says whether a step has met one.
    pub fn heal(&self) -> bool {
        std::mem::take(&mut *self.faults.plan()).has_failed
    }

    /// The calls since the store was made.
    pub fn calls(&self) -> Calls {
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Calls {
            written: count(&self.faults.written),
            read: count(&self.faults.read),
            deleted: count(&self.faults.deleted),
            listed: count(&self.faults.listed),
        }
    }
}

#[async_trait]
impl Blobs for FaultyBlobs {
    async fn writer(
        &self,
        org: OrgId,
        blob: BlobId,
        size_expected: Option<u64>,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        self.faults.written.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FaultyWriter {
            inner: self.inner.writer(org, blob, size_expected).await?,
            faults: Arc::clone(&self.faults),
        }))
    }

    async fn read(
        &self,
        org: OrgId,
        blob: BlobId,
        range: Range<u64>,
        stride: usize,
    ) -> Result<Box<dyn BlobReader>, BlobError> {
        self.faults.read.fetch_add(1, Ordering::SeqCst);
        self.faults.reading()?;
        Ok(Box::new(FaultyReader {
            offset: range.start,
            inner: self.inner.read(org, blob, range, stride).await?,
            blob,
            faults: Arc::clone(&self.faults),
        }))
    }

    async fn delete(&self, org: OrgId, blob: BlobId) -> Result<(), BlobError> {
        self.faults.deleted.fetch_add(1, Ordering::SeqCst);
        self.faults.writing(self.inner.delete(org, blob)).await
    }

    fn list(&self, org: OrgId) -> BoxStream<'static, Result<BlobEntry, BlobError>> {
        self.faults.listed.fetch_add(1, Ordering::SeqCst);
        self.inner.list(org)
    }

    fn list_all(&self) -> BoxStream<'static, Result<BlobEntry, BlobError>> {
        self.faults.listed.fetch_add(1, Ordering::SeqCst);
        self.inner.list_all()
    }

    async fn sweep_leftovers(&self, before: SystemTime) -> Result<u64, BlobError> {
        let sweep = self.inner.sweep_leftovers(before);
        self.faults.writing(sweep).await
    }

    async fn check(&self) -> Result<(), BlobError> {
        self.faults.reading()?;
        self.inner.check().await
    }
}

struct FaultyWriter {
    inner: Box<dyn BlobWriter>,
    faults: Arc<Faults>,
}

#[async_trait]
impl BlobWriter for FaultyWriter {
    async fn write(&mut self, piece: Bytes) -> Result<(), BlobError> {
        self.faults.writing(self.inner.write(piece)).await
    }

    async fn finish(self: Box<Self>) -> Result<(), BlobError> {
        let fault = self.faults.write_step();
        match fault {
            None => self.inner.finish().await,
            Some(Fault::Unanswered) => {
                self.inner.finish().await?;
                Err(error(Fault::Unanswered))
            }
            Some(fault) => {
                self.inner.abort().await?;
                Err(error(fault))
            }
        }
    }

    async fn abort(self: Box<Self>) -> Result<(), BlobError> {
        self.inner.abort().await
    }
}

struct FaultyReader {
    inner: Box<dyn BlobReader>,
    faults: Arc<Faults>,
    blob: BlobId,
    offset: u64,
}

#[async_trait]
impl BlobReader for FaultyReader {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BlobError> {
        self.faults.reading()?;
        let Some(mut buffer) = self.inner.next().await? else {
            return Ok(None);
        };
        let end = self.offset + buffer.len() as u64;
        for (blob, offset) in &self.faults.plan().damaged {
            if *blob == self.blob && (self.offset..end).contains(offset) {
                buffer[(offset - self.offset) as usize] ^= 0xff;
            }
        }
        self.offset = end;
        Ok(Some(buffer))
    }
}

impl Faults {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(|e| e.into_inner())
    }

    async fn writing<T>(
        &self,
        work: impl Future<Output = Result<T, BlobError>> + Send,
    ) -> Result<T, BlobError> {
        match self.write_step() {
            None => work.await,
            Some(Fault::Unanswered) => {
                work.await?;
                Err(error(Fault::Unanswered))
            }
            Some(fault) => Err(error(fault)),
        }
    }

    fn write_step(&self) -> Option<Fault> {
        let plan = &mut *self.plan();
        take_step(&mut plan.writes, &mut plan.has_failed)
    }

    fn reading(&self) -> Result<(), BlobError> {
        let plan = &mut *self.plan();
        let fault = take_step(&mut plan.reads, &mut plan.has_failed);
        fault.map_or(Ok(()), |fault| Err(error(fault)))
    }
}

/// Counts a step down; the fault once there are none left.
fn take_step(steps: &mut Option<(u64, Fault)>, has_failed: &mut bool) -> Option<Fault> {
    let (left, fault) = steps.as_mut()?;
    match left.checked_sub(1) {
        Some(less) => {
            *left = less;
            None
        }
        None => {
            *has_failed = true;
            Some(*fault)
        }
    }
}

fn error(fault: Fault) -> BlobError {
    match fault {
        Fault::Full => BlobError::Full("by a fault of a test".into()),
        Fault::Unavailable | Fault::Unanswered => {
            BlobError::Unavailable("by a fault of a test".into())
        }
    }
}

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;
use envelope::{Opener, Place};
use names::BlobId;

use super::DriveError;
use super::batch::CHUNK;
use super::digests::{Digested, Digests};
use super::memory::Reserved;
use super::object::{Object, name};
use super::session::Session;
use super::task::Task;
use crate::authz::GetObject;
use crate::blobs::{BlobError, BlobReader, READ_SIZE};
use crate::catalog::{BlobRow, Slice, VersionRow};

/// The bytes of an object or a range of it, each chunk verified before a byte of it is handed out.
pub struct ObjectReader {
    session: Session<GetObject>,
    row: VersionRow,
    length: u64,
    delivered: u64,
    /// Verified, and next to be handed out.
    ready: VecDeque<Bytes>,
    reading: Option<Reading>,
    /// What is still to be read, in order.
    stretches: VecDeque<Stretch>,
    blobs: HashMap<BlobId, BlobRow>,
    is_failed: bool,
    _reserved: Reserved,
}

/// Why a reader did not open.
pub(super) enum NotOpened {
    /// A blob that the row names is gone. The session is given back, to look again.
    Gone {
        session: Box<Session<GetObject>>,
        error: DriveError,
    },
    /// Anything else.
    Failed(DriveError),
}

/// Bytes of one blob's plaintext.
pub(super) struct Stretch {
    pub(super) slice: Slice,
    /// Within the blob's plaintext; never empty.
    pub(super) range: Range<u64>,
}

/// A blob being read.
struct Reading {
    reader: Box<dyn BlobReader>,
    opener: Opener,
    slice: Slice,
    /// The chunk that the next buffer begins with.
    chunk: u64,
    /// How many bytes of it are before the stretch.
    skip: usize,
    /// How many bytes of the stretch are still to come.
    left: u64,
}

enum Fault {
    /// A blob is not there.
    Gone(DriveError),
    Failed(DriveError),
}

impl ObjectReader {
    /// Opens a range of an object. What it gives first is verified when it returns.
    ///
    /// Reserves `room_bytes` more than it needs itself, for what its caller does with the bytes.
    pub(super) async fn open(
        session: Session<GetObject>,
        object: &Object,
        range: Range<u64>,
        room_bytes: usize,
    ) -> Result<Self, NotOpened> {
        let length = range.end - range.start;
        let mut ready = VecDeque::new();
        if let Some(whole) = object.open_inline(session.keys())? {
            let bounds = range.start as usize..range.end as usize;
            ready.push_back(Bytes::from_owner(whole.plaintext).slice(bounds));
        }
        let stretches = stretches(object.slices(), &range);
        let own_bytes = match stretches.is_empty() {
            true => 0,
            false => buffers(length),
        };
        let memory = &session.shared.memory;
        let reserved = memory.reserve(session.org(), own_bytes + room_bytes);
        let reserved = reserved.await?;
        let mut reader = Self {
            session,
            row: object.row.clone(),
            length,
            delivered: 0,
            ready,
            reading: None,
            stretches,
            blobs: HashMap::new(),
            is_failed: false,
            _reserved: reserved,
        };
        if reader.ready.is_empty() {
            match reader.fill().await {
                Ok(_) => {}
                Err(Fault::Failed(error)) => return Err(error.into()),
                Err(Fault::Gone(error)) => {
                    let session = Box::new(reader.session);
                    return Err(NotOpened::Gone { session, error });
                }
            }
        }
        Ok(reader)
    }

    /// How many bytes will come in all.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many bytes have been handed out.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The next verified bytes, or `None` at the end. After an error nothing follows: the answer
    /// must break off, never end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, DriveError> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                self.delivered += bytes.len() as u64;
                if !bytes.is_empty() {
                    return Ok(Some(bytes));
                }
                continue;
            }
            if self.is_failed {
                let reason = "a body is read on after it failed".to_owned();
                return Err(DriveError::Unavailable(reason));
            }
            // Unless the step below ends well; also when it is dropped half way.
            self.is_failed = true;
            let filled = match self.fill().await {
                Ok(filled) => filled,
                Err(Fault::Failed(error)) => return Err(error),
                Err(Fault::Gone(error)) => return Err(self.explain(error).await),
            };
            self.is_failed = false;
            if !filled {
                return Ok(None);
            }
        }
    }

    /// Gives the session back.
    pub(super) fn into_session(self) -> Session<GetObject> {
        self.session
    }

    /// Reads all of it into digests, which are computed beside the reading, and gives the session
    /// back.
    pub(super) async fn digest(
        mut self,
        digests: Digests,
    ) -> Result<(Session<GetObject>, Digested), DriveError> {
        let mut hashing = Task::Done(digests);
        loop {
            let mut pieces: Vec<Bytes> = self.next().await?.into_iter().collect();
            // What else is verified already: the rest of one buffer.
            pieces.extend(self.ready.drain(..));
            let mut digests = hashing.join().await?;
            if pieces.is_empty() {
                return Ok((self.session, digests.finish()));
            }
            let bytes = pieces.iter().map(Bytes::len).sum();
            hashing = Task::start(bytes, move || {
                for piece in pieces {
                    digests.update(&piece);
                }
                digests
            });
        }
    }

    /// Reads and verifies the next buffer; false at the end.
    async fn fill(&mut self) -> Result<bool, Fault> {
        loop {
            if let Some(reading) = &mut self.reading {
                reading.next(&self.row, &mut self.ready).await?;
                if reading.left == 0 {
                    self.reading = None;
                }
                return Ok(true);
            }
            match self.stretches.pop_front() {
                Some(stretch) => self.reading = Some(self.begin(stretch).await?),
                None => return Ok(false),
            }
        }
    }

    async fn begin(&mut self, Stretch { slice, range }: Stretch) -> Result<Reading, Fault> {
        let org = self.session.org();
        let what = format!("blob {} of {}", slice.blob, name(&self.row));
        let damaged = |reason: &dyn std::fmt::Display| DriveError::damaged(&what, reason);
        if !self.blobs.contains_key(&slice.blob) {
            self.blobs = self.look_up(slice.blob).await?;
        }
        let Some(row) = self.blobs.get(&slice.blob) else {
            return Err(Fault::Gone(damaged(&"the catalog does not know it")));
        };
        // Its header may have been wrapped under a newer key since the version was read.
        self.session.know_key(row.key_version).await?;
        let place = place_of(slice.kind).ok_or_else(|| damaged(&"no body is of its kind"))?;
        let opener = self
            .session
            .keys()
            .open_blob(place, slice.blob, &slice.commitment, &row.header)
            .map_err(|refused| damaged(&refused))?
            .with_len(slice.blob_len)
            .map_err(|error| damaged(&error))?;
        let left = range.end - range.start;
        let span = opener
            .layout()
            .span(range)
            .ok_or_else(|| damaged(&"a slice lies outside of it"))?;
        let blobs = &self.session.shared.blobs;
        let reader = match blobs.read(org, slice.blob, span.blob, CHUNK.stride()).await {
            Ok(reader) => reader,
            Err(error @ BlobError::NotFound { .. }) => return Err(Fault::Gone(error.into())),
            Err(error) => return Err(DriveError::from(error).into()),
        };
        Ok(Reading {
            reader,
            opener,
            slice,
            chunk: span.chunks.start,
            skip: span.skip,
            left,
        })
    }

    /// The rows of a blob and those that are read next.
    async fn look_up(&mut self, first: BlobId) -> Result<HashMap<BlobId, BlobRow>, DriveError> {
        let next = self.stretches.iter().map(|stretch| stretch.slice.blob);
        let mut wanted: Vec<_> = std::iter::once(first)
            .chain(next)
            .take(LOOKED_UP_MAX)
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let rows = self.session.catalog.blobs(&wanted).await?;
        Ok(rows.into_iter().map(|row| (row.blob, row)).collect())
    }

    /// Tells why a blob is gone in the middle of a body: its version was replaced and it was
    /// collected, which takes a reader an hour behind; or it is lost.
    async fn explain(&mut self, gone: DriveError) -> DriveError {
        let (bucket, key) = (self.row.bucket, self.row.key.clone());
        match self.session.current(bucket, &key).await {
            Ok(Some(current)) if current.row.version == self.row.version => gone,
            Ok(_) => DriveError::Unavailable(format!(
                "{} was replaced and collected while it was read",
                name(&self.row)
            )),
            Err(error) => error,
        }
    }
}

impl Reading {
    /// Reads the next buffer, verifies it, and adds what of it belongs to the stretch.
    ///
    /// Chunks are opened where they stand and handed out from there, on this thread: 256 KiB take
    /// about 60 µs, little more than a switch to another thread and back.
    async fn next(
        &mut self,
        row: &VersionRow,
        ready: &mut VecDeque<Bytes>,
    ) -> Result<(), DriveError> {
        let what = || format!("blob {} of {}", self.slice.blob, name(row));
        let Some(mut buffer) = self.reader.next().await? else {
            return Err(DriveError::damaged(what(), "it ends early"));
        };
        self.opener
            .open_strides(self.chunk, &mut buffer)
            .map_err(|error| DriveError::damaged(what(), error))?;
        let tag = CHUNK.stride() - CHUNK.bytes();
        let mut opened = Bytes::from(buffer);
        while !opened.is_empty() {
            let mut chunk = opened.split_to(opened.len().min(CHUNK.stride()));
            chunk.truncate(chunk.len() - tag);
            let _before = chunk.split_to(self.skip.min(chunk.len()));
            self.skip = 0;
            chunk.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= chunk.len() as u64;
            self.chunk += 1;
            ready.push_back(chunk);
        }
        Ok(())
    }
}

impl From<DriveError> for NotOpened {
    fn from(error: DriveError) -> Self {
        Self::Failed(error)
    }
}

impl From<DriveError> for Fault {
    fn from(error: DriveError) -> Self {
        Self::Failed(error)
    }
}

/// The stretches of blobs that make up `range` of the object.
pub(super) fn stretches(slices: &[Slice], range: &Range<u64>) -> VecDeque<Stretch> {
    let mut start = 0;
    let mut found = VecDeque::new();
    for slice in slices {
        let end = start + slice.length;
        let (first, last) = (range.start.max(start), range.end.min(end));
        if first < last {
            found.push_back(Stretch {
                slice: *slice,
                range: slice.offset + (first - start)..slice.offset + (last - start),
            });
        }
        start = end;
    }
    found
}

/// The place of a body whose header is of this kind.
pub(super) fn place_of(kind: u8) -> Option<Place<'static>> {
    match kind {
        OBJECT => Some(Place::Object),
        PART => Some(Place::Part),
        _ => None,
    }
}

/// What a reader of `length` bytes holds: the blob store's reader two buffers, and this one a
/// third.
fn buffers(length: u64) -> usize {
    let chunks = length / CHUNK.bytes() as u64 + 2;
    let sealed = chunks.saturating_mul(CHUNK.stride() as u64);
    usize::try_from(sealed).map_or(3 * READ_SIZE, |sealed| sealed.min(3 * READ_SIZE))
}

/// Blob rows read from the catalog at a time.
const LOOKED_UP_MAX: usize = 256;

/// The kinds of a slice, as in its blob's header.
const OBJECT: u8 = 1;
const PART: u8 = 2;

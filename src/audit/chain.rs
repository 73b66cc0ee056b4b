use std::sync::{Mutex, MutexGuard, PoisonError};

use super::entry::Entry;
use super::queue::{Batch, Done, Queue};
use super::segment::{Hash, Plaintext, Segment};
use super::verify::Head;
use crate::authz::{AppendActivity, Permit};

/// One organization's log, or the platform's, as this node writes it: what waits, and the tip of
/// the chain of what is written.
pub(super) struct Chain {
    pub(super) door: Door,
    queue: Mutex<Queue>,
    /// Whoever holds it writes; nobody else does.
    pub(super) tip: tokio::sync::Mutex<Tip>,
}

/// What opens the log.
pub(super) enum Door {
    /// An organization's: the permit that came with the first event. What it lets be done holds
    /// for everybody whose calls the gateway records there.
    Organization(Permit<AppendActivity>),
    /// The platform's, which no permit names.
    Platform,
}

/// The end of a chain, and the segment that is to follow.
#[derive(Default)]
pub(super) struct Tip {
    /// The segments that are written and the hash of the last.
    pub(super) head: Head,
    written_ms: u64,
    /// What goes into the next segment. It stays until it is written, so that a write of unknown
    /// outcome is tried again with the same bytes.
    pub(super) pending: Option<Pending>,
    /// The hashes of what may stand as the next segment already: writes of unknown outcome.
    attempted: Vec<Hash>,
}

/// A segment to be written, and who waits for it.
pub(super) struct Pending {
    pub(super) plaintext: Plaintext,
    pub(super) waiters: Vec<Done>,
}

impl Chain {
    /// A chain with nothing in it.
    pub(super) fn new(door: Door) -> Self {
        Self {
            door,
            queue: Mutex::default(),
            tip: tokio::sync::Mutex::default(),
        }
    }

    /// What waits. Held for moments only, never while anything is awaited.
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tip {
    /// Makes the next segment of `batch`.
    pub(super) fn prepare(&self, batch: Batch, now_ms: u64) -> Result<Pending, String> {
        Ok(Pending {
            plaintext: self.follow(batch.entries, now_ms)?,
            waiters: batch.waiters,
        })
    }

    /// The segment that holds `entries` and follows the last one.
    pub(super) fn follow(&self, entries: Vec<Entry>, now_ms: u64) -> Result<Plaintext, String> {
        let segment = Segment {
            previous: self.head.hash,
            written_ms: now_ms.max(self.written_ms),
            entries,
        };
        segment.encode().map_err(|error| error.to_string())
    }

    /// States that a write of the next segment may have happened, or not.
    pub(super) fn may_stand(&mut self, hash: Hash) {
        if !self.attempted.contains(&hash) {
            self.attempted.push(hash);
        }
    }

    /// Whether this node has tried to write what has that hash as the next segment.
    pub(super) fn has_tried(&self, hash: &Hash) -> bool {
        self.attempted.contains(hash)
    }

    /// States that the next segment stands.
    pub(super) fn advance(&mut self, hash: Hash, written_ms: u64) {
        self.head = Head {
            segments: self.head.segments + 1,
            hash,
        };
        self.written_ms = written_ms;
        self.attempted.clear();
    }
}

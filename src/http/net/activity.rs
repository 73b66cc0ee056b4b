use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use futures_util::task::AtomicWaker;

/// What a connection is doing, as its socket and its requests see it.
///
/// ```text
///            first byte           header complete
///   idle ───────────────► header ───────────────► busy
///    ▲                                              │
///    └───────────── last answer ended ──────────────┘
/// ```
///
/// A new connection begins in `header`. On HTTP/2 bytes between requests may be pings, so that an
/// idle connection stays idle until a request is there.
#[derive(Default)]
pub(super) struct Activity {
    requests: AtomicUsize,
    /// Counts changes of phase, so that a timer started for one phase never ends another.
    changes: AtomicU64,
    idle: AtomicBool,
    http2: AtomicBool,
    /// A request body was given up before its end.
    body_unread: AtomicBool,
    /// The task of the connection.
    waker: AtomicWaker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    Header,
    Busy,
}

impl Activity {
    /// The phase, and the number of the change that began it.
    pub(super) fn phase(&self) -> (Phase, u64) {
        let change = self.changes.load(Ordering::SeqCst);
        let phase = if self.requests.load(Ordering::SeqCst) > 0 {
            Phase::Busy
        } else if self.idle.load(Ordering::SeqCst) {
            Phase::Idle
        } else {
            Phase::Header
        };
        (phase, change)
    }

    pub(super) fn bytes_read(&self) {
        if !self.http2.load(Ordering::SeqCst) && self.idle.swap(false, Ordering::SeqCst) {
            self.changes.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A request's header section is complete. The request lasts until the value is dropped.
    pub(super) fn request(self: &Arc<Self>, http2: bool) -> InFlight {
        self.http2.store(http2, Ordering::SeqCst);
        self.body_unread.store(false, Ordering::SeqCst);
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.idle.store(true, Ordering::SeqCst);
        self.changes.fetch_add(1, Ordering::SeqCst);
        InFlight(Arc::clone(self))
    }

    pub(super) fn body_left_unread(&self) {
        self.body_unread.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_body_unread(&self) -> bool {
        self.body_unread.load(Ordering::SeqCst) && !self.http2.load(Ordering::SeqCst)
    }

    pub(super) fn waker(&self) -> &AtomicWaker {
        &self.waker
    }
}

/// A request, from its complete header to the end of its answer.
pub(super) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.changes.fetch_add(1, Ordering::SeqCst);
        let last = self.0.requests.fetch_sub(1, Ordering::SeqCst) == 1;
        // On HTTP/1 this runs inside the task of the connection; on HTTP/2 the stream has a task
        // of its own, and the connection has to start its idle timer.
        if last && self.0.http2.load(Ordering::SeqCst) {
            self.0.waker.wake();
        }
    }
}

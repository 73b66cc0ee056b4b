use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use super::activity::{Activity, InFlight};

/// The body of a request. It ends with an error when the client pauses for too long.
pub struct RequestBody {
    incoming: Incoming,
    pause_max: Duration,
    /// Runs only while the body is asked for bytes that are not there.
    pause: Option<Pin<Box<Sleep>>>,
    ended: bool,
    activity: Arc<Activity>,
}

/// Why a request body did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum RequestBodyError {
    /// The client sent nothing for longer than `[net] body_idle_timeout`.
    #[error("the client paused for too long inside a request body")]
    Idle,
    /// The client broke off, or broke the framing.
    #[error("the request body broke off")]
    Broken(#[source] hyper::Error),
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, pause_max: Duration, activity: Arc<Activity>) -> Self {
        let ended = incoming.is_end_stream();
        Self {
            incoming,
            pause_max,
            pause: None,
            ended,
            activity,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) {
            this.pause = None;
            this.ended |= frame.is_none() || this.incoming.is_end_stream();
            return Poll::Ready(frame.map(|frame| frame.map_err(RequestBodyError::Broken)));
        }
        let pause = this
            .pause
            .get_or_insert_with(|| Box::pin(sleep(this.pause_max)));
        ready!(pause.as_mut().poll(cx));
        Poll::Ready(Some(Err(RequestBodyError::Idle)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.ended {
            self.activity.body_left_unread();
        }
    }
}

/// The body of an answer: it keeps its request in flight, and tells its stream when it waits for
/// the client.
pub(super) struct ResponseBody<B> {
    /// None is the empty body of an answer that this module gives itself.
    inner: Option<Pin<Box<B>>>,
    /// What is left of a chunk that is too large to be handed over at once.
    rest: Bytes,
    stream: Option<Arc<StreamState>>,
    _in_flight: InFlight,
}

/// Whether the answer on an HTTP/2 stream waits for the client to take what is ready.
#[derive(Default)]
pub(super) struct StreamState {
    is_offering: AtomicBool,
    chunks: AtomicU64,
}

impl StreamState {
    /// The number of the chunk that was handed over and not yet asked beyond.
    pub(super) fn offered(&self) -> Option<u64> {
        self.is_offering
            .load(Ordering::SeqCst)
            .then(|| self.chunks.load(Ordering::SeqCst))
    }

    fn asked(&self) {
        self.is_offering.store(false, Ordering::SeqCst);
    }

    fn offer(&self) {
        self.chunks.fetch_add(1, Ordering::SeqCst);
        self.is_offering.store(true, Ordering::SeqCst);
    }
}

impl<B> ResponseBody<B> {
    pub(super) fn new(
        inner: Option<B>,
        stream: Option<Arc<StreamState>>,
        in_flight: InFlight,
    ) -> Self {
        Self {
            inner: inner.map(Box::pin),
            rest: Bytes::new(),
            stream,
            _in_flight: in_flight,
        }
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        let Some(stream) = &this.stream else {
            return match &mut this.inner {
                Some(inner) => inner.as_mut().poll_frame(cx),
                None => Poll::Ready(None),
            };
        };
        stream.asked();
        let mut frame = if this.rest.is_empty() {
            match &mut this.inner {
                Some(inner) => ready!(inner.as_mut().poll_frame(cx)),
                None => None,
            }
        } else {
            Some(Ok(Frame::data(std::mem::take(&mut this.rest))))
        };
        if let Some(Ok(part)) = &mut frame {
            // A chunk counts as taken when the next one is asked for: small chunks tell a slow
            // client from one that takes nothing.
            if let Some(data) = part.data_mut()
                && data.len() > CHUNK_BYTES_MAX
            {
                this.rest = data.split_off(CHUNK_BYTES_MAX);
            }
            stream.offer();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
            && self
                .inner
                .as_ref()
                .is_none_or(|inner| inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let Some(inner) = &self.inner else {
            return SizeHint::with_exact(0);
        };
        let mut hint = inner.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

const CHUNK_BYTES_MAX: usize = 64 << 10;

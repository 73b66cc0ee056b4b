use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body::{Frame, SizeHint};
use serde::Serialize;
use wire::wiped_json;

use super::door::Fault;
use crate::authz::Receipt;

/// What a door answers: the head, what it holds, and what was done for it.
pub struct Answer {
    /// Status and fields.
    pub head: Response<()>,
    /// The body.
    pub content: Content,
    /// What the service did. For a stream the pipeline counts the bytes itself, as they leave.
    pub receipt: Receipt,
}

impl Answer {
    /// Nothing but a status, which nobody may store.
    pub fn empty(status: StatusCode) -> Self {
        let mut head = Response::new(());
        *head.status_mut() = status;
        let no_store = HeaderValue::from_static("no-store");
        head.headers_mut().insert(CACHE_CONTROL, no_store);
        Self {
            head,
            content: Content::Empty,
            receipt: Receipt::default(),
        }
    }

    /// JSON, which nobody may store. It is wiped once it has been sent: it may hold a secret.
    pub fn json(status: StatusCode, value: &impl Serialize) -> serde_json::Result<Self> {
        let bytes = wiped_json(value)?;
        let mut answer = Self::empty(status);
        // Exactly this: HashiCorp's clients compare it as a text.
        let kind = HeaderValue::from_static("application/json");
        answer.head.headers_mut().insert(CONTENT_TYPE, kind);
        answer.content = Content::Whole(Bytes::from_owner(bytes));
        Ok(answer)
    }
}

/// The body of an answer.
pub enum Content {
    /// None.
    Empty,
    /// All of it.
    Whole(Bytes),
    /// As it comes.
    Stream {
        /// How many bytes it has.
        length: u64,
        /// The bytes. After an error the answer breaks off.
        pieces: Pieces,
    },
    /// As it comes, and nobody knows how much.
    Open {
        /// The bytes. After an error the answer breaks off.
        pieces: Pieces,
    },
}

/// The bytes of a streamed answer, each verified before it is here.
pub type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, Fault>> + Send>>;

/// The body that a listener sends.
pub struct Body(Inner);

enum Inner {
    Whole(Bytes),
    Stream {
        /// What is still to come, where that is known.
        left: Option<u64>,
        pieces: Pin<Box<dyn Stream<Item = Result<Bytes, BrokenOff>> + Send>>,
    },
}

/// The answer cannot be brought to its end; the connection has to show that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer broke off")]
pub struct BrokenOff;

impl Body {
    /// A body that is there.
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Inner::Whole(bytes))
    }

    /// A body of `length` bytes, or of as many as come, in pieces.
    pub(super) fn stream(
        length: Option<u64>,
        pieces: impl Stream<Item = Result<Bytes, BrokenOff>> + Send + 'static,
    ) -> Self {
        Self(Inner::Stream {
            left: length,
            pieces: Box::pin(pieces),
        })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut self.get_mut().0 {
            Inner::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Inner::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Inner::Stream { left, pieces } => pieces.as_mut().poll_next(cx).map(|piece| {
                piece.map(|piece| {
                    piece.map(|bytes| {
                        if let Some(left) = left {
                            *left = left.saturating_sub(bytes.len() as u64);
                        }
                        Frame::data(bytes)
                    })
                })
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(bytes) => bytes.is_empty(),
            Inner::Stream { left, .. } => *left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Stream { left, .. } => left.map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}

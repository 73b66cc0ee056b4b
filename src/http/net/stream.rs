use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::activity::Activity;

/// A socket below TLS and HTTP. It notes when bytes come in, fails when the client takes nothing
/// for too long, and closes so that the client can still read the last answer.
pub(super) struct GuardedStream<S> {
    inner: S,
    activity: Arc<Activity>,
    stall_max: Duration,
    /// Runs only while a write waits for the client.
    stall: Option<Pin<Box<Sleep>>>,
    linger: Linger,
}

/// The way to close. A socket that is closed while bytes of the client wait in it sends a reset,
/// which makes the client's system throw away the answer, as when a large upload is refused. So
/// the rest is read for a while, as nginx does under the name of lingering close.
enum Linger {
    Open,
    Discarding { left: usize, end: Pin<Box<Sleep>> },
    Closed,
}

impl<S> GuardedStream<S> {
    pub(super) fn new(inner: S, activity: Arc<Activity>, stall_max: Duration) -> Self {
        Self {
            inner,
            activity,
            stall_max,
            stall: None,
            linger: Linger::Open,
        }
    }

    fn or_stalled<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stall = None;
            return outcome;
        }
        let stall = self
            .stall
            .get_or_insert_with(|| Box::pin(sleep(self.stall_max)));
        ready!(stall.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            this.activity.bytes_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.or_stalled(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
        this.or_stalled(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.linger {
                Linger::Open => {
                    ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
                    this.linger = if this.activity.is_body_unread() {
                        Linger::Discarding {
                            left: LINGER_BYTES_MAX,
                            end: Box::pin(sleep(LINGER_MAX)),
                        }
                    } else {
                        Linger::Closed
                    };
                }
                Linger::Discarding { left, end } => {
                    let mut scratch = [0; 16 << 10];
                    let mut buffer = ReadBuf::new(&mut scratch);
                    let over = end.as_mut().poll(cx).is_ready() || *left == 0;
                    if !over {
                        let read = ready!(Pin::new(&mut this.inner).poll_read(cx, &mut buffer));
                        let length = buffer.filled().len();
                        if read.is_ok() && length > 0 {
                            *left = left.saturating_sub(length);
                            continue;
                        }
                    }
                    this.linger = Linger::Closed;
                }
                Linger::Closed => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// What a refused client may still send before it is cut off.
const LINGER_MAX: Duration = Duration::from_secs(5);
const LINGER_BYTES_MAX: usize = 64 << 20;

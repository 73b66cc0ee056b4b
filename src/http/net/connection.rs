use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::TlsAcceptor;

use super::activity::{Activity, Phase};
use super::body::{RequestBody, ResponseBody, StreamState};
use super::stop::Stop;
use super::stream::GuardedStream;
use crate::config::Net;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The address of the client, or of the proxy before it.
    pub address: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// The server name that the client asked for in its TLS handshake.
    pub server_name: Option<Box<str>>,
}

/// The bounds of every connection of a listener.
pub(super) struct Rules {
    net: Net,
    http: Builder<StreamExecutor>,
}

impl Rules {
    pub(super) fn new(net: &Net) -> Self {
        let mut http = Builder::new(StreamExecutor {
            stall_max: net.write_idle_timeout,
        });
        http.http1()
            .timer(TokioTimer::new())
            // `Guarded` measures header and idle time: hyper's one timer cannot tell them apart,
            // and starts only after the first bytes have told the version of the protocol.
            .header_read_timeout(None)
            .half_close(true)
            .max_headers(net.headers_max as usize)
            // Bounds the reads of bodies, too: `handle` enforces the smaller bound of headers.
            .max_buf_size(H1_BUFFER_BYTES_MAX.max(net.header_bytes_max as usize));
        http.http2()
            .timer(TokioTimer::new())
            .adaptive_window(true)
            .max_concurrent_streams(net.streams_max)
            .max_header_list_size(u32::try_from(net.header_bytes_max).unwrap_or(u32::MAX))
            // Rapid reset (CVE-2023-44487): streams that the client opens only to reset them.
            .max_pending_accept_reset_streams(H2_RESETS_MAX)
            .max_local_error_reset_streams(H2_RESETS_MAX)
            .max_send_buf_size(H2_SEND_BYTES_MAX)
            // Notices a client that is gone without a word.
            .keep_alive_interval(net.keepalive_timeout)
            .keep_alive_timeout(H2_PING_MAX);
        Self {
            net: net.clone(),
            http,
        }
    }
}

/// A connection that was accepted, and what it is served by.
pub(super) struct Connection<H> {
    pub(super) address: SocketAddr,
    pub(super) rules: Arc<Rules>,
    pub(super) stop: Stop,
    pub(super) handler: H,
}

impl<H, F, B> Connection<H>
where
    H: Fn(Request<RequestBody>, Arc<Peer>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Serves it to its end. Errors of the client's making end it and are no event for the log.
    pub(super) async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY refused");
        }
        let address = self.address;
        let net = &self.rules.net;
        let activity = Arc::new(Activity::default());
        let stream = GuardedStream::new(stream, Arc::clone(&activity), net.write_idle_timeout);
        let Some(tls) = tls else {
            let peer = Peer {
                address,
                tls: false,
                server_name: None,
            };
            return self.speak(stream, peer, activity).await;
        };
        let handshake = tokio::time::timeout(net.tls_handshake_timeout, tls.accept(stream));
        let handshake = tokio::select! {
            handshake = handshake => handshake,
            () = self.stop.requested() => return,
        };
        match handshake {
            Ok(Ok(stream)) => {
                let server_name = stream.get_ref().1.server_name().map(Into::into);
                let peer = Peer {
                    address,
                    tls: true,
                    server_name,
                };
                self.speak(stream, peer, activity).await;
            }
            Ok(Err(error)) => tracing::debug!(%address, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(%address, "TLS handshake took too long"),
        }
    }

    async fn speak<S>(self, stream: S, peer: Peer, activity: Arc<Activity>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self {
            address,
            rules,
            stop,
            handler,
        } = self;
        let peer = Arc::new(peer);
        let service = {
            let activity = Arc::clone(&activity);
            let net = rules.net.clone();
            service_fn(move |request| {
                handle(request, &net, &activity, Arc::clone(&peer), handler.clone())
            })
        };
        let mut connection = pin!(rules.http.serve_connection(TokioIo::new(stream), service));
        let mut stopping = pin!(stop.requested());
        let mut is_stopping = false;
        let mut bounds = Bounds::new(&rules.net, activity);
        let ended = std::future::poll_fn(|cx| {
            if !is_stopping && stopping.as_mut().poll(cx).is_ready() {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            match connection.as_mut().poll(cx) {
                Poll::Ready(ended) => Poll::Ready(ended),
                Poll::Pending => bounds.poll_exceeded(cx).map(|phase| Err(late(phase))),
            }
        });
        if let Err(error) = ended.await {
            tracing::debug!(%address, %error, "connection ended");
        }
    }
}

fn late(phase: Phase) -> Box<dyn std::error::Error + Send + Sync> {
    io::Error::new(
        io::ErrorKind::TimedOut,
        match phase {
            Phase::Idle => "no request within keepalive_timeout",
            Phase::Header | Phase::Busy => "no whole header within header_timeout",
        },
    )
    .into()
}

/// Ends a connection that stays too long in a phase that has a bound.
struct Bounds {
    header_max: Duration,
    idle_max: Duration,
    activity: Arc<Activity>,
    /// The phase that the timer runs for, by the number of its change.
    armed: Option<u64>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Bounds {
    fn new(net: &Net, activity: Arc<Activity>) -> Self {
        Self {
            header_max: net.header_timeout,
            idle_max: net.keepalive_timeout,
            activity,
            armed: None,
            timer: None,
        }
    }

    /// Called whenever the connection has nothing more to do, by the task of the connection.
    fn poll_exceeded(&mut self, cx: &mut Context<'_>) -> Poll<Phase> {
        self.activity.waker().register(cx.waker());
        let (phase, change) = self.activity.phase();
        let bound = match phase {
            Phase::Busy => return Poll::Pending,
            Phase::Header => self.header_max,
            Phase::Idle => self.idle_max,
        };
        if self.armed != Some(change) {
            self.armed = Some(change);
            match &mut self.timer {
                Some(timer) => timer.set(sleep(bound)),
                None => self.timer = Some(Box::pin(sleep(bound))),
            }
        }
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(cx).map(|()| phase),
            None => Poll::Pending,
        }
    }
}

/// One request: its header bounds, its answer, and what becomes of a panic.
fn handle<H, F, B>(
    request: Request<Incoming>,
    net: &Net,
    activity: &Arc<Activity>,
    peer: Arc<Peer>,
    handler: H,
) -> impl Future<Output = Result<Response<ResponseBody<B>>, Infallible>> + Send + use<H, F, B>
where
    H: Fn(Request<RequestBody>, Arc<Peer>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
{
    let in_flight = activity.request(request.version() == Version::HTTP_2);
    let fits = header_bytes(request.uri(), request.headers()) as u64 <= net.header_bytes_max;
    let request = request
        .map(|incoming| RequestBody::new(incoming, net.body_idle_timeout, Arc::clone(activity)));
    let activity = Arc::clone(activity);
    async move {
        // A stream of HTTP/2 runs in a task of its own, which `StreamExecutor` gave this state.
        let stream = STREAM.try_with(Arc::clone).ok();
        let answered = if fits {
            AssertUnwindSafe(async { handler(request, peer).await })
                .catch_unwind()
                .await
                .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
        } else {
            drop(request);
            Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        };
        let mut response = match answered {
            Ok(response) => response.map(|body| ResponseBody::new(Some(body), stream, in_flight)),
            // The panic hook has logged what happened and where.
            Err(status) => {
                let mut response = Response::new(ResponseBody::new(None, stream, in_flight));
                *response.status_mut() = status;
                response
            }
        };
        // A client that expected `100 Continue` never sends the body that was refused, and what it
        // sends next on this connection would be taken for that body (RFC 9110, section 10.1.1).
        if activity.is_body_unread() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        Ok(response)
    }
}

/// The size of a header section as HTTP/1 writes it, within a few bytes.
fn header_bytes(uri: &Uri, headers: &HeaderMap) -> usize {
    let target = uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let fields: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum();
    target + fields
}

/// Runs each stream of HTTP/2, and breaks off one whose client takes nothing of what is ready.
///
/// On HTTP/1 such a client stalls the socket, which `GuardedStream` sees; on HTTP/2 it withholds
/// window, and the socket looks idle.
#[derive(Clone)]
struct StreamExecutor {
    stall_max: Duration,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        let state = Arc::new(StreamState::default());
        let stall_max = self.stall_max;
        tokio::spawn(STREAM.scope(Arc::clone(&state), async move {
            let mut future = pin!(future);
            let mut stall = pin!(sleep(stall_max));
            let mut stalled_at = None;
            std::future::poll_fn(|cx| {
                if future.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                let Some(chunk) = state.offered() else {
                    return Poll::Pending;
                };
                if stalled_at != Some(chunk) {
                    stalled_at = Some(chunk);
                    stall.set(sleep(stall_max));
                }
                stall.as_mut().poll(cx)
            })
            .await;
        }));
    }
}

tokio::task_local! {
    static STREAM: Arc<StreamState>;
}

const H1_BUFFER_BYTES_MAX: usize = 128 << 10;
const H2_SEND_BYTES_MAX: usize = 256 << 10;
const H2_RESETS_MAX: usize = 20;
const H2_PING_MAX: Duration = Duration::from_secs(20);

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::super::{Certificates, Listener, Peer, RequestBody, RequestBodyError, Stop};
use crate::config::Net;

/// A listener on a free port, and what its handler saw.
pub(super) struct House {
    pub(super) address: SocketAddr,
    pub(super) stop: Stop,
    pub(super) serving: JoinHandle<()>,
    pub(super) seen: mpsc::UnboundedReceiver<Seen>,
    /// Lets `/wait` answer.
    pub(super) go: Arc<Notify>,
    pub(super) connections: prometheus_client::metrics::gauge::Gauge,
}

#[derive(Debug)]
pub(super) enum Seen {
    Request(Version, Arc<Peer>),
    Body(Result<usize, RequestBodyError>),
}

impl House {
    pub(super) async fn open(net: Net, certificates: Option<&Certificates>) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::bind("test", address, certificates)
            .await
            .expect("bound");
        let address = listener.local_addr().expect("an address");
        let connections = listener.connections();
        let stop = Stop::new();
        let go = Arc::new(Notify::new());
        let (tell, seen) = mpsc::unbounded_channel();
        let serving = tokio::spawn({
            let (stop, go) = (stop.clone(), Arc::clone(&go));
            async move {
                let handler = move |request: Request<RequestBody>, peer: Arc<Peer>| {
                    let (tell, go) = (tell.clone(), Arc::clone(&go));
                    answer(request, peer, tell, go)
                };
                listener.serve(&net, stop, handler).await;
            }
        });
        Self {
            address,
            stop,
            serving,
            seen,
            go,
            connections,
        }
    }

    pub(super) async fn saw_request(&mut self) -> (Version, Arc<Peer>) {
        match self.seen.recv().await {
            Some(Seen::Request(version, peer)) => (version, peer),
            other => panic!("expected a request, saw {other:?}"),
        }
    }

    pub(super) async fn saw_body(&mut self) -> Result<usize, RequestBodyError> {
        match self.seen.recv().await {
            Some(Seen::Body(body)) => body,
            other => panic!("expected a body, saw {other:?}"),
        }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    /// A connection on which something was sent.
    pub(super) async fn sent(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.expect("sent");
        stream
    }

    /// A connection on which a path was asked for.
    pub(super) async fn get(&self, path: &str) -> TcpStream {
        self.sent(get(path)).await
    }
}

/// A request without a body.
pub(super) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

async fn answer(
    request: Request<RequestBody>,
    peer: Arc<Peer>,
    tell: mpsc::UnboundedSender<Seen>,
    go: Arc<Notify>,
) -> Answer {
    let tell = |seen| tell.send(seen).expect("the test listens");
    tell(Seen::Request(request.version(), peer));
    let full = |text: &'static str| {
        Response::new(
            Full::from(text)
                .map_err(|never| match never {})
                .boxed_unsync(),
        )
    };
    match request.uri().path() {
        "/panic" => panic!("a handler that panics"),
        "/wait" => {
            go.notified().await;
            full("waited")
        }
        "/refuse" => {
            let mut response = full("refused");
            *response.status_mut() = StatusCode::FORBIDDEN;
            response
        }
        "/body" => {
            let mut body = request.into_body();
            let mut length = 0;
            let outcome = loop {
                match body.frame().await {
                    Some(Ok(frame)) => length += frame.data_ref().map_or(0, Bytes::len),
                    Some(Err(error)) => break Err(error),
                    None => break Ok(length),
                }
            };
            tell(Seen::Body(outcome));
            full("read")
        }
        "/endless" => {
            let chunk = Bytes::from(vec![7; 1 << 20]);
            let chunks = futures_util::stream::repeat_with(move || Ok(Frame::data(chunk.clone())));
            let watched = Watched(StreamBody::new(chunks), go);
            Response::new(watched.boxed_unsync())
        }
        _ => full("hello"),
    }
}

/// Tells when a body is dropped.
struct Watched<B>(B, Arc<Notify>);

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        std::pin::Pin::new(&mut self.0).poll_frame(cx)
    }
}

impl<B> Drop for Watched<B> {
    fn drop(&mut self) {
        self.1.notify_one();
    }
}

pub(super) fn short() -> Duration {
    Duration::from_millis(50)
}

pub(super) async fn read_answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"hello") {
        let mut byte = [0];
        assert_eq!(
            stream.read(&mut byte).await.expect("readable"),
            1,
            "{text:?}"
        );
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("UTF-8")
}

pub(super) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.expect("a clean end");
    String::from_utf8(text).expect("UTF-8")
}

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

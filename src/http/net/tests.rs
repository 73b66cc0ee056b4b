use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::{Certificates, Listener, Peer, RequestBody, RequestBodyError, Stop, TlsError};
use crate::config::Net;

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// A listener on a free port, and what its handler saw.
struct House {
    address: SocketAddr,
    stop: Stop,
    serving: JoinHandle<()>,
    seen: mpsc::UnboundedReceiver<Seen>,
    /// Lets `/wait` answer.
    go: Arc<Notify>,
    connections: prometheus_client::metrics::gauge::Gauge,
}

#[derive(Debug)]
enum Seen {
    Request(Version, Arc<Peer>),
    Body(Result<usize, RequestBodyError>),
}

impl House {
    async fn open(net: Net, certificates: Option<&Certificates>) -> Self {
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

    async fn saw_request(&mut self) -> (Version, Arc<Peer>) {
        match self.seen.recv().await {
            Some(Seen::Request(version, peer)) => (version, peer),
            other => panic!("expected a request, saw {other:?}"),
        }
    }

    async fn saw_body(&mut self) -> Result<usize, RequestBodyError> {
        match self.seen.recv().await {
            Some(Seen::Body(body)) => body,
            other => panic!("expected a body, saw {other:?}"),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }
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

fn short() -> Duration {
    Duration::from_millis(50)
}

async fn read_answer(stream: &mut TcpStream) -> String {
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

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.expect("a clean end");
    String::from_utf8(text).expect("UTF-8")
}

/// A folder of certificates, each for the names given, and a client that trusts them.
struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a directory"),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn issue(&self, file: &str, names: &[&str]) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        std::fs::write(self.path().join(format!("{file}.crt")), made.cert.pem()).expect("written");
        let key = made.signing_key.serialize_pem();
        std::fs::write(self.path().join(format!("{file}.key")), key).expect("written");
        made.cert.der().clone()
    }
}

/// What a TLS client is shown for a server name, and what ALPN settles on.
async fn handshake(
    address: SocketAddr,
    name: &str,
    protocols: &[&str],
    trusted: &[&CertificateDer<'static>],
) -> std::io::Result<(CertificateDer<'static>, Option<Vec<u8>>)> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in trusted {
        roots.add((*certificate).clone()).expect("a root");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    let name = name.to_owned().try_into().expect("a server name");
    let stream = TcpStream::connect(address).await?;
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let session = stream.get_ref().1;
    let shown = session.peer_certificates().expect("a chain")[0]
        .clone()
        .into_owned();
    Ok((shown, session.alpn_protocol().map(<[u8]>::to_vec)))
}

fn client(trusted: &CertificateDer<'static>, house: &House, name: &str) -> reqwest::Client {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_der(trusted).expect("a root")])
        .resolve(name, house.address)
        .no_proxy()
        .build()
        .expect("a client")
}

#[tokio::test]
async fn http1_keeps_the_connection_and_names_the_peer() {
    let mut house = House::open(Net::default(), None).await;
    let mut stream = house.connect().await;
    for _ in 0..2 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .expect("sent");
        let text = read_answer(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        let (version, peer) = house.saw_request().await;
        assert_eq!(version, Version::HTTP_11);
        assert_eq!(peer.address, stream.local_addr().expect("an address"));
        assert!(!peer.tls && peer.server_name.is_none());
    }
    assert_eq!(house.connections.get(), 1);
}

#[tokio::test]
async fn a_client_that_closes_its_half_still_gets_its_answer() {
    let mut house = House::open(Net::default(), None).await;
    let mut stream = house.connect().await;
    stream
        .write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    stream.shutdown().await.expect("half closed");
    house.saw_request().await;
    // Nothing tells when the listener has seen the end.
    tokio::time::sleep(short()).await;
    house.go.notify_one();
    assert!(read_to_end(&mut stream).await.ends_with("waited"));
}

#[tokio::test]
async fn silence_and_slow_headers_end_by_header_timeout() {
    let net = Net {
        header_timeout: short(),
        ..Net::default()
    };
    let house = House::open(net, None).await;
    // Nothing at all, the beginning of a request line, the beginning of HTTP/2.
    for sent in ["", "GET / HTTP/1.1\r\nhost:", "PRI * HTTP/2.0"] {
        let mut stream = house.connect().await;
        stream.write_all(sent.as_bytes()).await.expect("sent");
        assert_eq!(read_to_end(&mut stream).await, "", "{sent}");
    }
    // Also after a request, when idle time would still allow more.
    let mut stream = house.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    read_answer(&mut stream).await;
    stream.write_all(b"GET /").await.expect("sent");
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn idle_connections_end_by_keepalive_timeout() {
    let net = Net {
        keepalive_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let mut stream = house.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    read_answer(&mut stream).await;
    assert_eq!(read_to_end(&mut stream).await, "");
    house.saw_request().await;

    // A request that takes longer than both is not idle.
    let net = Net {
        keepalive_timeout: short(),
        header_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let mut stream = house.connect().await;
    stream
        .write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    house.saw_request().await;
    tokio::time::sleep(short() * 4).await;
    house.go.notify_one();
    assert!(read_to_end(&mut stream).await.ends_with("waited"));
}

#[tokio::test]
async fn a_body_that_pauses_ends_with_an_error() {
    let net = Net {
        body_idle_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let mut stream = house.connect().await;
    let head = b"PUT /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345";
    stream.write_all(head).await.expect("sent");
    house.saw_request().await;
    assert!(matches!(
        house.saw_body().await,
        Err(RequestBodyError::Idle)
    ));

    let mut stream = house.connect().await;
    stream.write_all(head).await.expect("sent");
    house.saw_request().await;
    drop(stream);
    assert!(matches!(
        house.saw_body().await,
        Err(RequestBodyError::Broken(_))
    ));
}

#[tokio::test]
async fn a_whole_body_arrives() {
    let mut house = House::open(Net::default(), None).await;
    let mut stream = house.connect().await;
    let head = b"PUT /body HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n";
    stream.write_all(head).await.expect("sent");
    stream.write_all(&vec![1; 3_000_000]).await.expect("sent");
    house.saw_request().await;
    assert_eq!(house.saw_body().await.expect("whole"), 3_000_000);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let net = Net {
        write_idle_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let mut stream = house.connect().await;
    stream
        .write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    house.saw_request().await;
    house.go.notified().await;
    drop(stream);
}

#[tokio::test]
async fn a_refused_upload_still_reads_its_answer() {
    let house = House::open(Net::default(), None).await;
    let mut stream = house.connect().await;
    let head = b"PUT /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 8000000\r\n\r\n";
    stream.write_all(head).await.expect("sent");
    stream
        .write_all(&vec![1; 8_000_000])
        .await
        .expect("taken to the end");
    stream.shutdown().await.expect("half closed");
    let text = read_to_end(&mut stream).await;
    assert!(
        text.starts_with("HTTP/1.1 403 ") && text.ends_with("refused"),
        "{text}"
    );
}

#[tokio::test]
async fn what_follows_a_body_that_was_refused_unsent_is_no_part_of_it() {
    let house = House::open(Net::default(), None).await;
    let mut stream = house.connect().await;
    let head =
        b"PUT /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head).await.expect("sent");
    let text = read_to_end(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 403 "), "{text}");
    assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
}

#[tokio::test]
async fn large_headers_are_refused() {
    let net = Net {
        header_bytes_max: 8 << 10,
        headers_max: 16,
        ..Net::default()
    };
    let house = House::open(net, None).await;
    let with = async |fields: String| {
        let mut stream = house.connect().await;
        let head = format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        read_to_end(&mut stream).await
    };
    let field = |bytes: usize| format!("a: {}\r\n", "b".repeat(bytes));
    assert!(with(field(8_000)).await.starts_with("HTTP/1.1 200 "));
    assert!(with(field(8_200)).await.starts_with("HTTP/1.1 431 "));
    assert!(with(field(200_000)).await.starts_with("HTTP/1.1 431 "));
    assert!(
        with("a: b\r\n".repeat(14))
            .await
            .starts_with("HTTP/1.1 200 ")
    );
    assert!(
        with("a: b\r\n".repeat(15))
            .await
            .starts_with("HTTP/1.1 431 ")
    );
    let target = format!(
        "GET /{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "a".repeat(8_200)
    );
    let mut stream = house.connect().await;
    stream.write_all(target.as_bytes()).await.expect("sent");
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_panic_is_a_500_and_harms_nobody_else() {
    let house = House::open(Net::default(), None).await;
    let mut stream = house.connect().await;
    let request = b"GET /panic HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let text = read_answer(&mut stream).await;
    assert!(
        text.starts_with("HTTP/1.1 500 ") && text.contains("HTTP/1.1 200 "),
        "{text}"
    );
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_a_place() {
    let net = Net {
        connections_max: 1,
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let mut first = house.connect().await;
    first
        .write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    house.saw_request().await;
    let mut second = house.connect().await;
    second
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    let waiting = tokio::time::timeout(short(), house.seen.recv()).await;
    assert!(waiting.is_err(), "{waiting:?}");
    drop(first);
    house.go.notify_one();
    read_answer(&mut second).await;
    assert_eq!(house.connections.get(), 1);
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight_and_takes_nothing_new() {
    let mut house = House::open(Net::default(), None).await;
    let mut idle = house.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    read_answer(&mut idle).await;
    house.saw_request().await;
    let mut busy = house.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    house.saw_request().await;

    house.stop.request();
    assert_eq!(read_to_end(&mut idle).await, "");
    assert!(TcpStream::connect(house.address).await.is_err());
    assert!(!house.serving.is_finished());
    house.go.notify_one();
    assert!(read_to_end(&mut busy).await.ends_with("waited"));
    house.serving.await.expect("no panic");
    assert_eq!(house.connections.get(), 0);
}

#[tokio::test]
async fn a_stop_breaks_off_what_outlasts_the_drain() {
    let net = Net {
        drain_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let mut busy = house.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    house.saw_request().await;
    house.stop.request();
    house.serving.await.expect("no panic");
    let mut rest = Vec::new();
    let _reset_or_end = busy.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
    assert_eq!(house.connections.get(), 0);
}

#[tokio::test]
async fn tls_speaks_http2_and_http1_and_names_the_server() {
    let authority = Authority::new();
    let root = authority.issue("a", &["a.test"]);
    let certificates = Certificates::open(authority.path()).expect("a folder");
    let mut house = House::open(Net::default(), Some(&certificates)).await;
    let url = format!("https://a.test:{}/", house.address.port());

    let text = client(&root, &house, "a.test")
        .get(&url)
        .send()
        .await
        .expect("sent");
    assert_eq!(text.text().await.expect("a body"), "hello");
    let (_, peer) = house.saw_request().await;
    assert!(peer.tls);
    assert_eq!(peer.server_name.as_deref(), Some("a.test"));

    for (offered, settled) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let (_, alpn) = handshake(house.address, "a.test", offered, &[&root])
            .await
            .expect("a handshake");
        assert_eq!(alpn.as_deref(), settled.map(str::as_bytes));
    }
}

#[tokio::test]
async fn certificates_are_chosen_by_server_name() {
    let authority = Authority::new();
    let a = authority.issue("a", &["a.test", "*.a.test"]);
    let b = authority.issue("b", &["b.test"]);
    let certificates = Certificates::open(authority.path()).expect("a folder");
    let house = House::open(Net::default(), Some(&certificates)).await;
    let shown = async |name: &str, trusted: &CertificateDer<'static>| {
        handshake(house.address, name, &[], &[trusted])
            .await
            .map(|(shown, _)| shown)
    };
    assert_eq!(shown("a.test", &a).await.expect("shown"), a);
    assert_eq!(shown("bucket.a.test", &a).await.expect("shown"), a);
    assert_eq!(shown("b.test", &b).await.expect("shown"), b);
    assert!(shown("c.test", &a).await.is_err());
    assert!(shown("127.0.0.1", &a).await.is_err());

    // A new pair is used without a restart, and a broken one changes nothing.
    let fallback = authority.issue("default", &["other.test", "127.0.0.1"]);
    certificates.reload().expect("reloaded");
    assert_eq!(
        shown("127.0.0.1", &fallback).await.expect("shown"),
        fallback
    );
    assert_eq!(
        shown("other.test", &fallback).await.expect("shown"),
        fallback
    );
    assert_eq!(shown("b.test", &b).await.expect("shown"), b);
    std::fs::write(authority.path().join("b.key"), "not a key").expect("written");
    assert!(matches!(
        certificates.reload(),
        Err(TlsError::NotPem { .. })
    ));
    assert_eq!(shown("b.test", &b).await.expect("shown"), b);
}

#[test]
fn a_folder_that_is_not_whole_is_refused() {
    let authority = Authority::new();
    assert!(matches!(
        Certificates::open(authority.path()),
        Err(TlsError::Empty(_))
    ));
    authority.issue("a", &["a.test"]);
    authority.issue("b", &["b.test"]);
    assert!(Certificates::open(authority.path()).is_ok());
    let at = |name: &str| authority.path().join(name);
    std::fs::copy(at("a.key"), at("b.key")).expect("copied");
    assert!(matches!(
        Certificates::open(authority.path()),
        Err(TlsError::Unusable { .. })
    ));
    std::fs::remove_file(at("b.key")).expect("removed");
    assert!(matches!(
        Certificates::open(authority.path()),
        Err(TlsError::NoKey { .. })
    ));
    assert!(matches!(
        Certificates::open(&at("none")),
        Err(TlsError::Unreadable { .. })
    ));
}

#[tokio::test]
async fn a_handshake_that_stands_still_ends() {
    let authority = Authority::new();
    authority.issue("a", &["a.test"]);
    let certificates = Certificates::open(authority.path()).expect("a folder");
    let net = Net {
        tls_handshake_timeout: short(),
        ..Net::default()
    };
    let house = House::open(net, Some(&certificates)).await;
    let mut stream = house.connect().await;
    assert_eq!(read_to_end(&mut stream).await, "");
}

/// A connection that speaks HTTP/2 from the first byte, and the task that drives it.
async fn http2(
    house: &House,
    builder: &h2::client::Builder,
) -> (
    h2::client::SendRequest<Bytes>,
    JoinHandle<Result<(), h2::Error>>,
) {
    let stream = house.connect().await;
    let (send, connection) = builder.handshake(stream).await.expect("a connection");
    (send.ready().await.expect("ready"), tokio::spawn(connection))
}

fn get(path: &str) -> Request<()> {
    let request = Request::get(format!("http://x{path}")).version(Version::HTTP_2);
    request.body(()).expect("a request")
}

#[tokio::test]
async fn http2_survives_a_panic_and_ends_when_idle() {
    let net = Net {
        keepalive_timeout: short(),
        header_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let (mut send, driver) = http2(&house, &h2::client::Builder::new()).await;
    for (path, status) in [("/panic", 500), ("/", 200), ("/body", 200)] {
        let (response, _) = send.send_request(get(path), true).expect("sent");
        let response = response.await.expect("answered");
        assert_eq!(response.status(), status);
        let mut body = response.into_body();
        while let Some(chunk) = body.data().await {
            chunk.expect("whole");
        }
        assert_eq!(house.saw_request().await.0, Version::HTTP_2);
        if path == "/body" {
            assert_eq!(house.saw_body().await.expect("whole"), 0);
        }
    }
    // A request that takes longer than both bounds is not idle; afterwards the connection is.
    let (response, _) = send.send_request(get("/wait"), true).expect("sent");
    house.saw_request().await;
    tokio::time::sleep(short() * 4).await;
    house.go.notify_one();
    assert_eq!(response.await.expect("answered").status(), 200);
    let _ended = driver.await.expect("no panic");
}

#[tokio::test]
async fn http2_streams_that_take_nothing_are_reset_and_others_go_on() {
    let net = Net {
        write_idle_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let mut builder = h2::client::Builder::new();
    builder
        .initial_window_size(100_000)
        .initial_connection_window_size(10_000_000);
    let (mut send, _driver) = http2(&house, &builder).await;
    let (response, _) = send.send_request(get("/endless"), true).expect("sent");
    house.saw_request().await;
    let mut body = response.await.expect("answered").into_body();
    // The window is never given back.
    house.go.notified().await;
    let broken = loop {
        match body.data().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("an endless body ended"),
        }
    };
    assert!(broken.is_reset(), "{broken}");
    let (response, _) = send.send_request(get("/"), true).expect("sent");
    assert_eq!(response.await.expect("answered").status(), 200);
}

#[tokio::test]
async fn http2_readers_that_go_on_are_served_for_longer_than_the_bound() {
    let bound = Duration::from_millis(600);
    let net = Net {
        write_idle_timeout: bound,
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let mut builder = h2::client::Builder::new();
    builder
        .initial_window_size(70_000)
        .initial_connection_window_size(70_000);
    let (mut send, _driver) = http2(&house, &builder).await;
    let (response, _) = send.send_request(get("/endless"), true).expect("sent");
    house.saw_request().await;
    let mut body = response.await.expect("answered").into_body();
    // Five times a quarter of the bound, with one window taken after each.
    for _ in 0..5 {
        tokio::time::sleep(bound / 4).await;
        let mut taken = 0;
        while taken < 70_000 {
            let chunk = body.data().await.expect("more").expect("no reset");
            taken += chunk.len();
        }
        body.flow_control()
            .release_capacity(taken)
            .expect("given back");
    }
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    // Frames of RFC 9113: length (24 bits), type, flags, stream (32 bits), payload.
    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];
    // GET, http, /, and the authority x.
    let fields = [0x82, 0x86, 0x84, 0x41, 1, b'x'];

    let house = House::open(Net::default(), None).await;
    let mut stream = house.connect().await;
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    flood.extend(frame(SETTINGS, 0, 0, &[]));
    for number in 0..2_000 {
        flood.extend(frame(HEADERS, 0x4 | 0x1, 2 * number + 1, &fields));
        flood.extend(frame(RST_STREAM, 0, 2 * number + 1, &[0, 0, 0, 8]));
    }
    let (mut reading, mut writing) = stream.split();
    let mut answered = Vec::new();
    // The connection may be closed before all is written, and with a reset.
    let write = async {
        writing.write_all(&flood).await?;
        writing.shutdown().await
    };
    let _ = tokio::join!(write, reading.read_to_end(&mut answered));

    let mut rest = answered.as_slice();
    let mut calmed = false;
    while let Some((head, tail)) = rest.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (payload, next) = tail.split_at(length.min(tail.len()));
        calmed |= head[3] == GOAWAY && payload.get(4..8) == Some(&ENHANCE_YOUR_CALM[..]);
        rest = next;
    }
    assert!(calmed, "{answered:?}");
}

//! One request on a connection of its own, and all the bytes that come back: whether an answer
//! came to its end is not left to a client to judge.

use std::net::SocketAddr;

use bulkhead::clock::Clock;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use time::UtcDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::REGION;
use super::sign::{Key, Signer, UNSIGNED};

/// What came back until the connection ended.
#[derive(Debug)]
pub struct RawAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// As much of its body as came.
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// How long the body was said to be.
    pub fn length(&self) -> usize {
        let length = self.headers["content-length"].to_str().expect("text");
        length.parse().expect("a number")
    }

    /// Whether the body came to its end.
    pub fn is_whole(&self) -> bool {
        self.body.len() == self.length()
    }

    /// The request's identifier.
    pub fn request_id(&self) -> &str {
        self.headers["x-amz-request-id"].to_str().expect("text")
    }
}

/// A request whose head the server has taken, and whose body it waits for.
pub struct Begun(TcpStream);

/// Asks for an object over HTTP/1.1, and reads until the server closes the connection.
pub async fn get(server: SocketAddr, key: &Key, target: &str, range: Option<&str>) -> RawAnswer {
    let fields = range.map(|range| ("range", range.to_owned()));
    let request = request(server, Method::GET, target, fields.as_slice());
    let mut stream = sent(server, key, request).await;
    let answer = rest(&mut stream).await;
    answer.expect("an answer")
}

/// Begins to put an object of `length` bytes, and returns once the server works on it.
pub async fn begin_put(server: SocketAddr, key: &Key, target: &str, length: usize) -> Begun {
    let fields = [
        ("content-length", length.to_string()),
        ("expect", "100-continue".to_owned()),
    ];
    let request = request(server, Method::PUT, target, &fields);
    let mut stream = sent(server, key, request).await;
    let mut head = [0; CONTINUE.len()];
    stream.read_exact(&mut head).await.expect("a head");
    assert_eq!(head, CONTINUE);
    Begun(stream)
}

impl Begun {
    /// Sends the body and reads until the server closes the connection. Returns nothing when no
    /// answer came before.
    pub async fn finish(mut self, body: &[u8]) -> Option<RawAnswer> {
        self.0.write_all(body).await.ok()?;
        rest(&mut self.0).await
    }
}

fn request(
    server: SocketAddr,
    method: Method,
    target: &str,
    fields: &[(&str, String)],
) -> Request<()> {
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", server.to_string())
        .header("connection", "close");
    for (name, value) in fields {
        request = request.header(*name, value);
    }
    request.body(()).expect("a request")
}

/// Signs a request and sends its head on a connection of its own.
async fn sent(server: SocketAddr, key: &Key, mut request: Request<()>) -> TcpStream {
    let seconds = i64::try_from(Clock::system().now_seconds()).expect("a date");
    let now = UtcDateTime::from_unix_timestamp(seconds).expect("a date");
    Signer::new(key.clone(), REGION).sign(&mut request, UNSIGNED, now);
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().expect("text"));
    }
    text += "\r\n";
    let mut stream = TcpStream::connect(server).await.expect("a connection");
    stream.write_all(text.as_bytes()).await.expect("it is sent");
    stream
}

/// What comes until the connection ends, if that is an answer.
async fn rest(stream: &mut TcpStream) -> Option<RawAnswer> {
    let mut received = Vec::new();
    // A connection that is reset has ended as well as one that is closed.
    let _ended = stream.read_to_end(&mut received).await;
    (!received.is_empty()).then(|| parsed(&received))
}

fn parsed(received: &[u8]) -> RawAnswer {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.expect("a whole head");
    let head = std::str::from_utf8(&received[..end]).expect("text");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|code| code.parse().ok());
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(": ").expect("a field");
        let name: HeaderName = name.parse().expect("a name");
        (name, HeaderValue::from_str(value).expect("a value"))
    });
    RawAnswer {
        status: status.expect("a status"),
        headers: fields.collect(),
        body: received[end + 4..].to_vec(),
    }
}

const CONTINUE: [u8; 25] = *b"HTTP/1.1 100 Continue\r\n\r\n";

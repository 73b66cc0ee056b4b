//! A small S3 client that sends what it is told and normalizes nothing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Mutex;

use bulkhead::clock::Clock;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use time::UtcDateTime;
use tokio::net::TcpStream;

use super::sign::{Key, Signer, UNSIGNED, sha256};

/// Speaks to one server with one access key, over as many connections as it has requests in
/// flight.
pub struct Client {
    address: SocketAddr,
    signer: Signer,
    /// What a session of STS has to show with every request.
    token: Option<String>,
    clock: Clock,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Why there is no answer: the connection could not be made, or broke.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Client {
    /// Speaks to `address`.
    pub fn new(address: SocketAddr, key: Key) -> Self {
        Self::of_service(address, key, "s3")
    }

    /// Speaks to `address` of another of Amazon's services.
    pub fn of_service(address: SocketAddr, key: Key, service: &'static str) -> Self {
        Self {
            address,
            signer: Signer::for_service(key, REGION, service),
            token: None,
            clock: Clock::system(),
            idle: Mutex::default(),
        }
    }

    /// Shows the token of a session with every request.
    pub fn with_token(self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self
        }
    }

    /// Sends a signed request and reads the whole answer. `target` is path and query, encoded.
    ///
    /// # Errors
    ///
    /// If the connection breaks.
    pub async fn send(
        &self,
        method: Method,
        target: &str,
        fields: &[(&'static str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Failure> {
        let mut request = self.request(method, target, fields, Full::new(body.into()))?;
        self.signer.sign(&mut request, UNSIGNED, self.now());
        self.exchange(request).await
    }

    /// Asks for an operation of a service that speaks JSON, in a request that is signed over its
    /// body.
    ///
    /// # Errors
    ///
    /// If the connection breaks.
    pub async fn ask(&self, target: &str, body: &str) -> Result<Answer, Failure> {
        let fields = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
        ];
        let bytes = Bytes::from(body.to_owned());
        let mut request = self.request(Method::POST, "/", &fields, Full::new(bytes))?;
        let payload = sha256(body.as_bytes());
        self.signer.sign(&mut request, &payload, self.now());
        self.exchange(request).await
    }

    /// Sends a form in a request that is signed over its body.
    ///
    /// # Errors
    ///
    /// If the connection breaks.
    pub async fn send_form(&self, form: &str) -> Result<Answer, Failure> {
        let fields = [("content-type", FORM)];
        let body = Bytes::from(form.to_owned());
        let mut request = self.request(Method::POST, "/", &fields, Full::new(body))?;
        let payload = sha256(form.as_bytes());
        self.signer.sign(&mut request, &payload, self.now());
        self.exchange(request).await
    }

    /// As [`send`](Self::send), without a signature.
    ///
    /// # Errors
    ///
    /// If the connection breaks.
    pub async fn send_unsigned(
        &self,
        method: Method,
        target: &str,
        fields: &[(&'static str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Failure> {
        self.exchange(self.request(method, target, fields, Full::new(body.into()))?)
            .await
    }

    /// Sends a signed request whose body is made while it is sent, on a connection of its own.
    ///
    /// # Errors
    ///
    /// If the connection breaks.
    pub async fn send_streamed<B>(
        &self,
        method: Method,
        target: &str,
        body: B,
    ) -> Result<Answer, Failure>
    where
        B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
    {
        let mut request = self.request(method, target, &[], body)?;
        self.signer.sign(&mut request, UNSIGNED, self.now());
        let mut connection = self.connect().await?;
        let (head, body) = connection.send_request(request).await?.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    }

    /// Sends a signed request and shows `each` piece of the answer's body instead of keeping it.
    ///
    /// # Errors
    ///
    /// If the connection breaks.
    pub async fn receive(
        &self,
        method: Method,
        target: &str,
        fields: &[(&'static str, &str)],
        body: impl Into<Bytes>,
        mut each: impl FnMut(&[u8]),
    ) -> Result<StatusCode, Failure> {
        let mut request = self.request(method, target, fields, Full::new(body.into()))?;
        self.signer.sign(&mut request, UNSIGNED, self.now());
        let (response, connection) = self.begin(request).await?;
        let (head, mut body) = response.into_parts();
        while let Some(frame) = body.frame().await {
            if let Some(piece) = frame?.data_ref() {
                each(piece);
            }
        }
        self.keep(connection);
        Ok(head.status)
    }

    fn request<B>(
        &self,
        method: Method,
        target: &str,
        fields: &[(&'static str, &str)],
        body: B,
    ) -> Result<Request<B>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", self.address.to_string());
        if let Some(token) = &self.token {
            request = request.header("x-amz-security-token", token);
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        Ok(request.body(body)?)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let (response, connection) = self.begin(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        self.keep(connection);
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    async fn begin(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, SendRequest<Full<Bytes>>), Failure> {
        let mut connection = loop {
            let Some(mut idle) = self.idle().pop() else {
                break self.connect().await?;
            };
            // The server may have closed it meanwhile.
            if idle.ready().await.is_ok() {
                break idle;
            }
        };
        Ok((connection.send_request(request).await?, connection))
    }

    async fn connect<B>(&self) -> Result<SendRequest<B>, Failure>
    where
        B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
    {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its errors reach whoever waits for the answer.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn keep(&self, connection: SendRequest<Full<Bytes>>) {
        self.idle().push(connection);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        self.idle.lock().expect("no panic while it is held")
    }

    fn now(&self) -> UtcDateTime {
        let seconds = i64::try_from(self.clock.now_seconds()).expect("a date");
        UtcDateTime::from_unix_timestamp(seconds).expect("a date")
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
/// The region that a server is in when nothing else is set.
pub const REGION: &str = "us-east-1";

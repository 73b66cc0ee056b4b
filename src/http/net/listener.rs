use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::body::RequestBody;
use super::connection::{Connection, Peer, Rules};
use super::stop::Stop;
use super::tls::Certificates;
use crate::config::Net;

/// A bound socket that is ready to serve.
pub struct Listener {
    name: &'static str,
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    open: Gauge,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one. `name` is what logs call this listener.
    ///
    /// # Errors
    ///
    /// The system's, with address and name in the text.
    pub async fn bind(
        name: &'static str,
        address: SocketAddr,
        certificates: Option<&Certificates>,
    ) -> io::Result<Self> {
        let tls = certificates
            .map(Certificates::server_config)
            .transpose()
            .map_err(io::Error::other)?
            .map(|config| TlsAcceptor::from(Arc::new(config)));
        let socket = TcpListener::bind(address).await.map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot listen on {address} ([{name}] listen): {error}"),
            )
        })?;
        Ok(Self {
            name,
            socket,
            tls,
            open: Gauge::default(),
        })
    }

    /// Where it listens, with the port that port 0 became.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The number of connections that are open.
    pub fn connections(&self) -> Gauge {
        self.open.clone()
    }

    /// Accepts and serves connections until the stop, then lets requests in flight finish for
    /// `drain_timeout`, then breaks off what is left.
    ///
    /// `handler` answers every request. If it panics, the client gets a 500 without a body.
    pub async fn serve<H, F, B>(self, net: &Net, stop: Stop, handler: H)
    where
        H: Fn(Request<RequestBody>, Arc<Peer>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Self {
            name,
            socket,
            tls,
            open,
        } = self;
        let rules = Arc::new(Rules::new(net));
        let places = Arc::new(Semaphore::new(net.connections_max as usize));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.requested() => break,
                Some(ended) = connections.join_next() => {
                    report(name, ended);
                    continue;
                }
                accepted = accept(&socket, &places) => accepted,
            };
            let (place, (stream, address)) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => {
                    // Most often there are no file descriptors left: a connection that ends gives
                    // one back, and asking again at once would only burn time.
                    tracing::error!(listener = name, %error, "cannot accept connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let open = Open::new(&open);
            let connection = Connection {
                address,
                rules: Arc::clone(&rules),
                stop: stop.clone(),
                handler: handler.clone(),
            };
            let tls = tls.clone();
            connections.spawn(async move {
                connection.serve(stream, tls).await;
                drop((open, place));
            });
        }
        drop(socket);
        let drained = tokio::time::timeout(net.drain_timeout, async {
            while let Some(ended) = connections.join_next().await {
                report(name, ended);
            }
        });
        if drained.await.is_err() {
            let count = connections.len();
            tracing::warn!(
                listener = name,
                count,
                "connections broken off after drain_timeout"
            );
            connections.shutdown().await;
        }
    }
}

/// Waits for a place first: connections over the limit stay in the accept queue of the system.
async fn accept(
    socket: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(tokio::sync::OwnedSemaphorePermit, (TcpStream, SocketAddr))> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    Ok((place, socket.accept().await?))
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

fn report(name: &'static str, ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(listener = name, "a connection ended by a panic");
    }
}

/// Counts one open connection, however its task ends.
struct Open(Gauge);

impl Open {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

//! Listeners: sockets, TLS, HTTP/1.1 and HTTP/2, the bounds of a connection, and a graceful stop.
//! What a request means is the business of the function that a listener is given.

mod activity;
mod body;
mod connection;
mod listener;
mod stop;
mod stream;
mod tls;

#[cfg(test)]
mod tests;

pub use body::{RequestBody, RequestBodyError};
pub use connection::Peer;
pub use listener::Listener;
pub use stop::Stop;
pub use tls::{Certificates, TlsError};

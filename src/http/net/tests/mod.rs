//! Listeners on real sockets, as clients of every kind use and misuse them.

mod house;
mod http1;
mod http2;
mod stop;
mod tls;

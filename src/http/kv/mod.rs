//! HashiCorp Vault's HTTP API, as far as its clients use it for secrets of the engine KV, version
//! 2, mounted at `secret/`: `/v1` of the control listener. A token is an API token or session of
//! ours.

mod answer;
mod capabilities;
mod door;
mod error;
mod metadata;
mod routes;
mod service;
mod system;
mod token;
mod values;

#[cfg(test)]
mod tests;

pub use error::KvError;
pub use routes::{Operation, ROUTES, Route, VersionChange};
pub use service::Kv;

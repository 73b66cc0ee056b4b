//! HashiCorp Vault's HTTP API as far as its secrets engine KV, version 2, needs it: hostile paths
//! and JSON ⇄ typed messages.

mod body;
mod duration;
mod merge;
mod object;
mod query;
mod target;

#[cfg(test)]
mod tests;

pub use body::{
    Field, Flag, Login, MetadataChange, Milliseconds, Number, ValueWrite, parse_paths,
    parse_versions,
};
pub use duration::{format_duration, parse_duration};
pub use merge::{merged, subkeys};
pub use object::Object;
pub use query::Query;
pub use target::{InvalidTarget, Place, Target};

/// The body, or the query, does not say what it has to. It quotes nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidMessage(pub &'static str);

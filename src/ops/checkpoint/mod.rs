//! Signed checkpoints: what the catalog and the logs were at a time, kept outside both, so that a
//! catalog that was rolled back or cut can be told from the one that was.

mod file;
mod line;
mod prune;
mod service;

pub(super) use file::CheckpointFile;
pub(super) use line::Line;
pub(super) use prune::left;
pub(super) use service::difference;
pub use service::{CheckpointError, Checkpoints};

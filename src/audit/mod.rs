//! The activity log: sealed, hash-chained segments per organization and node, and the reader that
//! verifies them.

mod chain;
mod counters;
mod entry;
mod event;
mod gather;
mod log;
mod queue;
mod read;
mod refusals;
mod segment;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use entry::{Entry, Logged, Outcome};
pub use event::{Decision, Event, PlatformEvent};
pub use log::{Audit, AuditError};
pub use read::{AuditReader, ReadError};
pub use verify::{ChainHead, ChainReport, Finding, Head, Report, Verifier};

//! The activity log: sealed, hash-chained segments per organization and node, and the reader that
//! verifies them.

mod activity;
mod actor;
mod chain;
mod codec;
mod counters;
mod cursor;
mod entry;
mod event;
mod gather;
mod log;
mod ocsf;
mod query;
mod queue;
mod read;
mod refusals;
mod segment;
mod sign_in;
mod source;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use activity::{ActivityPage, ActivityReader, Found, Illegible};
pub use actor::{Actor, ActorKind, ShownCredential};
pub use cursor::{Cursor, InvalidCursor};
pub use entry::{Entry, Logged, Outcome};
pub use event::{Decision, Event, PlatformEvent};
pub use log::{Audit, AuditError};
pub use query::{ActivityQuery, Decided, Order};
pub use read::{AuditReader, ReadError};
pub use sign_in::{SignIn, SignInMethod};
pub use verify::{ChainHead, ChainReport, Finding, Head, Report, Verifier};

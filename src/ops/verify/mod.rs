//! Verification: whether the catalog is what was written to it, and all of that.

mod anchors;
mod explanation;
mod finding;
mod logs;
mod rows;
mod tally;
mod verifier;

pub use finding::{Finding, RowName};
pub use logs::{LogReport, LogVerifier};
pub use verifier::{Verification, Verifier};

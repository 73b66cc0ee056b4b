//! Verification: whether the catalog is what was written to it, and all of that.

mod anchors;
mod finding;
mod logs;
mod replay;
mod rows;
mod verifier;

pub use finding::{Finding, RowName};
pub use logs::{LogReport, LogVerifier};
pub use verifier::{Verification, Verifier};

//! AWS Security Token Service as messages: forms that ask, and documents that answer. Follows the
//! AWS Security Token Service API Reference, version 2011-06-15.

mod answer;
mod error;
mod form;
mod name;
mod request;
#[cfg(test)]
mod tests;

pub use answer::{AssumedRole, CallerIdentity, Credentials, IdentityProof, SessionToken};
pub use error::{ErrorCode, ErrorResponse, Refusal};
pub use form::Form;
pub use name::{RoleArn, SessionName};
pub use request::{Action, AssumeRole, AssumeRoleWithWebIdentity, Request, SessionPolicy};

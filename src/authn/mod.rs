//! Request → [`Caller`](crate::authz::Caller): SigV4 today. What is kept of a proof never replaces
//! the check of its credential.

mod bearer;
mod decoy;
mod error;
mod proven;
mod sigv4;

#[cfg(test)]
mod tests;

pub use error::AuthnError;
pub use sigv4::{Authn, Signed};

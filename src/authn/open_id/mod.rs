//! OpenID providers: whom their tokens vouch for, agents of an organization and people who log in.
//! Follows OpenID Connect Core 1.0 and Discovery 1.0, and RFC 7636 for the proof of who began.

mod error;
#[cfg(test)]
pub(super) mod fixture;
mod log_in;
mod provider;
mod published;
mod service;
#[cfg(test)]
mod tests;

pub use error::OpenIdError;
pub use log_in::{Begun, Returned};
pub use provider::OpenIdProvider;
pub use service::{OpenId, Vouched};

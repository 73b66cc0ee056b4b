//! Request → [`Caller`](crate::authz::Caller): signatures and bearer tokens; and, of identity
//! providers' tokens, [`Identity`](crate::authz::Identity). What is kept of a proof never replaces
//! the check of its credential.

mod bearer;
mod decoy;
mod directory;
mod error;
mod open_id;
mod proven;
mod service;
mod sigv4;

#[cfg(test)]
mod tests;

pub use error::AuthnError;
pub use open_id::{Begun, OpenId, OpenIdError, OpenIdProvider, Returned, Vouched};
pub use service::Authn;
pub use sigv4::Signed;

#[cfg(test)]
pub(crate) use open_id::fixture::Provider;

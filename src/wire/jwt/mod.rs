//! ID tokens of OpenID Connect, and the keys that they are signed with. Follows RFC 7515, 7517,
//! 7519 and 8725, and OpenID Connect Core 1.0, section 2; only public keys verify anything.

mod algorithm;
mod claims;
mod error;
mod keys;
mod metadata;
mod provider;
mod token;

#[cfg(test)]
mod tests;

pub use algorithm::SigningAlgorithm;
pub use claims::Claims;
pub use error::JwtError;
pub use keys::KeySet;
pub use metadata::{ProviderMetadata, TokenResponse};
pub use token::IdToken;

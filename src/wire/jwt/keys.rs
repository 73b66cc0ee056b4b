use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};

use super::algorithm::SigningAlgorithm;
use super::error::JwtError;

/// The public keys of a provider (RFC 7517, section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Jwk>,
}

impl KeySet {
    /// Reads the document at `jwks_uri`. Keys of kinds that are not known are passed over.
    ///
    /// # Errors
    /// [`JwtError::Malformed`].
    pub fn parse(json: &[u8]) -> Result<Self, JwtError> {
        let set: JwkSet = serde_json::from_slice(json)
            .map_err(|_| JwtError::Malformed("not a set of JSON Web Keys"))?;
        if set.keys.len() > KEYS_MAX {
            return Err(JwtError::Malformed("a set of too many keys"));
        }
        Ok(Self { keys: set.keys })
    }

    /// The one key that can have signed what says so. Where the token names none, there must be
    /// only one that fits (OpenID Connect Core, 10.1).
    pub(super) fn key(
        &self,
        id: Option<&str>,
        algorithm: SigningAlgorithm,
    ) -> Result<DecodingKey, JwtError> {
        let mut fitting = self.keys.iter().filter_map(|jwk| {
            let common = &jwk.common;
            let is_named = id.is_none_or(|id| common.key_id.as_deref() == Some(id));
            let signs = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
            let is_for_it = common
                .key_algorithm
                .is_none_or(|named| named.to_string() == algorithm.as_str());
            (is_named && signs && is_for_it)
                .then(|| algorithm.key(&jwk.algorithm))
                .flatten()
        });
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (None, _) | (Some(_), Some(_)) => Err(JwtError::UnknownKey),
        }
    }
}

const KEYS_MAX: usize = 256;

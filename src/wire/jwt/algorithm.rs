use std::fmt;
use std::str::FromStr;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::error::JwtError;

/// What an ID token is signed by (RFC 7518, 3.1, and RFC 8037). There is no `none` and no HMAC:
/// whoever could choose these would take a public key for a shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of RFC 7518")]
pub enum SigningAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl SigningAlgorithm {
    /// All that are verified here.
    pub const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// As tokens name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    pub(super) fn of(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm {
            Algorithm::RS256 => Self::RS256,
            Algorithm::RS384 => Self::RS384,
            Algorithm::RS512 => Self::RS512,
            Algorithm::PS256 => Self::PS256,
            Algorithm::PS384 => Self::PS384,
            Algorithm::PS512 => Self::PS512,
            Algorithm::ES256 => Self::ES256,
            Algorithm::ES384 => Self::ES384,
            Algorithm::EdDSA => Self::EdDSA,
            _ => return None,
        })
    }

    pub(super) fn named(self) -> Algorithm {
        match self {
            Self::RS256 => Algorithm::RS256,
            Self::RS384 => Algorithm::RS384,
            Self::RS512 => Algorithm::RS512,
            Self::PS256 => Algorithm::PS256,
            Self::PS384 => Algorithm::PS384,
            Self::PS512 => Algorithm::PS512,
            Self::ES256 => Algorithm::ES256,
            Self::ES384 => Algorithm::ES384,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }

    /// The key, if it is one for this algorithm: a key verifies nothing but what it was made for.
    pub(super) fn key(self, parameters: &AlgorithmParameters) -> Option<DecodingKey> {
        let key = match (self, parameters) {
            (
                Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512,
                AlgorithmParameters::RSA(rsa),
            ) => DecodingKey::from_rsa_components(&rsa.n, &rsa.e),
            (Self::ES256, AlgorithmParameters::EllipticCurve(curve))
                if curve.curve == EllipticCurve::P256 =>
            {
                DecodingKey::from_ec_components(&curve.x, &curve.y)
            }
            (Self::ES384, AlgorithmParameters::EllipticCurve(curve))
                if curve.curve == EllipticCurve::P384 =>
            {
                DecodingKey::from_ec_components(&curve.x, &curve.y)
            }
            (Self::EdDSA, AlgorithmParameters::OctetKeyPair(pair))
                if pair.curve == EllipticCurve::Ed25519 =>
            {
                DecodingKey::from_ed_components(&pair.x)
            }
            _ => return None,
        };
        key.ok()
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SigningAlgorithm {
    type Err = JwtError;

    fn from_str(text: &str) -> Result<Self, JwtError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or(JwtError::Algorithm)
    }
}

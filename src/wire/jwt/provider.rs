//! The signatures, by ring, for the crate that knows the form of tokens.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result, new_error};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

/// Verifies with public keys; signs nothing.
pub(super) static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(new_error(ErrorKind::UnsupportedAlgorithm)),
    verifier_factory,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |_, _| Err(unsupported()),
    },
};

enum Public {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
        parameters: &'static RsaParameters,
    },
    Point(Vec<u8>, &'static dyn VerificationAlgorithm),
}

struct Verification {
    algorithm: Algorithm,
    public: Public,
}

impl Verifier<Vec<u8>> for Verification {
    fn verify(
        &self,
        message: &[u8],
        signature: &Vec<u8>,
    ) -> std::result::Result<(), signature::Error> {
        let verified = match &self.public {
            Public::Rsa {
                modulus: n,
                exponent: e,
                parameters,
            } => RsaPublicKeyComponents { n, e }.verify(parameters, message, signature),
            Public::Point(point, algorithm) => {
                UnparsedPublicKey::new(*algorithm, point).verify(message, signature)
            }
        };
        verified.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Verification {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn verifier_factory(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    if key.family() != algorithm.family() {
        return Err(new_error(ErrorKind::InvalidAlgorithm));
    }
    let public = match algorithm {
        Algorithm::RS256 => rsa(key, &RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => rsa(key, &RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => rsa(key, &RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => rsa(key, &RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => rsa(key, &RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => rsa(key, &RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 => point(key, &ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => point(key, &ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => point(key, &ED25519),
        _ => Err(unsupported()),
    }?;
    Ok(Box::new(Verification {
        algorithm: *algorithm,
        public,
    }))
}

fn rsa(key: &DecodingKey, parameters: &'static RsaParameters) -> Result<Public> {
    match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, e } => Ok(Public::Rsa {
            modulus: without_zeros(n),
            exponent: without_zeros(e),
            parameters,
        }),
        DecodingKeyKind::SecretOrDer(_) => Err(new_error(ErrorKind::InvalidKeyFormat)),
    }
}

fn point(key: &DecodingKey, algorithm: &'static dyn VerificationAlgorithm) -> Result<Public> {
    Ok(Public::Point(key.try_get_as_bytes()?.to_vec(), algorithm))
}

/// Some providers write numbers with the zero that ASN.1 puts before a high bit; ring takes none.
fn without_zeros(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number[zeros..].to_vec()
}

fn unsupported() -> jsonwebtoken::errors::Error {
    new_error(ErrorKind::UnsupportedAlgorithm)
}

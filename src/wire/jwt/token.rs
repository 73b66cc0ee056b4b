use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, Validation, dangerous, decode, decode_header};
use serde::Deserialize;

use super::algorithm::SigningAlgorithm;
use super::claims::Claims;
use super::error::JwtError;
use super::keys::KeySet;
use super::provider::RING;

/// An ID token as it was presented: well-formed, **not yet verified**. Until
/// [`verify`](Self::verify) has returned, nothing that it says is more than a claim.
pub struct IdToken<'a> {
    text: &'a str,
    header: Header,
    algorithm: SigningAlgorithm,
    issuer: String,
}

/// What has to be known to find the keys.
#[derive(Deserialize)]
struct Claimed {
    iss: String,
}

impl<'a> IdToken<'a> {
    /// Reads a token in its compact form.
    ///
    /// # Errors
    /// [`JwtError::Malformed`], and [`JwtError::Algorithm`] for one that no public key verifies.
    pub fn parse(text: &'a str) -> Result<Self, JwtError> {
        if text.len() > BYTES_MAX {
            return Err(JwtError::Malformed("too long"));
        }
        let header = decode_header(text).map_err(|error| match error.kind() {
            // Among these is `none`, which the enum does not have.
            ErrorKind::Json(_) => JwtError::Algorithm,
            _ => JwtError::Malformed("not a signed token"),
        })?;
        let algorithm = SigningAlgorithm::of(header.alg).ok_or(JwtError::Algorithm)?;
        // What must be understood is not (RFC 7515, 4.1.11).
        if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
            return Err(JwtError::Malformed("a header that is not understood"));
        }
        // A token of another kind, such as an access token, is none (RFC 8725, 3.11).
        let is_jwt = |kind: &String| kind.eq_ignore_ascii_case("JWT");
        if !header.typ.as_ref().is_none_or(is_jwt) {
            return Err(JwtError::Malformed("a token of another type"));
        }
        let claimed: Claimed = dangerous::insecure_decode_claims(text)
            .map_err(|_| JwtError::Malformed("claims without an issuer"))?;
        Ok(Self {
            text,
            header,
            algorithm,
            issuer: claimed.iss,
        })
    }

    /// Who is claimed to have issued it.
    pub fn claimed_issuer(&self) -> &str {
        &self.issuer
    }

    /// Verifies the signature by a key of the set that was made for an algorithm that is allowed.
    /// What is claimed is not looked at: for whom and until when it holds is for the caller.
    ///
    /// # Errors
    /// [`JwtError`].
    pub fn verify(&self, keys: &KeySet, allowed: &[SigningAlgorithm]) -> Result<Claims, JwtError> {
        if !allowed.contains(&self.algorithm) {
            return Err(JwtError::Algorithm);
        }
        let key = keys.key(self.header.kid.as_deref(), self.algorithm)?;
        // It is installed already, or is now: this crate alone installs one.
        let _ = RING.install_default();
        let mut validation = Validation::new(self.algorithm.named());
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        match decode::<Claims>(self.text, &key, &validation) {
            Ok(token) => Ok(token.claims),
            Err(error) => Err(match error.kind() {
                ErrorKind::Json(_) => JwtError::Malformed("claims that are not an ID token's"),
                _ => JwtError::Signature,
            }),
        }
    }
}

/// More than any provider's tokens have.
const BYTES_MAX: usize = 16 << 10;

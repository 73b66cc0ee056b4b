use argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::error::TenancyError;
use crate::entropy::Entropy;

/// The text is no password that an account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password has 12 characters at least and 256 bytes at most")]
pub struct InvalidPassword;

/// A password as somebody typed it. It is hashed, and kept by nobody.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password that is chosen: long enough, and of any characters (NIST SP 800-63B,
    /// section 3.1.1.2, asks for length and for no composition).
    pub fn choose(text: Zeroizing<String>) -> Result<Self, InvalidPassword> {
        if text.chars().count() >= CHARACTERS_MIN && text.len() <= BYTES_MAX {
            Ok(Self(text))
        } else {
            Err(InvalidPassword)
        }
    }

    /// Takes a password that is presented: whatever was typed, up to where it is cut off. A longer
    /// one proves nothing.
    pub fn present(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

/// What is kept of a password.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode, minicbor::CborLen)]
#[cbor(map)]
pub(super) struct Hash {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    salt: [u8; 16],
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    output: [u8; 32],
    #[n(2)]
    memory_kib: u32,
    #[n(3)]
    passes: u32,
    #[n(4)]
    lanes: u32,
}

/// Hashes passwords with Argon2id (RFC 9106), a few at a time: whoever tries many waits, and
/// takes no memory for it.
pub(super) struct Hasher {
    entropy: Entropy,
    /// Those that hash.
    places: Semaphore,
    /// Those that hash or wait.
    queue: Semaphore,
}

impl Hasher {
    pub(super) fn new(entropy: Entropy) -> Self {
        Self {
            entropy,
            places: Semaphore::new(AT_ONCE_MAX),
            queue: Semaphore::new(QUEUE_MAX),
        }
    }

    /// Hashes a password that was chosen.
    pub(super) async fn hash(&self, password: Password) -> Result<Hash, TenancyError> {
        let hash = Hash {
            salt: self.entropy.bytes(),
            output: [0; 32],
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
        };
        let output = self.output(password, hash.clone()).await?;
        Ok(Hash { output, ..hash })
    }

    /// Whether `password` is the one that was hashed. Where there is none, the same work is done
    /// for the same answer as to a wrong one.
    pub(super) async fn verify(
        &self,
        password: Password,
        kept: Option<&Hash>,
    ) -> Result<bool, TenancyError> {
        let is_known = kept.is_some();
        let kept = kept.cloned().unwrap_or(DECOY);
        let expected = kept.output;
        let output = self.output(password, kept).await?;
        Ok(is_known & bool::from(output.ct_eq(&expected)))
    }

    async fn output(&self, password: Password, hash: Hash) -> Result<[u8; 32], TenancyError> {
        let _queued = self
            .queue
            .try_acquire()
            .map_err(|_| TenancyError::TooManyAttempts {
                retry_after_seconds: 1,
            })?;
        let _place = self.places.acquire().await.map_err(failed)?;
        tokio::task::spawn_blocking(move || hash.output_of(&password))
            .await
            .map_err(failed)?
    }
}

impl Hash {
    fn output_of(&self, password: &Password) -> Result<[u8; 32], TenancyError> {
        let mut output = [0; 32];
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(output.len()))
            .map_err(failed)?;
        // What is longer than a password may be is worth the same work, and is none.
        let text = password.0.as_bytes();
        let text = text.get(..BYTES_MAX + 1).unwrap_or(text);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(text, &self.salt, &mut output)
            .map_err(failed)?;
        Ok(output)
    }
}

fn failed(error: impl std::fmt::Display) -> TenancyError {
    TenancyError::Unavailable(format!("a password cannot be hashed: {error}"))
}

/// What a password is compared with where there is none: no password is known to hash to it, and
/// [`Hasher::verify`] refuses it all the same.
const DECOY: Hash = Hash {
    salt: [0; 16],
    output: [0; 32],
    memory_kib: MEMORY_KIB,
    passes: PASSES,
    lanes: LANES,
};
/// OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Two cores' worth, and 38 MiB.
const AT_ONCE_MAX: usize = 2;
const QUEUE_MAX: usize = 64;
const CHARACTERS_MIN: usize = 12;
const BYTES_MAX: usize = 256;

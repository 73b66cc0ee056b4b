use crate::{Error, Result, Secret};

/// Where keys and salts come from: a cryptographically secure generator, the operating system's
/// as a rule. A trait, because this crate reads neither clock nor chance by itself.
pub trait Random: Send + Sync {
    /// Fills `out` completely with fresh random bytes.
    ///
    /// # Errors
    /// [`RandomFailed`] when it cannot; whatever was to be sealed is then not sealed.
    fn fill(&self, out: &mut [u8]) -> std::result::Result<(), RandomFailed>;
}

/// The source of randomness could not fill the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct RandomFailed;

impl From<RandomFailed> for Error {
    fn from(_: RandomFailed) -> Self {
        Self::RandomFailed
    }
}

/// A fresh secret of `N` bytes.
pub(crate) fn random_secret<const N: usize>(random: &dyn Random) -> Result<Secret<N>> {
    let mut secret = Secret::zeroed();
    random.fill(secret.as_mut())?;
    Ok(secret)
}

/// `N` fresh bytes that need not stay secret: a salt.
pub(crate) fn random_bytes<const N: usize>(random: &dyn Random) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}

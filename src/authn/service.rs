use std::sync::Arc;

use super::decoy::Decoy;
use super::proven::Proven;
use crate::catalog::PlatformCatalog;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::keyring::Keyring;

/// Authenticates requests.
///
/// ```text
/// presented ──── proven lately? ──► its caller, and what it is proven by ─┐
///                     │ no                                               │
///              blind name of the id                                      │
///              one read of the credential directory                      ├─► proof ──► Caller
///              MAC, record, id  (or those of a decoy)                    │
///              signing key, or digest of the secret ─────────────────────┘
/// ```
///
/// What is unknown, revoked or of an organization that is gone takes the same reads and the same
/// computations as a wrong signature or secret. Refusals are not cached: they cost one read each,
/// and a flood of them pushes nobody out of the cache of what was proven.
pub struct Authn {
    pub(super) catalog: PlatformCatalog,
    pub(super) keyring: Arc<Keyring>,
    pub(super) region: String,
    pub(super) clock: Clock,
    pub(super) decoy: Decoy,
    pub(super) proven: Proven,
}

impl Authn {
    /// Authenticates requests; those that are signed, for `region`.
    pub fn new(
        catalog: PlatformCatalog,
        keyring: Arc<Keyring>,
        region: String,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self {
            proven: Proven::new(catalog.clone()),
            decoy: Decoy::new(entropy),
            catalog,
            keyring,
            region,
            clock,
        }
    }

    /// Drops what is kept of proofs that no longer hold. Called after every poll of the catalog.
    pub fn tend(&self) {
        self.proven
            .tend(self.clock.monotonic(), self.clock.now_ms());
    }

    /// How many proofs are kept.
    #[cfg(test)]
    pub(super) fn proven_len(&self) -> u64 {
        self.proven.len()
    }
}

use std::sync::Arc;

use super::standing::Standings;
use crate::catalog::{PlatformCatalog, Row, Unverified};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::keyring::{Keyring, KeyringError, OrgKeys};

/// Organizations, accounts and access keys.
///
/// What the operator does here is recorded by whoever calls it, before: this module knows no log.
pub struct Tenancy {
    pub(super) catalog: PlatformCatalog,
    pub(super) keyring: Arc<Keyring>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    pub(super) standings: Standings,
}

impl Tenancy {
    /// Works on a catalog whose platform has been provisioned.
    pub fn new(
        catalog: PlatformCatalog,
        keyring: Arc<Keyring>,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self {
            catalog,
            keyring,
            clock,
            entropy,
            standings: Standings::new(),
        }
    }

    /// The platform's keys, to verify rows that the catalog returned.
    pub(super) async fn platform_for<R: Row>(
        &self,
        rows: &[Unverified<R>],
    ) -> Result<Arc<OrgKeys>, KeyringError> {
        match rows.iter().map(|row| row.tag().key_version).max() {
            Some(newest) => self.keyring.open_platform_at(newest).await,
            None => self.keyring.open_platform().await,
        }
    }
}

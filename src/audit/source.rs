use std::sync::Arc;

use names::{NodeId, OrgId};

use crate::authz::{Operator, Permit, ReadActivity};
use crate::catalog::{AuditSegmentRow, Catalog, CatalogError, OrgCatalog, PlatformCatalog};
use crate::keyring::{Keyring, KeyringError, OrgKeys};

/// One organization's log or the platform's, to be read.
pub(super) struct Source {
    door: Door,
    keyring: Arc<Keyring>,
}

enum Door {
    Organization(OrgCatalog, Permit<ReadActivity>),
    Platform(PlatformCatalog),
}

/// A stretch of time, milliseconds since the epoch: from the first until before the second.
pub(super) type Span = (u64, u64);

impl Source {
    /// The log of the organization that `permit` is for.
    pub(super) fn organization(
        catalog: &Catalog,
        keyring: Arc<Keyring>,
        permit: Permit<ReadActivity>,
    ) -> Self {
        Self {
            door: Door::Organization(catalog.open(&permit), permit),
            keyring,
        }
    }

    /// The platform's log.
    pub(super) fn platform(_: &Operator, catalog: PlatformCatalog, keyring: Arc<Keyring>) -> Self {
        Self {
            door: Door::Platform(catalog),
            keyring,
        }
    }

    /// Whose log it is.
    pub(super) fn org(&self) -> OrgId {
        match &self.door {
            Door::Organization(catalog, _) => catalog.org(),
            Door::Platform(_) => OrgId::PLATFORM,
        }
    }

    /// The keys that open it.
    pub(super) async fn keys(&self) -> Result<Arc<OrgKeys>, KeyringError> {
        match &self.door {
            Door::Organization(_, permit) => self.keyring.open(permit).await,
            Door::Platform(_) => self.keyring.open_platform().await,
        }
    }

    /// The keys that open `rows`: `keys`, unless the organization's key was rotated since.
    pub(super) async fn keys_for(
        &self,
        keys: Arc<OrgKeys>,
        rows: &[AuditSegmentRow],
    ) -> Result<Arc<OrgKeys>, KeyringError> {
        let newest = rows.iter().map(|row| row.key_version).max();
        if newest.is_none_or(|version| version <= keys.newest_version()) {
            return Ok(keys);
        }
        self.keyring.forget(self.org());
        self.keys().await
    }

    /// The nodes that have a chain in it.
    pub(super) async fn nodes(&self) -> Result<Vec<NodeId>, CatalogError> {
        let chains = match &self.door {
            Door::Organization(catalog, _) => catalog.audit_chains().await?,
            Door::Platform(catalog) => catalog.audit_chains(OrgId::PLATFORM).await?,
        };
        Ok(chains.into_iter().map(|(node, _)| node).collect())
    }

    /// Up to `max` segments of a node's chain from a number on.
    pub(super) async fn segments(
        &self,
        node: NodeId,
        from: u64,
        max: u32,
    ) -> Result<Vec<AuditSegmentRow>, CatalogError> {
        match &self.door {
            Door::Organization(catalog, _) => catalog.audit_segments(node, from, max).await,
            Door::Platform(catalog) => {
                let org = OrgId::PLATFORM;
                catalog.audit_segments(org, node, from, max).await
            }
        }
    }

    /// Up to `max` segments of a time after one of them, by the time of their last event.
    pub(super) async fn segments_after(
        &self,
        (from, until): Span,
        after: Option<(NodeId, u64)>,
        max: u32,
    ) -> Result<Vec<AuditSegmentRow>, CatalogError> {
        match &self.door {
            Door::Organization(catalog, _) => {
                catalog
                    .audit_segments_between(from, until, after, max)
                    .await
            }
            Door::Platform(catalog) => {
                let org = OrgId::PLATFORM;
                catalog
                    .audit_segments_between(org, from, until, after, max)
                    .await
            }
        }
    }

    /// Up to `max` segments of a time before one of them, from the last on.
    pub(super) async fn segments_before(
        &self,
        (from, until): Span,
        before: Option<(NodeId, u64)>,
        max: u32,
    ) -> Result<Vec<AuditSegmentRow>, CatalogError> {
        match &self.door {
            Door::Organization(catalog, _) => {
                catalog
                    .audit_segments_backwards(from, until, before, max)
                    .await
            }
            Door::Platform(catalog) => {
                let org = OrgId::PLATFORM;
                catalog
                    .audit_segments_backwards(org, from, until, before, max)
                    .await
            }
        }
    }
}

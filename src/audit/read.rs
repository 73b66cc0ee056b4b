use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use names::{NodeId, OrgId};

use super::entry::Logged;
use super::verify::{ChainReport, Head, Report, Verifier};
use crate::authz::{Operator, Permit, ReadActivity};
use crate::catalog::{AuditSegmentRow, Catalog, CatalogError, OrgCatalog, PlatformCatalog};
use crate::keyring::{Keyring, KeyringError, OrgKeys};

/// Reads an activity log, which is verifying it: there is no way to see an event that skips the
/// check of the chain that it stands in.
pub struct AuditReader {
    source: Source,
    keyring: Arc<Keyring>,
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The organization's keys cannot be had: it is destroyed, or its keys are damaged.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

enum Source {
    Organization(OrgCatalog, Permit<ReadActivity>),
    Platform(PlatformCatalog),
}

impl AuditReader {
    /// Reads the log of the organization that `permit` is for.
    pub fn new(catalog: &Catalog, keyring: Arc<Keyring>, permit: Permit<ReadActivity>) -> Self {
        Self {
            source: Source::Organization(catalog.open(&permit), permit),
            keyring,
        }
    }

    /// Reads the platform's log.
    pub fn platform(_: &Operator, catalog: PlatformCatalog, keyring: Arc<Keyring>) -> Self {
        Self {
            source: Source::Platform(catalog),
            keyring,
        }
    }

    /// Verifies every chain of the log against itself and against `anchors`, the heads that a
    /// checkpoint names.
    pub async fn verify(&self, anchors: &BTreeMap<NodeId, Head>) -> Result<Report, ReadError> {
        self.walk(anchors, |_| {}).await
    }

    /// Verifies the log and shows `each` of its events: chain by chain, and in a chain in the
    /// order in which they were recorded. What was altered is shown by the report alone.
    pub async fn walk(
        &self,
        anchors: &BTreeMap<NodeId, Head>,
        mut each: impl FnMut(Logged<'_>),
    ) -> Result<Report, ReadError> {
        let mut nodes: BTreeSet<NodeId> = anchors.keys().copied().collect();
        nodes.extend(self.nodes().await?);
        let mut chains = Vec::with_capacity(nodes.len());
        for node in nodes {
            let anchor = anchors.get(&node).copied();
            chains.push(self.walk_chain(node, anchor, &mut each).await?);
        }
        Ok(Report {
            org: self.org(),
            chains,
        })
    }

    async fn walk_chain(
        &self,
        node: NodeId,
        anchor: Option<Head>,
        each: &mut impl FnMut(Logged<'_>),
    ) -> Result<ChainReport, ReadError> {
        let org = self.org();
        let mut verifier = Verifier::new(node, anchor);
        let mut keys = self.keys().await?;
        let mut from = 0;
        loop {
            let page = self.segments(node, from).await?;
            let newest = page.iter().map(|row| row.key_version).max();
            if newest.is_some_and(|version| version > keys.newest_version()) {
                // The organization's key was rotated while the log was read.
                self.keyring.forget(org);
                keys = self.keys().await?;
            }
            for row in &page {
                for entry in &verifier.take(&keys, row) {
                    each(Logged {
                        org,
                        node,
                        segment: row.number,
                        entry,
                    });
                }
            }
            // A store that gives the same page for ever ends here.
            let next = page.last().and_then(|row| row.number.checked_add(1));
            match next {
                Some(next) if next > from => from = next,
                _ => return Ok(verifier.finish()),
            }
        }
    }

    async fn keys(&self) -> Result<Arc<OrgKeys>, KeyringError> {
        match &self.source {
            Source::Organization(_, permit) => self.keyring.open(permit).await,
            Source::Platform(_) => self.keyring.open_platform().await,
        }
    }

    async fn nodes(&self) -> Result<Vec<NodeId>, CatalogError> {
        let chains = match &self.source {
            Source::Organization(catalog, _) => catalog.audit_chains().await?,
            Source::Platform(catalog) => catalog.audit_chains(OrgId::PLATFORM).await?,
        };
        Ok(chains.into_iter().map(|(node, _)| node).collect())
    }

    async fn segments(
        &self,
        node: NodeId,
        from: u64,
    ) -> Result<Vec<AuditSegmentRow>, CatalogError> {
        match &self.source {
            Source::Organization(catalog, _) => catalog.audit_segments(node, from, PAGE).await,
            Source::Platform(catalog) => {
                let org = OrgId::PLATFORM;
                catalog.audit_segments(org, node, from, PAGE).await
            }
        }
    }

    fn org(&self) -> OrgId {
        match &self.source {
            Source::Organization(catalog, _) => catalog.org(),
            Source::Platform(_) => OrgId::PLATFORM,
        }
    }
}

/// How many segments are read at a time: some eight megabytes at most.
const PAGE: u32 = 32;
